//! Services in rehearsals: what was read holds, what was not is healthy and marked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{At, NONE, Run, builtin, named};
use serde_json::{Value, json};
use wreimage_capability::Function;
use wreimage_capability::conftool::PoolObject;
use wreimage_capability::icinga::Status;
use wreimage_lab::Lab;

async fn twin(host: &str, names: &[&str]) -> (Lab, Vec<(&'static Function, Value, Value)>) {
    let lab = builtin();
    let run = Run::named(&lab, host, "run", Some("T12345"));
    let mut reads = Vec::new();
    for name in names {
        if let Ok(outcome) = run.call::<Value>(name, NONE()).await {
            reads.push((named(name), NONE(), outcome));
        }
    }
    let start = "2026-03-01T12:00:00Z".parse().unwrap();
    (Lab::twin("lab1", host, &reads, start), reads)
}

const READS: [&str; 7] = [
    "netbox.get-device",
    "netbox.get-switch-port",
    "puppetdb.is-known",
    "puppet-ca.get-certificate",
    "icinga.get-status",
    "conftool.get-objects",
    "phabricator.get-task",
];

/// From the wiped machine to one that is in everything again.
async fn lives(run: &Run) {
    run.reinstall("bullseye").await;
    run.certify().await;
    assert!(run.agent("puppet.noop-run").await.unwrap().succeeded);
    let resource = json!({ "resource_type": "Nagios_host" });
    let _: () = run
        .until("puppetdb.wait-for-resource", resource)
        .await
        .unwrap();
    run.agent("puppet.run-on-monitoring").await.unwrap();
    let _: Status = run.until("icinga.wait-until-known", NONE()).await.unwrap();
    assert!(run.agent("puppet.first-run").await.unwrap().succeeded);
    run.agent("puppet.run-on-controller").await.unwrap();
    run.boot_id(At::Production).await.unwrap();
    let _: Status = run
        .until("icinga.wait-until-optimal", NONE())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_twin_answers_what_the_services_told_and_goes_on_to_the_end() {
    for host in ["host1001", "host1002", "host1004"] {
        let (lab, reads) = twin(host, &READS).await;
        let run = Run::named(&lab, host, "run", Some("T12345"));
        for (function, arguments, outcome) in &reads {
            let answer: Value = run
                .call(&function.to_string(), arguments.clone())
                .await
                .unwrap();
            assert_eq!(&answer, outcome, "{host} {function}");
        }
        let heard = std::mem::take(&mut *run.heard.0.lock().unwrap());
        assert!(heard.is_empty(), "{heard:?}");
        let _: Value = run.call("puppetdb.deactivate", NONE()).await.unwrap();
        lives(&run).await;
        let heard = run.heard.0.lock().unwrap();
        assert!(
            heard.iter().any(|why| why.contains("first Puppet run")),
            "{heard:?}"
        );
    }
}

#[tokio::test]
async fn what_no_service_told_is_healthy_and_marked() {
    let (lab, _) = twin("x1", &[]).await;
    let run = Run::named(&lab, "x1", "run", Some("T1"));
    let heard = || std::mem::take(&mut *run.heard.0.lock().unwrap());
    assert!(run.call::<bool>("puppetdb.is-known", NONE()).await.unwrap());
    assert_eq!(heard(), ["whether PuppetDB knows the host"]);
    let status: Status = run.call("icinga.get-status", NONE()).await.unwrap();
    assert!(status.optimal);
    assert_eq!(heard().len(), 1);
    let _: Value = run.call("phabricator.get-task", NONE()).await.unwrap();
    assert_eq!(heard().len(), 1);
    let before: Vec<PoolObject> = run
        .call("conftool.set-pooled", json!({ "value": "no" }))
        .await
        .unwrap();
    assert!(before.is_empty());
    assert_eq!(heard().len(), 1);
    assert!(run.call::<bool>("debmonitor.remove", NONE()).await.unwrap());
    assert_eq!(heard().len(), 1);
}
