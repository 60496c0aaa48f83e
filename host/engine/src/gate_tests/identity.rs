//! Which machine it is.

use super::*;
use wreimage_capability::HostSnapshot;

pub(super) fn device(tags: &[&str], serial: &str) -> Value {
    json!({
        "name": "host1001", "fqdn": "host1001.lab1.test", "management_fqdn": null, "site": "lab1", "status": "Active",
        "kind": "Physical", "firmware": "Bios", "vendor": null, "serial": serial, "machine_uuid": null,
        "primary_ip": null, "mac": null, "tags": tags, "extra": []
    })
}

fn snapshot(serial: &str) -> Arc<HostSnapshot> {
    let device = serde_json::from_value(device(&[], serial)).unwrap();
    Arc::new(HostSnapshot::of(device))
}

pub(super) fn info(serial: &str) -> Value {
    json!({"serial": serial})
}

fn with_inventory(device: Value) -> Setup {
    Setup::with(|gate| {
        let inventory = Arc::new(Script::default());
        inventory.reads("get-host", Ok(device));
        let state = gate.state.get_mut().unwrap();
        state.providers.add(("register", inventory));
        state.ledger_mut().consented = false;
        state.is_fresh = false;
    })
}

#[tokio::test]
async fn a_protected_host_is_refused() {
    let setup = with_inventory(device(&["db", "protected"], "S1"));
    let stop = setup
        .gate
        .call_by_guest(PUBLISH, json!({}))
        .await
        .unwrap_err();
    assert!(
        matches!(&stop, Stop::Refused(why) if why.contains("protected")),
        "{stop}"
    );
    assert!(setup.netboot.called().is_empty());
}

#[tokio::test]
async fn a_bmc_of_another_machine_stops_the_run_and_both_are_named() {
    let setup = with_inventory(device(&[], "S1"));
    setup.board.reads("get-owner", Ok(info("S2")));
    let stop = setup
        .gate
        .call_by_guest(PUBLISH, json!({}))
        .await
        .unwrap_err();
    assert!(
        matches!(&stop, Stop::WrongMachine(why) if why.contains("S1") && why.contains("S2")),
        "{stop}"
    );
    assert!(setup.netboot.called().is_empty());
}

#[tokio::test]
async fn an_installer_on_another_machine_is_not_believed() {
    let inside = Arc::new(Script::default());
    let boot = json!({"at": "Installer", "id": "b"});
    inside.answer(Ok(boot));
    inside.answer(Ok(json!({"serial": "S2"})));
    let setup = Setup::with(|gate| {
        let state = gate.state.get_mut().unwrap();
        state.providers.add(("inside", inside));
        state.ledger_mut().snapshot = Some(snapshot("S1"));
    });
    let stop = setup
        .gate
        .call_by_guest(WAIT, wait_arguments())
        .await
        .unwrap_err();
    assert!(
        matches!(&stop, Stop::WrongMachine(why) if why.contains("S1") && why.contains("S2")),
        "{stop}"
    );
}

#[tokio::test]
async fn a_machine_is_compared_before_it_is_changed_from_inside() {
    let inside = Arc::new(Script::default());
    inside.answer(Ok(json!({"serial": "S2"})));
    let setup = Setup::with(|gate| {
        let state = gate.state.get_mut().unwrap();
        state.providers.add(("inside", inside.clone()));
        state.ledger_mut().snapshot = Some(snapshot("S1"));
    });
    let reboot = &inside::functions::restart;
    let stop = setup
        .gate
        .call_by_guest(reboot, json!({"at": "Installer"}))
        .await
        .unwrap_err();
    assert!(matches!(stop, Stop::WrongMachine(_)), "{stop}");
    assert_eq!(inside.called(), ["inside.get-machine"]);
}

/// A run that has waited for a boot at the installer identity, of which nothing can be asked any more.
async fn unidentified(then: Result<Value, Fault>) -> (Setup, Arc<Script>) {
    let inside = Arc::new(Script::default());
    let boot = json!({"at": "Installer", "id": "b"});
    inside.answer(Ok(boot));
    for _ in 0..5 {
        inside.answer(Err(Fault::unreachable("inside.ssh", "host1001", "in POST")));
    }
    inside.answer(then);
    let setup = Setup::with(|gate| {
        let state = gate.state.get_mut().unwrap();
        state.providers.add(("inside", inside.clone()));
        state.providers.add(("agent", Arc::new(Script::default())));
        state.ledger_mut().snapshot = Some(snapshot("S1"));
    });
    let seen = setup.gate.call_by_guest(WAIT, wait_arguments()).await;
    assert_eq!(seen.unwrap().unwrap()["id"], "b");
    (setup, inside)
}

#[tokio::test]
async fn a_boot_that_is_over_before_it_was_compared_is_left_to_the_next_answer() {
    let (setup, inside) = unidentified(Ok(json!({"serial": "S2"}))).await;
    let warned =
        setup.log.entries().into_iter().any(
            |entry| matches!(entry.record, Record::Log { text, .. } if text.contains("in POST")),
        );
    assert!(warned);
    // No agent is run on it before it is compared.
    let request = &agent::functions::request;
    let stop = setup.gate.call_by_guest(request, json!({})).await;
    let stop = stop.unwrap_err();
    assert!(matches!(stop, Stop::WrongMachine(_)), "{stop}");
    assert_eq!(inside.called().last().unwrap(), "inside.get-machine");
}
