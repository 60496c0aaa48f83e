//! Machines that cannot be compared, and parts that do not agree.

use super::*;

#[tokio::test]
async fn a_machine_without_any_comparable_identity_is_refused_unless_the_site_lets_it_through() {
    let nothing = || Ok(json!({}));
    let silent = || Err(Fault::unreachable("x", "y", "no route"));
    let required = host();
    required.setup.board.reads("get-owner", nothing());
    required.setup.inside.reads("get-machine", silent());
    let stop = required.stopped(PUBLISH).await;
    assert!(
        matches!(&stop, Stop::Refused(why) if why.contains("identity = \"optional\"")),
        "{stop}"
    );
    let optional = host_with(|gate| gate.context.identity_optional = true);
    optional.setup.board.reads("get-owner", nothing());
    optional.setup.inside.reads("get-machine", silent());
    optional.ok(PUBLISH).await;
    assert!(!optional.setup.gate.state().warned);
}

#[tokio::test]
async fn bmc_and_old_system_must_agree_unless_the_guid_is_unrelated() {
    let uuid = |last: &str| format!("4c4c4544-0042-4310-8031-c1c04f32333{last}");
    for unrelated in [false, true] {
        let host = host_with(|gate| {
            if unrelated {
                gate.context.unrelated_guids = vec!["acme x1".to_owned()];
            }
        });
        let mut bmc = info("S1");
        bmc["model"] = json!("Acme X1");
        bmc["uuid"] = json!(uuid("4"));
        host.setup.board.reads("get-owner", Ok(bmc));
        let dmi = json!({"serial": "S1", "uuid": uuid("5")});
        host.setup.inside.reads("get-machine", Ok(dmi));
        let called = host.try_call(PUBLISH).await;
        match called {
            Ok(Ok(_)) => assert!(unrelated),
            Err(Stop::WrongMachine(why)) => {
                assert!(!unrelated && why.contains(&uuid("5")), "{why}")
            }
            other => panic!("{other:?}"),
        }
    }
}
