//! The machine from inside, and what is said of calls whose outcome was lost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{At, Run, happened, said};
use serde_json::{Value, json};
use wreimage_capability::ipmi::PowerAction;
use wreimage_capability::{Fault, FaultKind, Polled, Reconciled};
use wreimage_lab::{Lab, Pace, World};

fn lab() -> Lab {
    Lab::new(World::builtin().unwrap(), Pace::Full)
}

fn is(fault: &Fault, kind: FaultKind, code: &str) {
    assert_eq!(
        (&fault.kind, fault.code.as_str()),
        (&kind, code),
        "{}",
        fault.message
    );
}

/// Every stage of a reinstallation, and whom it lets in.
#[tokio::test]
async fn identities_at_each_stage() {
    let lab = lab();
    let run = Run::of(&lab, "host1001");
    let old = run.boot_id(At::Production).await.unwrap();
    is(
        &run.boot_id(At::Installer).await.unwrap_err(),
        FaultKind::Denied,
        "remote.auth-refused",
    );
    run.restart_into_installer("bullseye").await;
    let at = async |seconds: u64, why: &str| {
        run.sleep(seconds - run.at()).await;
        let Polled::Pending { why: seen, .. } = run.look(Some(&old)).await else {
            panic!("it answers after {seconds} s")
        };
        assert_eq!(seen, why);
    };
    at(1, "no answer (in POST)").await;
    is(
        &run.boot_id(At::Production).await.unwrap_err(),
        FaultKind::Unreachable,
        "remote.unreachable",
    );
    at(
        91,
        "no answer (loading bullseye-installer from the network)",
    )
    .await;
    at(121, "no answer (the installer is starting)").await;
    at(158, "connection refused (the installer is starting)").await;
    is(
        &run.boot_id(At::Installer).await.unwrap_err(),
        FaultKind::Unreachable,
        "remote.refused",
    );
    run.sleep(160 - run.at()).await;
    let installer = run.boot_id(At::Installer).await.unwrap();
    is(
        &run.boot_id(At::Production).await.unwrap_err(),
        FaultKind::Denied,
        "remote.host-key",
    );
    is(
        &run.release(At::Installer).await.unwrap_err(),
        FaultKind::NotFound,
        "remote.no-os-release",
    );

    run.sleep(720).await;
    is(
        &run.boot_id(At::Installer).await.unwrap_err(),
        FaultKind::Rejected,
        "remote.garbled",
    );
    let Polled::Pending { why, .. } = run.look(Some(&installer)).await else {
        panic!("it is up")
    };
    assert_eq!(why, "answers \"System is going down.\" (going down)");

    let system = run.next_boot(&installer).await;
    assert_eq!(system.identity, At::Installer, "not enrolled yet");
    is(
        &run.boot_id(At::Production).await.unwrap_err(),
        FaultKind::Denied,
        "remote.host-key",
    );
    lab.change(|world| world.enrol("host1001"));
    assert_eq!(run.boot_id(At::Production).await.unwrap(), system.boot_id);
    is(
        &run.boot_id(At::Installer).await.unwrap_err(),
        FaultKind::Denied,
        "remote.auth-refused",
    );
}

#[tokio::test]
async fn a_wait_without_a_boot_id_judges_by_the_uptime() {
    let lab = lab();
    let run = Run::of(&lab, "host1001");
    let Polled::Pending { why, .. } = run.look(None).await else {
        panic!("not a new boot")
    };
    assert_eq!(why, "up for 2592000 s, longer than the wait");
    run.call::<()>("remote.reboot", json!({ "at": "Production" }))
        .await
        .unwrap();
    let uptime = run
        .call::<u64>("remote.get-uptime", json!({ "at": "Production" }))
        .await
        .unwrap_err();
    is(&uptime, FaultKind::Rejected, "remote.garbled");
    run.sleep(8 + 90 + 45).await;
    let Polled::Ready(boot) = run.look(None).await else {
        panic!("no new boot")
    };
    assert_eq!(boot.uptime_ms, 45_000);
    assert_eq!(boot.identity, At::Production);
}

#[tokio::test]
async fn commands_change_and_tell_the_machine() {
    let lab = lab();
    let run = Run::of(&lab, "host1001");
    let command = async |argv: &[&str]| run.command(At::Production, argv).await.unwrap();
    assert_eq!(said(&command(&["true"]).await), (0, "", ""));
    assert_eq!(said(&command(&["false"]).await).0, 1);
    let file = command(&["cat", "/etc/os-release"]).await;
    assert!(said(&file).1.contains("VERSION_CODENAME=buster\n"));
    assert_eq!(
        said(&command(&["systemctl", "is-enabled", "x.service"]).await),
        (0, "enabled\n", "")
    );
    command(&["systemctl", "mask", "x.service"]).await;
    assert_eq!(
        said(&command(&["systemctl", "is-enabled", "x.service"]).await),
        (1, "masked\n", "")
    );
    command(&["systemctl", "unmask", "x.service"]).await;
    assert_eq!(
        said(&command(&["systemctl", "is-enabled", "x.service"]).await).0,
        0
    );
    assert_eq!(
        said(&command(&["frobnicate"]).await),
        (127, "", "frobnicate: command not found\n")
    );
    assert_eq!(said(&command(&["systemctl", "mask", "--now"]).await).0, 127);
    let fault = run.command(At::Production, &[]).await.unwrap_err();
    is(&fault, FaultKind::Rejected, "remote.no-command");
    is(
        &run.command(At::Installer, &["true"]).await.unwrap_err(),
        FaultKind::Denied,
        "remote.auth-refused",
    );
    command(&["reboot"]).await;
    assert!(happened(&lab, "host1001", "goes down for a restart"));
}

