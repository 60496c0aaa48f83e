//! What each service refuses while its cause is missing, and what goes wrong with the worlds made for it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{At, Run, edited};
use serde_json::{Value, json};
use wreimage_capability::conftool::PoolObject;
use wreimage_capability::icinga::{HostState, Status};
use wreimage_capability::netbox::{DeviceStatus, ScriptEnd, ScriptResult};
use wreimage_capability::puppet::AgentState;
use wreimage_capability::puppet_ca::Certificate;
use wreimage_capability::{Fault, FaultKind, Reconciled, to_millis};
use wreimage_lab::{Lab, Pace, World};

const NONE: fn() -> Value = || json!({});

fn lab() -> Lab {
    Lab::new(World::builtin().unwrap(), Pace::Full)
}

/// The built-in world with something added to a machine, or to a table.
fn with(after: &str, text: &str) -> Lab {
    Lab::new(edited(after, &format!("{after}\n{text}\n")), Pace::Full)
}

/// The built-in world with tables of `host1001`.
fn with_tables(text: &str) -> Lab {
    let here = "[[machine.host1001.conftool]]";
    Lab::new(edited(here, &format!("{text}\n\n{here}")), Pace::Full)
}

async fn refuses(run: &Run, name: &str, arguments: Value) -> Fault {
    run.call::<Value>(name, arguments).await.unwrap_err()
}

fn is(fault: &Fault, kind: FaultKind, code: &str) {
    assert_eq!(
        (&fault.kind, fault.code.as_str()),
        (&kind, code),
        "{}",
        fault.message
    );
}

/// A fresh system of `host1001`, forgotten by the authority and by PuppetDB.
async fn fresh(lab: &Lab) -> Run {
    let run = Run::of(lab, "host1001");
    let _: bool = run.call("puppet-ca.clean", NONE()).await.unwrap();
    let _: bool = run.call("puppetdb.deactivate", NONE()).await.unwrap();
    run.reinstall("bullseye").await;
    run
}

const RESOURCE: fn() -> Value = || json!({ "resource_type": "Nagios_host" });

#[tokio::test]
async fn the_authority_has_a_request_only_from_the_agent_and_only_one() {
    let lab = lab();
    let run = fresh(&lab).await;
    assert_eq!(
        run.pending("puppet-ca.wait-for-request", NONE()).await,
        "no request of host1001.lab1.test"
    );
    let sign = |fingerprint: &str| json!({ "fingerprint": fingerprint });
    is(
        &refuses(&run, "puppet-ca.sign", sign("AA:BB")).await,
        FaultKind::NotFound,
        "puppet-ca.no-request",
    );
    let first: String = run
        .call("puppet.request-certificate", NONE())
        .await
        .unwrap();
    let again = refuses(&run, "puppet.request-certificate", NONE()).await;
    is(&again, FaultKind::Rejected, "puppet.certificate-request");
    assert!(
        again
            .message
            .contains("Error: Could not request certificate"),
        "{}",
        again.message
    );
    // The agent has another key by now, and the authority the old request.
    let held: Certificate = run.call("puppet-ca.get-certificate", NONE()).await.unwrap();
    assert_eq!(held, Certificate::Requested(first.clone()));
    is(
        &refuses(&run, "puppet-ca.sign", sign("AA:BB")).await,
        FaultKind::Conflict,
        "puppet-ca.fingerprint",
    );
    let _: () = run.call("puppet-ca.sign", sign(&first)).await.unwrap();
    let _: () = run.call("puppet-ca.sign", sign(&first)).await.unwrap();
    let after = refuses(&run, "puppet.request-certificate", NONE()).await;
    assert!(
        after
            .message
            .contains("does not match the agent's private key"),
        "{}",
        after.message
    );
    let second = run.certify().await;
    assert_ne!(second, first);
}

