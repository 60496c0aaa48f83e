//! Each option of the runbook, whole runs: what it drops, adds or moves can be read in the snapshots beside the page.
#![allow(clippy::unwrap_used, clippy::panic)]

use wreimage_runbook_tests::{Case, Done};

/// Keeps the run under this name.
#[track_caller]
fn keep(name: &str, case: &Case) -> Done {
    let done = case.run();
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, done.told()));
    done.is_safe();
    done
}

fn host1001() -> Case {
    Case::of("host1001")
}

/// Every option set whose runs are kept; a rehearsal of each makes the same changes.
fn option_sets() -> Vec<(&'static str, Case)> {
    vec![
        ("default", host1001()),
        ("task", host1001().with("task", "T12345")),
        ("conftool", host1001().and("conftool")),
        (
            "conftool-value",
            host1001().and("conftool").with("conftool-value", "no"),
        ),
        ("httpbb", host1001().and("httpbb")),
        ("new", Case::of("host1002").and("new")),
        ("no-downtime", host1001().and("no-downtime")),
        ("mask", host1001().with("mask", "nginx,apache2.service")),
        ("no-check-icinga", host1001().and("no-check-icinga")),
        (
            "pxe-media",
            host1001()
                .in_world("media = [\"installer\", \"rescue\"]")
                .with("pxe-media", "rescue"),
        ),
        ("force", host1001().and("force")),
        ("no-pxe", host1001().with("os", "buster").and("no-pxe")),
        ("powered-off", Case::of("host1003")),
        ("override-kept", Case::of("host1004")),
        ("uefi", Case::of("host1005")),
        (
            "task-conftool-httpbb",
            host1001()
                .with("task", "T12345")
                .and("conftool")
                .and("httpbb"),
        ),
        (
            "new-with-task-and-conftool",
            Case::of("host1002")
                .and("new")
                .and("conftool")
                .with("task", "T12345"),
        ),
        (
            "all",
            host1001()
                .with("task", "T12345")
                .and("conftool")
                .with("conftool-value", "no")
                .and("httpbb")
                .with("httpbb-suite", "appserver")
                .and("no-downtime")
                .with("mask", "nginx,apache2")
                .and("no-check-icinga")
                .and("force"),
        ),
    ]
}

#[test]
fn every_option_does_what_the_page_says() {
    for (name, case) in option_sets() {
        keep(name, &case);
    }
}

#[test]
fn a_rehearsal_walks_to_the_end_makes_the_same_changes_in_the_same_order_and_changes_nothing() {
    for (name, case) in option_sets() {
        let real = case.run();
        let lab = case.lab();
        let before = lab.save();
        let rehearsal = case.clone().rehearsed().run_in(&lab);
        assert_eq!(lab.save(), before, "{name} changed the world");
        assert!(!rehearsal.report.ending.touched, "{name}");
        assert!(
            rehearsal.report.ending.outcome.is_success(),
            "{name}: {}\n{}",
            rehearsal.report.ending.summary,
            rehearsal.told()
        );
        let steps = |done: &wreimage_runbook_tests::Done| {
            let steps = done.report.steps.iter();
            steps.map(|step| step.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(steps(&rehearsal), steps(&real), "{name}");
        assert_eq!(rehearsal.mutations(), real.mutations(), "{name}");
    }
}

#[test]
fn with_new_a_host_that_is_known_needs_a_decision() {
    keep("new-but-known", &host1001().and("new"));
}

#[test]
fn without_new_a_host_that_is_unknown_is_refused() {
    let done = Case::of("host1002").run();
    done.ends("refused", 40)
        .touched_nothing()
        .because(&["PuppetDB", "--new"]);
}

/// The page: a reimage that failed after the installation goes on with `--no-pxe`. PuppetDB knows the host again by then.
#[test]
fn after_a_failed_run_no_pxe_goes_on_with_the_system_that_was_installed() {
    let case = host1001().whose("puppet", "first-run-fails = 1");
    let lab = case.lab();
    let failed = case.clone().answered(&["abort"]).run_in(&lab);
    failed.ends("failed", 21).is_safe();
    let boots = lab.look(|world| world.counters("host1001").power_cycles);
    let again = case.and("no-pxe").run_in(&lab);
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("no-pxe-after-a-failed-run", again.told()));
    again.is_safe();
    assert_eq!(
        lab.look(|world| world.counters("host1001").power_cycles),
        boots
    );
}

#[test]
fn a_site_without_the_services_reimages_all_the_same() {
    let services = [
        "puppet",
        "puppet-ca",
        "puppetdb",
        "icinga",
        "alertmanager",
        "conftool",
        "debmonitor",
        "httpbb",
        "phabricator",
        "http",
    ];
    keep("without-services", &host1001().without(&services)).ends("success", 0);
    for service in services {
        // Without a certificate an agent of the lab gets no catalogue.
        let absent: &[&str] = match service {
            "puppet-ca" => &["puppet-ca", "puppet"],
            _ => &[service],
        };
        let done = host1001().without(absent).run();
        assert!(
            done.report.ending.outcome.is_success(),
            "without {service}: {}",
            done.told()
        );
        done.is_safe();
    }
}