#[tokio::test]
async fn a_repeated_command_finds_its_first_result() {
    let lab = lab();
    let run = Run::of(&lab, "host1001");
    let call = run.call_number();
    let arguments =
        json!({ "at": "Production", "command": { "argv": ["uname", "-r"], "timeout_ms": 1 } });
    let first = run
        .perform(&call, "remote.run", arguments.clone())
        .await
        .unwrap();
    let again = run.perform(&call, "remote.run", arguments).await.unwrap();
    assert_eq!(first, again);
    let runs = common::history(&lab, "host1001").len();
    assert_eq!(runs, 1);
}

#[tokio::test]
async fn a_lost_power_command_is_reconciled() {
    let lab = lab();
    let run = Run::of(&lab, "host1001");
    let call = run.call_number();
    let arguments = json!({ "action": "Cycle" });
    let witness = run
        .witness(&call, "ipmi.set-power", &arguments)
        .await
        .unwrap();
    assert_eq!(
        run.reconcile(&call, "ipmi.set-power", &arguments, &witness)
            .await,
        Reconciled::DidNot
    );
    run.perform(&call, "ipmi.set-power", arguments.clone())
        .await
        .unwrap();
    assert_eq!(
        run.reconcile(&call, "ipmi.set-power", &arguments, &witness)
            .await,
        Reconciled::happened()
    );
    // A restart by its own system is no power cycle.
    run.sleep(200).await;
    let witness = run
        .witness(&call, "ipmi.set-power", &arguments)
        .await
        .unwrap();
    run.call::<()>("remote.reboot", json!({ "at": "Production" }))
        .await
        .unwrap();
    run.sleep(20).await;
    let verdict = run
        .reconcile(&call, "ipmi.set-power", &arguments, &witness)
        .await;
    assert!(matches!(verdict, Reconciled::Unknown(_)), "{verdict:?}");
    let verdict = run
        .reconcile(&call, "ipmi.set-power", &arguments, &Value::Null)
        .await;
    assert!(matches!(verdict, Reconciled::Unknown(_)), "{verdict:?}");
}

#[tokio::test]
async fn a_lost_reboot_is_reconciled_at_every_moment() {
    let lab = lab();
    let run = Run::of(&lab, "host1001");
    let call = run.call_number();
    let arguments = json!({ "at": "Production" });
    let witness = run
        .witness(&call, "remote.reboot", &arguments)
        .await
        .unwrap();
    assert_eq!(
        run.reconcile(&call, "remote.reboot", &arguments, &witness)
            .await,
        Reconciled::DidNot
    );
    run.perform(&call, "remote.reboot", arguments.clone())
        .await
        .unwrap();
    for _ in 0..40 {
        let verdict = run
            .reconcile(&call, "remote.reboot", &arguments, &witness)
            .await;
        assert_eq!(verdict, Reconciled::happened(), "after {} s", run.at());
        run.sleep(5).await;
    }
    let witness = run
        .witness(&call, "remote.reboot", &arguments)
        .await
        .unwrap();
    run.power(PowerAction::Cycle).await.unwrap();
    let verdict = run
        .reconcile(&call, "remote.reboot", &arguments, &witness)
        .await;
    assert!(matches!(verdict, Reconciled::Unknown(_)), "{verdict:?}");
}

#[tokio::test]
async fn a_lost_command_is_reconciled() {
    let lab = lab();
    let run = Run::of(&lab, "host1001");
    let call = run.call_number();
    let arguments = json!({ "at": "Production", "command": { "argv": ["true"], "timeout_ms": 1 } });
    let witness = run.witness(&call, "remote.run", &arguments).await.unwrap();
    assert_eq!(
        run.reconcile(&call, "remote.run", &arguments, &witness)
            .await,
        Reconciled::DidNot
    );
    let Polled::Ready(result) = run
        .perform(&call, "remote.run", arguments.clone())
        .await
        .unwrap()
    else {
        panic!("pending")
    };
    assert_eq!(
        run.reconcile(&call, "remote.run", &arguments, &witness)
            .await,
        Reconciled::Happened(result)
    );
    run.power(PowerAction::Cycle).await.unwrap();
    for _ in 0..2 {
        let verdict = run
            .reconcile(&call, "remote.run", &arguments, &witness)
            .await;
        assert!(matches!(verdict, Reconciled::Unknown(_)), "{verdict:?}");
        run.sleep(300).await;
    }
}
