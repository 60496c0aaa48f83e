//! A whole reimage, provider by provider, in the order of the runbook.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{At, Run, happened, history};
use serde_json::{Value, json};
use wreimage_capability::conftool::PoolObject;
use wreimage_capability::httpbb::Report;
use wreimage_capability::icinga::Status;
use wreimage_capability::netbox::{Device, DeviceStatus, ScriptEnd, ScriptResult};
use wreimage_capability::phabricator::Task;
use wreimage_capability::puppet_ca::Certificate;
use wreimage_lab::{Lab, Pace, World};

const NONE: fn() -> Value = || json!({});

/// Makes `host` forgotten by everything that knew it.
async fn forget(run: &Run) {
    assert!(
        run.call::<bool>("puppetdb.deactivate", NONE())
            .await
            .unwrap()
    );
    assert!(run.call::<bool>("puppet-ca.clean", NONE()).await.unwrap());
    assert!(run.call::<bool>("debmonitor.remove", NONE()).await.unwrap());
    assert!(!run.call::<bool>("debmonitor.remove", NONE()).await.unwrap());
}

/// From a fresh system to one that is in everything again.
async fn enrol(run: &Run) {
    let fingerprint: String = run
        .call("puppet.request-certificate", NONE())
        .await
        .unwrap();
    assert_eq!(fingerprint.len(), 32 * 3 - 1);
    let waits: String = run
        .until("puppet-ca.wait-for-request", NONE())
        .await
        .unwrap();
    assert_eq!(waits, fingerprint);
    let _: () = run
        .call("puppet-ca.sign", json!({ "fingerprint": fingerprint }))
        .await
        .unwrap();
    let held: Certificate = run.call("puppet-ca.get-certificate", NONE()).await.unwrap();
    assert_eq!(held, Certificate::Signed(fingerprint));

    assert!(run.agent("puppet.noop-run").await.unwrap().succeeded);
    let resource = json!({ "resource_type": "Nagios_host" });
    let _: () = run
        .until("puppetdb.wait-for-resource", resource)
        .await
        .unwrap();
    assert!(
        run.agent("puppet.run-on-monitoring")
            .await
            .unwrap()
            .succeeded
    );
    let _: Status = run.until("icinga.wait-until-known", NONE()).await.unwrap();
    let downtime = json!({ "duration_ms": 7_200_000, "reason": "Host reimage" });
    let _: () = run.call("icinga.set-downtime", downtime).await.unwrap();

    let before = run.at();
    assert!(run.agent("puppet.first-run").await.unwrap().succeeded);
    assert_eq!(run.at() - before, 2400, "forty minutes of lab time");
    assert_eq!(
        run.boot_id(At::Installer).await.unwrap_err().code,
        "remote.auth-refused"
    );
    assert_eq!(
        run.boot_id(At::Production).await.unwrap_err().code,
        "remote.host-key"
    );
    assert!(
        run.agent("puppet.run-on-controller")
            .await
            .unwrap()
            .succeeded
    );
    let boot = run.boot_id(At::Production).await.unwrap();
    let rebooted = wreimage_capability::to_millis(run.clock.now());
    let _: () = run
        .call("remote.reboot", json!({ "at": At::Production }))
        .await
        .unwrap();
    run.next_boot(&boot).await;
    let since = json!({ "at": At::Production, "since_ms": rebooted });
    let success: u64 = run.until("puppet.wait-for-success", since).await.unwrap();
    assert!(success > rebooted);
    let report: Report = run
        .call("httpbb.run-suite", json!({ "suite": "appserver" }))
        .await
        .unwrap();
    assert!(report.passed, "{report:?}");
    let _: () = run.call("icinga.recheck", NONE()).await.unwrap();
    let status: Status = run
        .until("icinga.wait-until-optimal", NONE())
        .await
        .unwrap();
    assert!(status.optimal && status.downtimed);
    assert!(
        run.call::<bool>("icinga.remove-downtime", NONE())
            .await
            .unwrap()
    );
    let script = json!({
        "name": "import_server_facts.ImportPuppetDB", "timeout": { "timeout_ms": 90_000 },
    });
    let result: ScriptResult = run.call("netbox.run-script", script).await.unwrap();
    assert_eq!(result.end, ScriptEnd::Completed);
    assert!(
        result.log.iter().all(|line| line.level != "failure"),
        "{:?}",
        result.log
    );
}

