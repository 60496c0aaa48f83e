//! A host that serves again is not wiped.

use super::*;

const SET_SERVING: &Function = &balancer::functions::set_serving;

/// A run that has set its services to this value, and published an entry.
async fn after_setting(serving: bool) -> (Setup, Arc<Script>) {
    let services = Arc::new(Script::default());
    let setup = Setup::with(|gate| {
        let state = gate.state.get_mut().unwrap();
        state.providers.add(("balancer", services.clone()));
    });
    services.answer(Ok(json!([])));
    setup
        .call(SET_SERVING, json!({ "serving": serving }))
        .await
        .unwrap();
    setup.call(PUBLISH, json!({})).await.unwrap();
    (setup, services)
}

async fn restart(setup: &Setup) -> Result<Result<Value, Fault>, Stop> {
    let cycle = json!({ "action": "Cycle" });
    setup.gate.call_by_guest(SET_POWER, cycle).await
}

#[tokio::test]
async fn a_host_that_was_pooled_again_is_not_restarted() {
    let (setup, services) = after_setting(false).await;
    services.answer(Ok(json!(["nginx of appserver"])));
    let stop = restart(&setup).await.unwrap_err();
    assert!(
        matches!(&stop, Stop::Refused(why) if why.contains("host1001 was pooled again in nginx of appserver")),
        "{stop}"
    );
    assert_eq!(setup.board.called(), Vec::<String>::new());
}

#[tokio::test]
async fn a_host_that_is_still_depooled_or_cannot_be_asked_is_restarted() {
    for answer in [
        Ok(json!([])),
        Err(Fault::unreachable("balancer.down", "balancer", "down")),
    ] {
        let (setup, services) = after_setting(false).await;
        services.answer(answer);
        restart(&setup).await.unwrap().unwrap();
        assert_eq!(setup.board.called(), ["board.switch"]);
        // Once it is being wiped, nothing is lost any more.
        services.answer(Ok(json!(["nginx of appserver"])));
        restart(&setup).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_host_that_the_run_has_pooled_itself_is_no_surprise() {
    let (setup, services) = after_setting(true).await;
    services.answer(Ok(json!(["nginx of appserver"])));
    restart(&setup).await.unwrap().unwrap();
    assert_eq!(services.called(), ["balancer.set-serving"]);
}
