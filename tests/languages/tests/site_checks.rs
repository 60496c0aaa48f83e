//! A site's component in Python, plugged into `reimage`: it looks at the RAID before anything is changed, and at the new system.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::Value;
use wreimage_language_tests::{Done, User, guest};

/// Reimages host1001 in the built-in world with these lines more about it.
fn reimage(user: &User, about: &str, more: &[&str]) -> Done {
    let builtin = user.wreimage(&["lab", "show"]).out;
    let machine = "[machine.host1001]\n";
    assert!(builtin.contains(machine));
    let path = user.home.path().join("world.toml");
    let world = builtin.replace(machine, &format!("{machine}{about}\n"));
    std::fs::write(&path, world).unwrap();
    let lab = format!("--lab={}", path.display());
    let (reimage, checks) = (guest("reimage"), guest("site-checks-python"));
    let fixed = [
        "run", &reimage, "--plug", &checks, &lab, "--host", "host1001", "--yes", "host1001",
        "--os", "bullseye", "--output", "json",
    ];
    user.wreimage(&[&fixed[..], more].concat())
}

fn called(events: &[Value], function: &str) -> usize {
    let is = |event: &&Value| event["event"] == "outcome" && event["function"] == function;
    events.iter().filter(is).count()
}

#[test]
fn a_broken_raid_ends_the_run_before_the_wipe_and_leaves_nothing() {
    let user = User::new();
    let done = reimage(&user, "raid = \"degraded\"", &[]);
    let done = done.ends_with(20, &["the RAID md0 of host1001 is degraded", "Replace it"]);
    let events = done.events();
    // It ran one command on the old system, under its own name, and that was all.
    for function in [
        "ipmi.set-power",
        "dhcp.publish",
        "icinga.set-downtime",
        "puppetdb.deactivate",
    ] {
        assert_eq!(called(&events, function), 0, "{function}");
    }
    let ran: Vec<&Value> = events
        .iter()
        .filter(|event| event["event"] == "outcome" && event["function"] == "remote.run")
        .collect();
    assert_eq!(ran.len(), 1);
    assert_eq!(ran[0]["component"], "site-checks-python");
    let ending = events.last().unwrap();
    assert_eq!(ending["left"], Value::Array(Vec::new()), "{ending}");
}

#[test]
fn a_unit_that_fails_in_the_new_system_is_told_and_fails_the_run() {
    let user = User::new();
    let done = reimage(&user, "failed-units = [\"nginx.service\"]", &[]);
    assert!([20, 21].contains(&done.code), "{}", done.said());
    let ending = done.events().pop().unwrap();
    let summary = ending["summary"].as_str().unwrap();
    assert!(
        summary.contains("units fail on host1001: nginx.service"),
        "{summary}"
    );
    // The runbook went on to its end all the same.
    assert_eq!(called(&done.events(), "netbox.run-script"), 1);
}

#[test]
fn a_healthy_host_passes_both() {
    let user = User::new();
    let done = reimage(&user, "", &[]).ends_with(0, &[]);
    let said = done.out;
    assert!(said.contains("all disks are in their arrays"), "{said}");
    assert!(said.contains("no unit fails"), "{said}");
}