#[tokio::test]
async fn a_stale_certificate_and_names_that_look_alike() {
    let lab = lab();
    let run = Run::of(&lab, "host1001");
    let held: Certificate = run.call("puppet-ca.get-certificate", NONE()).await.unwrap();
    assert!(matches!(held, Certificate::Signed(_)));
    run.reinstall("bullseye").await;
    let fault = refuses(&run, "puppet.request-certificate", NONE()).await;
    is(&fault, FaultKind::Rejected, "puppet.certificate-request");
    is(
        &refuses(
            &run,
            "puppet-ca.wait-for-request",
            json!({ "patience": { "deadline_ms": 1, "interval_ms": 1 } }),
        )
        .await,
        FaultKind::Conflict,
        "puppet-ca.already-signed",
    );
    // `xhost1001` has a certificate, `rhost1002` a request: neither is this host's.
    assert!(run.call::<bool>("puppet-ca.clean", NONE()).await.unwrap());
    assert!(!run.call::<bool>("puppet-ca.clean", NONE()).await.unwrap());
    let other = Run::of(&lab, "host1002");
    assert_eq!(
        other.pending("puppet-ca.wait-for-request", NONE()).await,
        "no request of host1002.lab1.test"
    );
}

#[tokio::test]
async fn a_request_of_somebody_else_is_not_signed() {
    let lab = with_tables("[machine.host1001.puppet]\nforged-request = true");
    let run = fresh(&lab).await;
    let ours: String = run
        .call("puppet.request-certificate", NONE())
        .await
        .unwrap();
    let there: String = run
        .until("puppet-ca.wait-for-request", NONE())
        .await
        .unwrap();
    assert_ne!(ours, there);
    is(
        &refuses(&run, "puppet-ca.sign", json!({ "fingerprint": ours })).await,
        FaultKind::Conflict,
        "puppet-ca.fingerprint",
    );
}