#[tokio::test]
async fn a_known_host_goes_through_its_whole_life() {
    let lab = Lab::new(World::builtin().unwrap(), Pace::Full);
    let run = Run::named(&lab, "host1001", "r1", Some("T12345"));
    let task: Task = run.call("phabricator.get-task", NONE()).await.unwrap();
    assert_eq!((task.id.as_str(), task.status.as_str()), ("T12345", "open"));
    let _: () = run
        .call("phabricator.comment", json!({ "text": "started" }))
        .await
        .unwrap();
    assert!(run.call::<bool>("puppetdb.is-known", NONE()).await.unwrap());
    let status: Status = run.call("icinga.get-status", NONE()).await.unwrap();
    assert!(status.optimal && !status.downtimed);
    let downtime = json!({ "duration_ms": 14_400_000, "reason": "Host reimage" });
    let _: () = run
        .call("icinga.set-downtime", downtime.clone())
        .await
        .unwrap();
    let silence: String = run.call("alertmanager.silence", downtime).await.unwrap();
    assert_eq!(silence.len(), 36);
    let before: Vec<PoolObject> = run
        .call("conftool.set-pooled", json!({ "value": "inactive" }))
        .await
        .unwrap();
    assert_eq!(before.len(), 2);
    assert!(before.iter().all(|object| object.pooled == "yes"));
    run.sleep(180).await;
    let _: () = run
        .call("puppet.disable", json!({ "reason": "Host reimage" }))
        .await
        .unwrap();
    forget(&run).await;
    run.reinstall("bullseye").await;
    enrol(&run).await;
    assert!(
        run.call::<bool>("alertmanager.expire", NONE())
            .await
            .unwrap()
    );
    let _: () = run
        .call("phabricator.comment", json!({ "text": "completed" }))
        .await
        .unwrap();
    lab.look(|world| {
        let texts: Vec<&str> = world
            .comments("T12345")
            .iter()
            .map(|c| c.text.as_str())
            .collect();
        assert_eq!(texts, ["started", "completed"]);
    });
    // Its own timer brings it back.
    run.sleep(3700).await;
    assert!(run.call::<bool>("debmonitor.remove", NONE()).await.unwrap());
    for text in [
        "is deactivated in PuppetDB",
        "its agent asks for a certificate",
        "its certificate is signed",
        "Nagios_host is in PuppetDB",
        "its first Puppet run has installed the production keys",
        "the controller learns its host key",
        "its timer reports to Debmonitor",
    ] {
        assert!(
            happened(&lab, "host1001", text),
            "{text}: {:#?}",
            history(&lab, "host1001")
        );
    }
}

#[tokio::test]
async fn a_new_host_goes_through_its_whole_life() {
    let lab = Lab::new(World::builtin().unwrap(), Pace::Full);
    let run = Run::named(&lab, "host1002", "r1", None);
    assert!(!run.call::<bool>("puppetdb.is-known", NONE()).await.unwrap());
    assert!(
        !run.call::<bool>("puppetdb.deactivate", NONE())
            .await
            .unwrap()
    );
    assert!(!run.call::<bool>("debmonitor.remove", NONE()).await.unwrap());
    assert!(!run.call::<bool>("puppet-ca.clean", NONE()).await.unwrap());
    let unknown = run
        .call::<Status>("icinga.get-status", NONE())
        .await
        .unwrap_err();
    assert_eq!(unknown.code, "icinga.unknown-host");
    let task = run
        .call::<Task>("phabricator.get-task", NONE())
        .await
        .unwrap_err();
    assert_eq!(task.code, "phabricator.no-task");
    run.reinstall("bookworm").await;
    enrol(&run).await;
    let active = json!({ "status": DeviceStatus::Active });
    let _: () = run.call("netbox.set-status", active).await.unwrap();
    let device: Device = run.call("netbox.get-device", NONE()).await.unwrap();
    assert_eq!(device.status, DeviceStatus::Active);
}
