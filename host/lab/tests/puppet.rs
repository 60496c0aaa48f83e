//! What Puppet's agents, authority and database do not do while a cause is missing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{At, NONE, Run, builtin, fresh, is, refuses, with_tables};
use serde_json::{Value, json};
use wreimage_capability::puppet::AgentState;
use wreimage_capability::puppet_ca::Certificate;
use wreimage_capability::{FaultKind, Reconciled, to_millis};
use wreimage_lab::{Lab, Pace, World};

const RESOURCE: fn() -> Value = || json!({ "resource_type": "Nagios_host" });

#[tokio::test]
async fn the_authority_has_a_request_only_from_the_agent_and_only_one() {
    let lab = builtin();
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
    let lab = builtin();
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
            json!({ "policy": { "deadline_ms": 1, "interval_ms": 1 } }),
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
    let lab = builtin();
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
async fn a_disabled_agent_does_nothing_by_itself() {
    let lab = builtin();
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
    let lab = builtin();
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
    let lab = builtin();
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
    let lab = builtin();
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
    let lab = builtin();
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
    let lab = builtin();
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