#[tokio::test]
async fn no_catalogue_without_a_certificate_and_no_resource_without_a_catalogue() {
    let lab = lab();
    let run = fresh(&lab).await;
    let compiled = run.agent("puppet.noop-run").await.unwrap();
    assert!(!compiled.succeeded && compiled.output_tail.contains("no certificate found"));
    let began = run.at();
    assert!(!run.agent("puppet.first-run").await.unwrap().succeeded);
    assert!(run.at() - began < 120, "it fails at once");
    run.sleep(3600).await;
    assert_eq!(
        run.pending("puppetdb.wait-for-resource", RESOURCE()).await,
        "PuppetDB does not know host1001"
    );
    run.certify().await;
    run.sleep(3600).await;
    assert!(!run.call::<bool>("puppetdb.is-known", NONE()).await.unwrap());
    assert!(run.agent("puppet.noop-run").await.unwrap().succeeded);
    assert!(run.call::<bool>("puppetdb.is-known", NONE()).await.unwrap());
    let fact: Option<String> = run
        .call("puppetdb.get-fact", json!({ "name": "lsbdistcodename" }))
        .await
        .unwrap();
    assert_eq!(fact.as_deref(), Some("\"bullseye\""));
    assert_eq!(
        run.pending("puppetdb.wait-for-resource", RESOURCE()).await,
        "no Nagios_host with the title host1001"
    );
    run.sleep(30).await;
    let _: () = run
        .until("puppetdb.wait-for-resource", RESOURCE())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_resource_that_never_appears_or_twice() {
    let lab = with_tables("[machine.host1001.puppetdb]\nresource = \"never\"");
    let run = fresh(&lab).await;
    run.certify().await;
    run.agent("puppet.noop-run").await.unwrap();
    let fault = run
        .until::<()>("puppetdb.wait-for-resource", RESOURCE())
        .await
        .unwrap_err();
    is(&fault, FaultKind::Timeout, "test");

    let lab = with_tables("[machine.host1001.puppetdb]\nresource = \"twice\"");
    let run = fresh(&lab).await;
    run.certify().await;
    run.agent("puppet.noop-run").await.unwrap();
    let fault = run
        .until::<()>("puppetdb.wait-for-resource", RESOURCE())
        .await
        .unwrap_err();
    is(&fault, FaultKind::Conflict, "puppetdb.several-resources");
}

#[tokio::test]
async fn monitoring_learns_and_forgets_only_by_its_own_puppet() {
    let lab = lab();
    let run = fresh(&lab).await;
    assert!(
        run.call::<Status>("icinga.get-status", NONE())
            .await
            .is_ok(),
        "known from before"
    );
    run.agent("puppet.run-on-monitoring").await.unwrap();
    is(
        &refuses(&run, "icinga.get-status", NONE()).await,
        FaultKind::NotFound,
        "icinga.unknown-host",
    );
    let downtime = json!({ "duration_ms": 60_000, "reason": "x" });
    is(
        &refuses(&run, "icinga.set-downtime", downtime).await,
        FaultKind::NotFound,
        "icinga.unknown-host",
    );
    run.certify().await;
    run.agent("puppet.noop-run").await.unwrap();
    run.sleep(60).await;
    assert_eq!(
        run.pending("icinga.wait-until-known", NONE()).await,
        "monitoring does not know host1001"
    );
    run.agent("puppet.run-on-monitoring").await.unwrap();
    let status: Status = run.until("icinga.wait-until-known", NONE()).await.unwrap();
    assert_eq!(
        (status.state, status.optimal),
        (HostState::Up, false),
        "no agent has succeeded"
    );
    assert_eq!(status.failed_services, ["puppet last run"]);

    let lab = with(
        "[machine.host1002.netbox]\nstatus = \"planned\"",
        "[machine.host1002.icinga]\nnever-known = true",
    );
    let hidden = Run::of(&lab, "host1002");
    hidden.reinstall("bullseye").await;
    hidden.certify().await;
    hidden.agent("puppet.noop-run").await.unwrap();
    hidden.sleep(60).await;
    hidden.agent("puppet.run-on-monitoring").await.unwrap();
    assert!(
        hidden
            .call::<Status>("icinga.get-status", NONE())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn checks_turn_green_at_their_own_pace_or_when_asked() {
    let lab = lab();
    let asks = Run::of(&lab, "host1001");
    let waits = Run::of(&lab, "host1004");
    let never = Run::of(&lab, "host1011");
    for run in [&asks, &waits, &never] {
        let _: () = run
            .call("remote.reboot", json!({ "at": At::Production }))
            .await
            .unwrap();
    }
    asks.sleep(20).await;
    let down: Status = asks.call("icinga.get-status", NONE()).await.unwrap();
    assert_eq!((down.state, down.optimal), (HostState::Down, false));
    // Shutdown, POST, boot, the agent's own run.
    asks.sleep(8 + 90 + 45 + 180 + 60 - 20).await;
    let _: () = asks.call("icinga.recheck", NONE()).await.unwrap();
    asks.sleep(10).await;
    let optimal = async |run: &Run| {
        run.call::<Status>("icinga.get-status", NONE())
            .await
            .unwrap()
            .optimal
    };
    assert!(optimal(&asks).await);
    assert!(!optimal(&waits).await);
    asks.sleep(79).await;
    assert!(!optimal(&waits).await);
    asks.sleep(1).await;
    assert!(optimal(&waits).await);
    let fault = never
        .until::<Status>("icinga.wait-until-optimal", NONE())
        .await
        .unwrap_err();
    assert_eq!(fault.message, "host HostState::Up, not OK: RAID controller");
}

#[tokio::test]
async fn downtimes_and_silences_have_an_owner_and_an_end() {
    let lab = lab();
    let ours = Run::named(&lab, "host1001", "ours", None);
    let theirs = Run::named(&lab, "host1001", "theirs", None);
    let for_a = |minutes: u64| json!({ "duration_ms": minutes * 60_000, "reason": "Host reimage" });
    let _: () = theirs.call("icinga.set-downtime", for_a(60)).await.unwrap();
    assert!(
        !ours
            .call::<bool>("icinga.remove-downtime", NONE())
            .await
            .unwrap()
    );
    let _: () = ours.call("icinga.set-downtime", for_a(2)).await.unwrap();
    assert!(
        ours.call::<bool>("icinga.remove-downtime", NONE())
            .await
            .unwrap()
    );
    assert!(
        !ours
            .call::<bool>("icinga.remove-downtime", NONE())
            .await
            .unwrap()
    );
    let downtimed = async || {
        ours.call::<Status>("icinga.get-status", NONE())
            .await
            .unwrap()
            .downtimed
    };
    assert!(downtimed().await, "theirs holds");
    ours.sleep(3600).await;
    assert!(!downtimed().await, "and runs out");
    assert!(
        !theirs
            .call::<bool>("icinga.remove-downtime", NONE())
            .await
            .unwrap()
    );

    let first: String = ours.call("alertmanager.silence", for_a(2)).await.unwrap();
    let second: String = ours.call("alertmanager.silence", for_a(2)).await.unwrap();
    assert_ne!(first, second);
    assert!(
        !theirs
            .call::<bool>("alertmanager.expire", NONE())
            .await
            .unwrap()
    );
    assert!(
        ours.call::<bool>("alertmanager.expire", NONE())
            .await
            .unwrap()
    );
    let _: String = ours.call("alertmanager.silence", for_a(2)).await.unwrap();
    ours.sleep(121).await;
    assert!(
        !ours
            .call::<bool>("alertmanager.expire", NONE())
            .await
            .unwrap()
    );

    for reason in ["", "a;b", "a\nb", &"x".repeat(10_000)] {
        let text = json!({ "duration_ms": 60_000, "reason": reason });
        is(
            &refuses(&ours, "icinga.set-downtime", text).await,
            FaultKind::Rejected,
            "icinga.bad-text",
        );
    }
    let lab = with_tables("[machine.host1001.icinga]\ndrops-downtimes = true");
    let run = Run::of(&lab, "host1001");
    is(
        &refuses(&run, "icinga.set-downtime", for_a(2)).await,
        FaultKind::Rejected,
        "icinga.downtime-not-held",
    );
}

#[tokio::test]
async fn a_disabled_agent_does_nothing_by_itself() {
    let lab = lab();
    let run = Run::named(&lab, "host1001", "ours", None);
    let other = Run::named(&lab, "host1001", "theirs", None);
    let at = json!({ "at": At::Production });
    let _: () = run
        .call("puppet.disable", json!({ "reason": "ours" }))
        .await
        .unwrap();
    let _: () = other
        .call("puppet.disable", json!({ "reason": "theirs" }))
        .await
        .unwrap();
    let state: AgentState = run.call("puppet.get-state", at.clone()).await.unwrap();
    assert_eq!(
        (state.enabled, state.reason.as_deref()),
        (false, Some("ours"))
    );
    is(
        &refuses(&other, "puppet.enable", NONE()).await,
        FaultKind::Conflict,
        "puppet.not-ours",
    );
    let skipped = run.agent("puppet.run").await.unwrap();
    assert!(!skipped.succeeded && skipped.output_tail.contains("administratively disabled"));
    let now = to_millis(run.clock.now());
    run.call::<bool>("puppetdb.deactivate", NONE())
        .await
        .unwrap();
    run.call::<bool>("debmonitor.remove", NONE()).await.unwrap();
    run.sleep(2 * 3600).await;
    assert!(!run.call::<bool>("puppetdb.is-known", NONE()).await.unwrap());
    assert!(!run.call::<bool>("debmonitor.remove", NONE()).await.unwrap());
    let since = json!({ "at": At::Production, "since_ms": now });
    run.pending("puppet.wait-for-success", since.clone()).await;
    let _: () = run.call("puppet.enable", NONE()).await.unwrap();
    let success: u64 = run.until("puppet.wait-for-success", since).await.unwrap();
    assert!(success > now + 2 * 3600 * 1000);
    run.sleep(3700).await;
    assert!(run.call::<bool>("puppetdb.is-known", NONE()).await.unwrap());
    assert!(run.call::<bool>("debmonitor.remove", NONE()).await.unwrap());

    let lab = with_tables("[machine.host1001.puppet]\ncannot-be-disabled = true");
    let run = Run::of(&lab, "host1001");
    is(
        &refuses(&run, "puppet.disable", json!({ "reason": "x" })).await,
        FaultKind::Timeout,
        "puppet.agent-runs",
    );
    let off = Run::of(&lab, "host1003");
    is(
        &refuses(&off, "puppet.disable", json!({ "reason": "x" })).await,
        FaultKind::Unreachable,
        "remote.unreachable",
    );
}

#[tokio::test]
async fn an_agent_that_may_run_brings_its_host_back() {
    let lab = lab();
    let run = Run::of(&lab, "host1001");
    assert!(
        run.call::<bool>("puppetdb.deactivate", NONE())
            .await
            .unwrap()
    );
    assert!(run.call::<bool>("debmonitor.remove", NONE()).await.unwrap());
    run.sleep(3700).await;
    assert!(run.call::<bool>("puppetdb.is-known", NONE()).await.unwrap());
    assert!(run.call::<bool>("debmonitor.remove", NONE()).await.unwrap());
    // Without its certificate it cannot.
    assert!(run.call::<bool>("puppet-ca.clean", NONE()).await.unwrap());
    assert!(
        run.call::<bool>("puppetdb.deactivate", NONE())
            .await
            .unwrap()
    );
    run.sleep(3700).await;
    assert!(!run.call::<bool>("puppetdb.is-known", NONE()).await.unwrap());
}

#[tokio::test]
async fn the_first_run_may_fail_once_or_always() {
    let lab = lab();
    for (host, tries) in [("host1007", 2), ("host1008", 5)] {
        let run = Run::of(&lab, host);
        run.reinstall("bullseye").await;
        run.certify().await;
        for n in 1..=tries {
            let ran = run.agent("puppet.first-run").await.unwrap();
            assert_eq!(ran.succeeded, host == "host1007" && n == 2, "{host} {n}");
            assert_eq!(ran.succeeded, ran.status == 0);
        }
    }
    assert!(
        Run::of(&lab, "host1008")
            .boot_id(At::Installer)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn the_controller_learns_a_key_only_after_the_first_run() {
    let lab = lab();
    let run = fresh(&lab).await;
    run.certify().await;
    run.agent("puppet.noop-run").await.unwrap();
    run.agent("puppet.run-on-controller").await.unwrap();
    let fault = run.boot_id(At::Production).await.unwrap_err();
    is(&fault, FaultKind::Denied, "remote.host-key");
    run.agent("puppet.first-run").await.unwrap();
    is(
        &run.boot_id(At::Production).await.unwrap_err(),
        FaultKind::Denied,
        "remote.host-key",
    );
    run.agent("puppet.run-on-controller").await.unwrap();
    run.boot_id(At::Production).await.unwrap();
}

#[tokio::test]
async fn a_lost_run_is_found_again_by_its_key() {
    let lab = lab();
    let run = Run::of(&lab, "host1001");
    run.reinstall("bullseye").await;
    run.certify().await;
    let call = run.call_number();
    let arguments = json!({ "timeout": { "timeout_ms": 10_800_000 } });
    let witness = run
        .witness(&call, "puppet.first-run", &arguments)
        .await
        .unwrap();
    let judge = async || {
        run.reconcile(&call, "puppet.first-run", &arguments, &witness)
            .await
    };
    assert_eq!(judge().await, Reconciled::DidNot);
    let short = json!({ "timeout": { "timeout_ms": 60_000 } });
    let fault = run
        .perform(&call, "puppet.first-run", short)
        .await
        .unwrap_err();
    is(&fault, FaultKind::Timeout, "puppet.timeout");
    assert!(
        matches!(judge().await, Reconciled::Unknown(_)),
        "it goes on"
    );
    // A world that is written out and read back in the middle of it goes on as well.
    let lab = Lab::new(World::restore(&lab.save()).unwrap(), Pace::Full);
    let run = Run::of(&lab, "host1001");
    let before = run.at();
    run.perform(&call, "puppet.first-run", arguments.clone())
        .await
        .unwrap();
    assert_eq!(run.at() - before, 2340);
    let verdict = run
        .reconcile(&call, "puppet.first-run", &arguments, &witness)
        .await;
    assert!(matches!(verdict, Reconciled::Happened(_)));
    assert!(run.boot_id(At::Installer).await.is_err());
}

#[tokio::test]
async fn a_machine_that_goes_down_takes_its_agent_with_it() {
    let lab = lab();
    let run = Run::of(&lab, "host1001");
    run.reinstall("bullseye").await;
    run.certify().await;
    let other = Run::named(&lab, "host1001", "other", None);
    let cut = async {
        other.sleep(600).await;
        other
            .power(wreimage_capability::ipmi::PowerAction::Cycle)
            .await
            .unwrap();
    };
    let (ran, ()) = tokio::join!(run.agent("puppet.first-run"), cut);
    is(
        &ran.unwrap_err(),
        FaultKind::InDoubt,
        "puppet.connection-lost",
    );
}

#[tokio::test]
async fn pools_have_values_and_weights() {
    let lab = lab();
    let run = Run::of(&lab, "host1001");
    let objects: Vec<PoolObject> = run.call("conftool.get-objects", NONE()).await.unwrap();
    let short: Vec<(&str, &str, u32)> = objects
        .iter()
        .map(|o| (o.service.as_str(), o.pooled.as_str(), o.weight))
        .collect();
    assert_eq!(short, [("apache2", "yes", 10), ("nginx", "yes", 30)]);
    let set = |value: &str| json!({ "value": value });
    is(
        &refuses(&run, "conftool.set-pooled", set("maybe")).await,
        FaultKind::Rejected,
        "conftool.bad-value",
    );
    let before: Vec<PoolObject> = run.call("conftool.set-pooled", set("no")).await.unwrap();
    assert_eq!(before, objects);
    let after: Vec<PoolObject> = run.call("conftool.get-objects", NONE()).await.unwrap();
    assert!(after.iter().all(|object| object.pooled == "no"));
    let none = Run::of(&lab, "host1004");
    is(
        &refuses(&none, "conftool.set-pooled", set("no")).await,
        FaultKind::NotFound,
        "conftool.no-objects",
    );
    let lab = Lab::new(edited("weight = 30", "weight = 0"), Pace::Full);
    let objects: Vec<PoolObject> = Run::of(&lab, "host1001")
        .call("conftool.get-objects", NONE())
        .await
        .unwrap();
    assert_eq!(objects.last().unwrap().weight, 0);
}

#[tokio::test]
async fn services_fail_as_their_world_says() {
    let lab = Lab::new(
        edited("errors = {}", "errors = { debmonitor = 2, puppetdb = 1 }"),
        Pace::Full,
    );
    let run = Run::of(&lab, "host1001");
    for _ in 0..2 {
        let fault = refuses(&run, "debmonitor.remove", NONE()).await;
        is(&fault, FaultKind::Unreachable, "debmonitor.server-error");
        assert!(fault.retryable);
    }
    assert!(run.call::<bool>("debmonitor.remove", NONE()).await.unwrap());
    assert!(refuses(&run, "puppetdb.is-known", NONE()).await.retryable);
    assert!(run.call::<bool>("puppetdb.is-known", NONE()).await.unwrap());

    let lab = Lab::new(
        edited("denied = []", "denied = [\"debmonitor\"]"),
        Pace::Full,
    );
    let fault = refuses(&Run::of(&lab, "host1001"), "debmonitor.remove", NONE()).await;
    is(&fault, FaultKind::Denied, "debmonitor.denied");
    assert!(!fault.retryable);

    let lab = Lab::new(
        edited(
            "unreachable = []",
            "unreachable = [\"phabricator\", \"puppet-ca\"]",
        ),
        Pace::Full,
    );
    let run = Run::named(&lab, "host1001", "run", Some("T12345"));
    is(
        &refuses(&run, "phabricator.comment", json!({ "text": "x" })).await,
        FaultKind::Unreachable,
        "phabricator.unreachable",
    );
    is(
        &refuses(&run, "puppet.request-certificate", NONE()).await,
        FaultKind::Rejected,
        "puppet.certificate-request",
    );
}

#[tokio::test]
async fn a_comment_is_made_once_and_known_again() {
    let lab = lab();
    let run = Run::named(&lab, "host1001", "r7", Some("T12345"));
    let call = run.call_number();
    let text = json!({ "text": "quotes ' \" ; $(x)\nand lines" });
    let witness = run
        .witness(&call, "phabricator.comment", &text)
        .await
        .unwrap();
    assert_eq!(
        run.reconcile(&call, "phabricator.comment", &text, &witness)
            .await,
        Reconciled::DidNot
    );
    for _ in 0..2 {
        run.perform(&call, "phabricator.comment", text.clone())
            .await
            .unwrap();
    }
    assert_eq!(
        run.reconcile(&call, "phabricator.comment", &text, &witness)
            .await,
        Reconciled::happened()
    );
    lab.look(|world| {
        let [comment] = world.comments("T12345") else {
            panic!("not one comment")
        };
        assert_eq!(
            (comment.marker.as_str(), comment.text.as_str()),
            ("r7/1", "quotes ' \" ; $(x)\nand lines")
        );
    });
    let unknown = Run::named(&lab, "host1001", "r8", Some("T99999"));
    for (name, arguments) in [
        ("phabricator.get-task", NONE()),
        ("phabricator.comment", text),
    ] {
        is(
            &refuses(&unknown, name, arguments).await,
            FaultKind::NotFound,
            "phabricator.no-task",
        );
    }
}

#[tokio::test]
async fn scripts_and_statuses_of_the_inventory() {
    let import = |timeout: u64| {
        json!({
            "name": "import_server_facts.ImportPuppetDB", "timeout": { "timeout_ms": timeout },
        })
    };
    let lab = lab();
    let run = Run::of(&lab, "host1002");
    is(
        &refuses(
            &run,
            "netbox.run-script",
            json!({ "name": "x.Y", "timeout": { "timeout_ms": 1 } }),
        )
        .await,
        FaultKind::Denied,
        "netbox.not-allowed",
    );
    let result: ScriptResult = run.call("netbox.run-script", import(60_000)).await.unwrap();
    assert_eq!((result.end, run.at()), (ScriptEnd::Completed, 10));
    let failures: Vec<_> = result
        .log
        .iter()
        .filter(|line| line.level == "failure")
        .collect();
    assert_eq!(failures.len(), 1, "PuppetDB has no facts");
    for (script, end) in [
        ("fails", Some(ScriptEnd::Failed)),
        ("errors", Some(ScriptEnd::Errored)),
        ("logs-failures", Some(ScriptEnd::Completed)),
        ("hangs", None),
    ] {
        let lab = with_tables(&format!("[machine.host1001.netbox]\nscript = \"{script}\""));
        let run = Run::of(&lab, "host1001");
        match (
            run.call::<ScriptResult>("netbox.run-script", import(90_000))
                .await,
            end,
        ) {
            (Ok(result), Some(end)) => {
                assert_eq!(result.end, end);
                assert!(result.log.iter().any(|line| line.level == "failure"));
            }
            (Err(fault), None) => {
                is(&fault, FaultKind::Timeout, "netbox.timeout");
                assert_eq!(run.at(), 90);
            }
            (other, _) => panic!("{script}: {other:?}"),
        }
    }
    let to = |status: DeviceStatus| json!({ "status": status });
    is(
        &refuses(&run, "netbox.set-status", to(DeviceStatus::Staged)).await,
        FaultKind::Conflict,
        "netbox.bad-transition",
    );
    let _: () = run
        .call("netbox.set-status", to(DeviceStatus::Active))
        .await
        .unwrap();
    let _: () = run
        .call("netbox.set-status", to(DeviceStatus::Active))
        .await
        .unwrap();
}

#[tokio::test]
async fn suites_and_endpoints() {
    let lab = lab();
    let suite = |name: &str| json!({ "suite": name });
    let run = Run::of(&lab, "host1001");
    is(
        &refuses(&run, "httpbb.run-suite", suite("nonsense")).await,
        FaultKind::NotFound,
        "httpbb.no-suite",
    );
    for (lab, host, passes) in [
        (&lab, "host1001", true),
        (&lab, "host1003", false),
        (
            &with_tables("[machine.host1001.httpbb]\nfails = true"),
            "host1001",
            false,
        ),
    ] {
        let report: Value = Run::of(lab, host)
            .call("httpbb.run-suite", suite("appserver"))
            .await
            .unwrap();
        assert_eq!(report["passed"], passes, "{report}");
    }
    let get = |endpoint: &str, path: &str| json!({ "endpoint": endpoint, "path": path });
    let health: Value = run.call("http.get", get("health", "/")).await.unwrap();
    assert_eq!(health["status"], 200);
    let send = json!({ "endpoint": "echo", "method": "POST", "path": "/a", "body": "hello" });
    let echo: Value = run.call("http.send", send).await.unwrap();
    assert_eq!(echo["body"], "hello");
    for (endpoint, path) in [("other", "/"), ("echo", "x"), ("echo", "/../x")] {
        is(
            &refuses(&run, "http.get", get(endpoint, path)).await,
            FaultKind::Denied,
            "http.not-allowed",
        );
    }
}
