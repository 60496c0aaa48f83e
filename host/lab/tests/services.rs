//! What each service refuses while its cause is missing, and what goes wrong with the worlds made for it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{At, NONE, Run, builtin, edited, fresh, is, refuses, with_tables};
use serde_json::json;
use wreimage_capability::conftool::PoolObject;
use wreimage_capability::http::Response;
use wreimage_capability::httpbb::Report;
use wreimage_capability::icinga::{HostState, Status};
use wreimage_capability::netbox::{DeviceStatus, ScriptEnd, ScriptResult};
use wreimage_capability::{FaultKind, Reconciled};
use wreimage_lab::{Lab, Pace};

#[tokio::test]
async fn monitoring_learns_and_forgets_only_by_its_own_puppet() {
    let lab = builtin();
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

    let here = "[machine.host1002.netbox]\nstatus = \"planned\"";
    let world = edited(
        here,
        &format!("{here}\n\n[machine.host1002.icinga]\nnever-known = true"),
    );
    let lab = Lab::new(world, Pace::Full);
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
    let lab = builtin();
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
    assert_eq!(fault.message, "host up, not OK: RAID controller");
}

#[tokio::test]
async fn downtimes_and_silences_have_an_owner_and_an_end() {
    let lab = builtin();
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

    // What takes the place of another never ends earlier than that would have.
    for minutes in [4, 2] {
        let _: () = ours
            .call("icinga.set-downtime", for_a(minutes))
            .await
            .unwrap();
        let _: String = ours
            .call("alertmanager.silence", for_a(minutes))
            .await
            .unwrap();
    }
    ours.sleep(121).await;
    assert!(downtimed().await);
    for function in ["icinga.remove-downtime", "alertmanager.expire"] {
        assert!(
            ours.call::<bool>(function, NONE()).await.unwrap(),
            "{function}"
        );
    }

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
async fn pools_have_values_and_weights() {
    let lab = builtin();
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
    let lab = builtin();
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
    let lab = builtin();
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
        ("fails", ScriptEnd::Failed),
        ("errors", ScriptEnd::Errored),
        ("logs-failures", ScriptEnd::Completed),
        ("hangs", ScriptEnd::Running),
    ] {
        let lab = with_tables(&format!("[machine.host1001.netbox]\nscript = \"{script}\""));
        let run = Run::of(&lab, "host1001");
        let result: ScriptResult = run.call("netbox.run-script", import(90_000)).await.unwrap();
        let failed = result.log.iter().any(|line| line.level == "failure");
        assert_eq!((&result.end, failed), (&end, end != ScriptEnd::Running));
        assert_eq!(run.at(), if end == ScriptEnd::Running { 90 } else { 10 });
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
    let lab = builtin();
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
        let report: Report = Run::of(lab, host)
            .call("httpbb.run-suite", suite("appserver"))
            .await
            .unwrap();
        assert_eq!(report.passed, passes, "{report:?}");
    }
    let get = |endpoint: &str, path: &str| json!({ "endpoint": endpoint, "path": path });
    let health: Response = run.call("http.get", get("health", "/")).await.unwrap();
    assert_eq!(health.status, 200);
    let send = json!({ "endpoint": "echo", "method": "POST", "path": "/a", "body": "hello" });
    let echo: Response = run.call("http.send", send).await.unwrap();
    assert_eq!(echo.body, "hello");
    for (endpoint, path) in [("other", "/"), ("echo", "x"), ("echo", "/../x")] {
        is(
            &refuses(&run, "http.get", get(endpoint, path)).await,
            FaultKind::Denied,
            "http.not-allowed",
        );
    }
}
