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
    json!({"manufacturer": null, "product": null, "serial": serial, "guid": null, "firmware": null, "extra": []})
}

fn with_inventory(device: Value) -> Setup {
    Setup::with(|course| {
        let inventory = Arc::new(Script::default());
        inventory.reads("get-device", Ok(device));
        let state = course.state.get_mut().unwrap();
        state.providers.add(("netbox", inventory));
        state.allowed = false;
        state.is_fresh = false;
    })
}

#[tokio::test]
async fn a_protected_host_is_refused() {
    let setup = with_inventory(device(&["db", "protected"], "S1"));
    let stop = setup
        .course
        .call(PUBLISH, json!({}), Origin::Guest)
        .await
        .unwrap_err();
    assert!(
        matches!(&stop, Stop::Refused(why) if why.contains("protected")),
        "{stop}"
    );
    assert!(setup.dhcp.called().is_empty());
}

#[tokio::test]
async fn a_bmc_of_another_machine_stops_the_run_and_both_are_named() {
    let setup = with_inventory(device(&[], "S1"));
    setup.ipmi.reads("get-device-info", Ok(info("S2")));
    let stop = setup
        .course
        .call(PUBLISH, json!({}), Origin::Guest)
        .await
        .unwrap_err();
    assert!(
        matches!(&stop, Stop::WrongMachine(why) if why.contains("S1") && why.contains("S2")),
        "{stop}"
    );
    assert!(setup.dhcp.called().is_empty());
}

#[tokio::test]
async fn an_installer_on_another_machine_is_not_believed() {
    let remote = Arc::new(Script::default());
    let boot = json!({"identity": "Installer", "boot_id": "b", "kernel_command_line": "", "uptime_ms": 1, "extra": []});
    remote.answer(Ok(boot));
    remote.answer(Ok(json!({"serial": "S2", "machine_uuid": null})));
    let setup = Setup::with(|course| {
        let state = course.state.get_mut().unwrap();
        state.providers.add(("remote", remote));
        state.snapshot = Some(snapshot("S1"));
    });
    let stop = setup
        .course
        .call(WAIT, patience(), Origin::Guest)
        .await
        .unwrap_err();
    assert!(
        matches!(&stop, Stop::WrongMachine(why) if why.contains("S1") && why.contains("S2")),
        "{stop}"
    );
}

#[tokio::test]
async fn a_machine_is_compared_before_it_is_changed_from_inside() {
    let remote = Arc::new(Script::default());
    remote.answer(Ok(json!({"serial": "S2", "machine_uuid": null})));
    let setup = Setup::with(|course| {
        let state = course.state.get_mut().unwrap();
        state.providers.add(("remote", remote.clone()));
        state.snapshot = Some(snapshot("S1"));
    });
    let reboot = &remote::functions::reboot;
    let stop = setup
        .course
        .call(reboot, json!({"at": "Installer"}), Origin::Guest)
        .await
        .unwrap_err();
    assert!(matches!(stop, Stop::WrongMachine(_)), "{stop}");
    assert_eq!(remote.called(), ["remote.get-dmi"]);
}

/// A run that has waited for a boot at the installer identity, of which nothing can be asked any more.
async fn unidentified(then: Result<Value, Fault>) -> (Setup, Arc<Script>) {
    let remote = Arc::new(Script::default());
    let boot = json!({"identity": "Installer", "boot_id": "b", "kernel_command_line": "", "uptime_ms": 1, "extra": []});
    remote.answer(Ok(boot));
    for _ in 0..5 {
        remote.answer(Err(Fault::unreachable("remote.ssh", "host1001", "in POST")));
    }
    remote.answer(then);
    let setup = Setup::with(|course| {
        let state = course.state.get_mut().unwrap();
        state.providers.add(("remote", remote.clone()));
        state.providers.add(("puppet", Arc::new(Script::default())));
        state.snapshot = Some(snapshot("S1"));
    });
    let seen = setup.course.call(WAIT, patience(), Origin::Guest).await;
    assert_eq!(seen.unwrap().unwrap()["boot_id"], "b");
    (setup, remote)
}

#[tokio::test]
async fn a_boot_that_is_over_before_it_was_compared_is_left_to_the_next_answer() {
    let (setup, remote) = unidentified(Ok(json!({"serial": "S2", "machine_uuid": null}))).await;
    let warned =
        setup.log.entries().into_iter().any(
            |entry| matches!(entry.record, Record::Log { text, .. } if text.contains("in POST")),
        );
    assert!(warned);
    // No agent is run on it before it is compared.
    let request = &wreimage_capability::puppet::functions::request_certificate;
    let stop = setup.course.call(request, json!({}), Origin::Guest).await;
    let stop = stop.unwrap_err();
    assert!(matches!(stop, Stop::WrongMachine(_)), "{stop}");
    assert_eq!(remote.called().last().unwrap(), "remote.get-dmi");
}
