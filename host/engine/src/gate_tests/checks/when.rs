//! When the host is checked, and that what was checked is used.

use super::*;

#[tokio::test]
async fn one_check_serves_several_changes_and_each_restart_has_its_own() {
    let host = host();
    host.ok(PUBLISH).await;
    host.ok(SET_BOOT).await;
    assert_eq!(host.checks().len(), 1);
    host.ok(SET_POWER).await;
    host.ok(SET_POWER).await;
    assert_eq!(host.checks().len(), 3);
    let first = &host.checks()[0];
    let serial = |it: &Option<wreimage_journal::Reported>| it.clone().unwrap().serial.unwrap();
    assert_eq!(serial(&first.bmc), "S1");
    assert_eq!(serial(&first.system), "S1");
    assert_eq!(
        first.snapshot.as_ref().unwrap().device.fqdn,
        "host1001.lab1.test"
    );
}

#[tokio::test]
async fn what_was_checked_goes_with_the_call() {
    let host = host();
    let mut addressed = info("S1");
    addressed["address"] = json!("10.65.0.1");
    host.setup.board.reads("get-owner", Ok(addressed));
    host.ok(PUBLISH).await;
    // What changes after the check is not used.
    let mut moved = device(&[], "S1");
    moved["fqdn"] = json!("other.lab1.test");
    host.inventory.reads("get-host", Ok(moved));
    host.ok(WITHDRAW).await;
    let seen = host.setup.netboot.seen.lock().unwrap().clone().unwrap();
    let snapshot = seen.snapshot.unwrap();
    assert_eq!(snapshot.device.fqdn, "host1001.lab1.test");
    assert_eq!(
        snapshot.bmc_addresses,
        ["10.65.0.1".parse::<std::net::IpAddr>().unwrap()]
    );
}

#[tokio::test]
async fn before_the_first_check_the_inventory_is_read_once() {
    let host = host();
    host.ok(GET_PUBLISHED).await;
    host.ok(GET_PUBLISHED).await;
    let seen = host.setup.netboot.seen.lock().unwrap().clone().unwrap();
    assert_eq!(seen.snapshot.unwrap().device.name, "host1001");
    let read = |entry: &&Entry| matches!(&entry.record, Record::Outcome(it) if it.function == "register.get-host");
    assert_eq!(host.setup.log.entries().iter().filter(read).count(), 1);
}

#[tokio::test]
async fn a_process_that_goes_on_checks_before_its_first_change() {
    let first = host();
    first.ok(PUBLISH).await;
    let host = first.resumed(|_| {});
    host.replay(PUBLISH).await;
    host.ok(SET_BOOT).await;
    assert_eq!(host.checks().len(), 1);
}

#[tokio::test]
async fn after_an_answer_the_host_is_checked_again() {
    let host = host_with(|gate| {
        gate.operator = Arc::new(Answers(Mutex::new(["yes"].into())));
    });
    host.ok(PUBLISH).await;
    let question = json!({"question": "shall I?"});
    let confirm = &operator::functions::confirm;
    let asked = host.setup.gate.call_by_guest(confirm, question);
    asked.await.unwrap().unwrap();
    host.inventory
        .reads("get-host", Ok(device(&["protected"], "S1")));
    let stop = host.stopped(SET_BOOT).await;
    assert!(
        matches!(&stop, Stop::Refused(why) if !why.contains("Nothing was touched")),
        "{stop}"
    );
}

#[tokio::test]
async fn the_accepted_boot_goes_with_the_call_in_the_next_process_too() {
    let boot = json!({
        "at": "Installer", "id": "b1", "key": "SHA256:k1"
    });
    let first = host();
    first.ok(PUBLISH).await;
    first.setup.inside.answer(Ok(boot));
    first.setup.inside.answer(Ok(json!({"serial": "S1"})));
    let waited = first.setup.gate.call_by_guest(WAIT, wait_arguments());
    waited.await.unwrap().unwrap();
    let host = first.resumed(|_| {});
    host.setup.inside.answer(Ok(json!({"serial": "S1"})));
    host.replay(PUBLISH).await;
    let waited = host.setup.gate.call_by_guest(WAIT, wait_arguments());
    waited.await.unwrap().unwrap();
    let uptime = &inside::functions::get_uptime;
    let read = host
        .setup
        .gate
        .call_by_guest(uptime, json!({"at": "Production"}));
    read.await.unwrap().unwrap();
    let seen = host.setup.inside.seen.lock().unwrap().clone().unwrap();
    assert_eq!(seen.pinned.unwrap().host_key, "SHA256:k1");
}
