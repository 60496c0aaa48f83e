//! Restarts: what is restored directly before one, and which of them leads into the installer.

use super::*;
use crate::ledger::OVERRIDE_CHANGED;
use crate::ledger::Progress;

const GET_FLAGS: &str = "board.get-override";

fn flags(device: &str) -> Result<Value, Fault> {
    Ok(json!({
        "device": device
    }))
}

async fn cycle(setup: &Setup) -> Result<Value, Fault> {
    setup.call(SET_POWER, json!({"action": "Cycle"})).await
}

/// A run that has set the override to the network.
async fn overridden() -> Setup {
    let setup = Setup::new();
    setup.board.answer(flags("Pxe"));
    setup
        .call(SET_BOOT, json!({"device": "Pxe"}))
        .await
        .unwrap();
    setup
}

#[tokio::test]
async fn an_override_that_is_gone_is_set_again_directly_before_the_restart() {
    for (there, calls) in [
        (flags("Pxe"), vec![GET_FLAGS]),
        (flags("None"), vec![GET_FLAGS, "board.set-override"]),
        (flags("Disk"), vec![GET_FLAGS, "board.set-override"]),
        // Whether it is there is not known: the restart shows it.
        (
            Err(Fault::unreachable("x", "BMC", "no route")),
            vec![GET_FLAGS],
        ),
    ] {
        let setup = overridden().await;
        setup.board.answer(there);
        if calls.len() > 1 {
            setup.board.answer(flags("Pxe"));
        }
        cycle(&setup).await.unwrap();
        let mut all = vec!["board.set-override"];
        all.extend(calls);
        all.push("board.switch");
        assert_eq!(setup.board.called(), all);
    }
}

/// An entry that is gone, and an agent of the old system that another person has enabled again.
#[tokio::test]
async fn what_else_was_set_for_the_restart_is_read_and_done_again_and_that_is_reported() {
    let agent = Arc::new(Script::default());
    let setup = Setup::with(|gate| {
        let state = gate.state.get_mut().unwrap();
        state.providers.add(("agent", agent.clone()));
    });
    let disable = json!({"reason": "Host reimage"});
    setup
        .call(&agent::functions::disable, disable)
        .await
        .unwrap();
    let entry = json!({"digest": "d"});
    setup.netboot.answer(Ok(entry.clone()));
    setup.call(PUBLISH, json!({})).await.unwrap();
    agent.answer(Ok(json!({"enabled": true, "reason": null})));
    setup.netboot.answer(Ok(Value::Null));
    setup.netboot.answer(Ok(entry));
    cycle(&setup).await.unwrap();
    let again = ["agent.disable", "agent.get-state", "agent.disable"];
    assert_eq!(agent.called(), again);
    let again = ["netboot.offer", "netboot.get-offer", "netboot.offer"];
    assert_eq!(setup.netboot.called(), again);
    let entries = setup.log.entries();
    let reported = entries.iter().filter(|entry| {
        matches!(&entry.record, Record::Note { text, .. } if text.contains("was undone, not by this run; it was done again"))
    });
    assert_eq!(reported.count(), 2);
}

#[tokio::test]
async fn only_a_restart_restores_the_override_and_only_one_that_is_not_used_up() {
    let setup = overridden().await;
    setup
        .call(SET_POWER, json!({"action": "Off"}))
        .await
        .unwrap();
    assert!(!setup.board.called().contains(&GET_FLAGS.to_owned()));
    setup.board.answer(flags("Pxe"));
    cycle(&setup).await.unwrap();
    cycle(&setup).await.unwrap();
    let read = setup
        .board
        .called()
        .into_iter()
        .filter(|it| it == GET_FLAGS);
    assert_eq!(read.count(), 1);
}

#[tokio::test]
async fn a_restart_under_an_override_alone_begins_the_wipe_and_the_next_one_does_not_install() {
    let setup = overridden().await;
    assert_eq!(setup.gate.state().progress(), Progress::Changed);
    setup
        .call(SET_POWER, json!({"action": "Off"}))
        .await
        .unwrap();
    assert_eq!(setup.gate.state().progress(), Progress::Changed);
    setup.board.answer(flags("Pxe"));
    cycle(&setup).await.unwrap();
    {
        let state = setup.gate.state();
        assert_eq!(state.progress(), Progress::Wiping);
        assert!(state.restarts.is_last_into_installer());
    }
    cycle(&setup).await.unwrap();
    let state = setup.gate.state();
    assert_eq!(state.progress(), Progress::Wiping);
    assert!(!state.restarts.is_last_into_installer());
}

#[tokio::test]
async fn a_restart_that_certainly_did_not_happen_wipes_nothing_and_leaves_the_override_unused() {
    let setup = overridden().await;
    setup.board.answer(flags("Pxe"));
    setup
        .board
        .answer(Err(Fault::denied("board.denied", "BMC", "no")));
    cycle(&setup).await.unwrap_err();
    {
        let state = setup.gate.state();
        assert_eq!(state.progress(), Progress::Changed);
        assert_eq!(state.undo.entries()[0].restarted, None);
    }
    // In doubt, it may have begun.
    setup.board.answer(flags("Pxe"));
    setup
        .board
        .answer(Err(Fault::timeout("board.timeout", "BMC", "late")));
    let stop = setup
        .gate
        .call_by_guest(SET_POWER, json!({"action": "Cycle"}))
        .await;
    assert!(matches!(stop, Err(Stop::InDoubt(_))), "{stop:?}");
    assert_eq!(setup.gate.state().progress(), Progress::Wiping);
}

#[tokio::test]
async fn a_restart_into_its_own_disk_wipes_nothing() {
    let setup = Setup::new();
    let disk = json!({"device": "Disk"});
    setup.board.answer(flags("Disk"));
    setup.call(SET_BOOT, disk).await.unwrap();
    setup.board.answer(flags("Disk"));
    cycle(&setup).await.unwrap();
    assert_eq!(setup.gate.state().progress(), Progress::Changed);
}

/// The guest's last read found no override. That must still hold at the restart, also when an earlier process has read it.
#[tokio::test]
async fn a_restart_is_not_made_under_an_override_that_was_set_since_the_guest_looked() {
    for (there, is_made) in [
        (flags("None"), true),
        (flags("Pxe"), false),
        (flags("Disk"), false),
        // The guest has looked; whether anything was set since is not known.
        (Err(Fault::unreachable("x", "BMC", "no route")), true),
    ] {
        let setup = Setup::new();
        setup.board.answer(flags("None"));
        let look = &board::functions::get_override;
        setup.call(look, json!({})).await.unwrap();
        setup.board.answer(there);
        let made = cycle(&setup).await;
        let mut all = vec![GET_FLAGS, GET_FLAGS];
        if is_made {
            made.unwrap();
            all.push("board.switch");
        } else {
            assert_eq!(made.unwrap_err().code, OVERRIDE_CHANGED);
            // A second try is no way around it: the guest must read again, or clear the override.
            setup.board.answer(flags("Pxe"));
            assert_eq!(cycle(&setup).await.unwrap_err().code, OVERRIDE_CHANGED);
            all.push(GET_FLAGS);
        }
        assert_eq!(setup.board.called(), all);
    }
}
