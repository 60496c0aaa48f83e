//! What goes wrong, and what the run leaves then: one test a way to fail, each with its end state.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::Value;
use wreimage_journal::{Level, RunOutcome};
use wreimage_runbook_tests::Case;

fn host1001() -> Case {
    Case::of("host1001")
}

const DISABLE: &str = "Disable Puppet";
const DEBMONITOR: &str = "Remove the host from Debmonitor";
const FIRST_RUN: &str = "Run Puppet for the first time";

#[test]
fn a_puppet_agent_that_cannot_be_disabled_is_a_warning() {
    let done = host1001()
        .whose("puppet", "cannot-be-disabled = true")
        .run();
    done.ends("warnings", 0)
        .has(DISABLE, Level::Warning, &[])
        .has(FIRST_RUN, Level::Success, &[])
        .is_safe();
}

#[test]
fn debmonitor_that_fails_twice_is_asked_a_third_time() {
    let done = host1001()
        .in_world("[services]\nerrors = { debmonitor = 2 }")
        .run();
    done.ends("success", 0).has(DEBMONITOR, Level::Success, &[]);
    assert_eq!(done.calls("debmonitor.remove"), 3);
}

#[test]
fn debmonitor_that_denies_is_asked_once_and_stops_the_run() {
    let done = host1001()
        .in_world("[services]\ndenied = [\"debmonitor\"]")
        .run();
    done.ends("failed", 21).because(&["403", "--new"]).is_safe();
    assert_eq!(done.calls("debmonitor.remove"), 1);
}

#[test]
fn a_dhcp_server_that_refuses_the_entry_stops_the_run_before_the_machine_is_touched() {
    let done = host1001()
        .in_world("[install-server]\nrejects = 1000")
        .run();
    done.ends("failed", 21).is_safe();
    assert_eq!(done.calls("ipmi.set-power"), 0);
    assert_eq!(done.machine().release(), Some("buster"));
}

#[test]
fn a_forced_network_boot_that_does_not_stick_is_forced_again() {
    for times in [1, 2] {
        let done = host1001()
            .whose("bmc", &format!("pxe-does-not-stick = {times}"))
            .run();
        done.ends("success", 0).is_safe();
        assert_eq!(done.calls("ipmi.set-boot-device"), times + 1);
    }
}

#[test]
fn a_network_boot_that_never_sticks_stops_the_run_before_the_power_cycle() {
    let done = host1001().whose("bmc", "pxe-does-not-stick = 1000").run();
    done.ends("failed", 21).is_safe();
    assert_eq!(done.calls("ipmi.set-power"), 0);
    assert_eq!(done.machine().release(), Some("buster"));
}

#[test]
fn a_machine_that_finds_no_entry_comes_back_with_its_data() {
    // The inventory has another port than the one where it is plugged in.
    let done = host1001()
        .whose(
            "netbox",
            "switch = { name = \"asw1-a-lab1\", port = \"ge-0/0/9\", vlan = \"private1-a-lab1\" }",
        )
        .run();
    done.ends("failed", 21).because(&["old", "data"]).is_safe();
    assert_eq!(done.machine().release(), Some("buster"));
}

#[test]
fn an_installer_that_never_comes_is_waited_for_and_its_console_named() {
    let done = host1001()
        .in_world("[times]\ninstaller-boot = \"24h\"")
        .run();
    // The agent of the old system could not be enabled again: nothing answers.
    done.ends("failed", 21).because(&["console"]).is_safe();
    assert!(done.report.ending.left[0].contains("Puppet agent"));
}

#[test]
fn at_a_deadline_the_operator_may_wait_on() {
    let done = host1001()
        .in_world("[times]\ninstallation = \"60min\"")
        .answered(&["wait"])
        .run();
    done.ends("warnings", 0).is_safe();
    assert_eq!(done.questions().len(), 1);
}

/// On UEFI the override is not touched while the installer runs, so a firmware that keeps it boots the installer again.
#[test]
fn a_machine_that_comes_back_into_the_installer_is_not_called_installed() {
    let done = Case::of("host1005")
        .whose("bmc", "keeps-override = true\nloses-boot-entry = false")
        .run();
    // That the override is left is said: to clear it now could lose the boot entry of the new system.
    done.ends("failed", 21)
        .because(&["installer"])
        .never("Mask");
    assert!(done.report.ending.left[0].contains("boot override"));
    assert_eq!(
        done.ask::<Value>("dhcp.get-published").unwrap(),
        Value::Null
    );
}

#[test]
fn no_pxe_with_another_release_than_the_one_asked_for_is_refused() {
    let done = host1001().and("no-pxe").run();
    done.ends("refused", 40)
        .touched_nothing()
        .because(&["bullseye", "buster"]);
}

#[test]
fn a_request_with_another_fingerprint_is_never_signed() {
    let done = host1001().whose("puppet", "forged-request = true").run();
    done.ends("failed", 21).because(&["fingerprint"]).is_safe();
    assert_eq!(done.calls("puppet-ca.sign"), 0);
    let held: Value = done.ask("puppet-ca.get-certificate").unwrap();
    assert!(held.get("Signed").is_none(), "{held}");
}

#[test]
fn a_stale_certificate_is_removed_before_the_new_one_is_asked_for() {
    let done = Case::of("host1002")
        .and("new")
        .whose("puppet", "certificate = \"signed\"")
        .run();
    done.ends("success", 0);
    let fingerprint = done.answers("puppet.request-certificate")[0]
        .1
        .clone()
        .unwrap();
    let held: Value = done.ask("puppet-ca.get-certificate").unwrap();
    assert_eq!(held["Signed"], fingerprint);
}

#[test]
fn names_that_look_like_the_host_keep_their_certificates() {
    let text = "[services]\ncertificates = [\"xhost1001.lab1.test\", \"host1001.lab1.test.example.test\"]\n\
                requests = [\"host1001xlab1.test\", \"host1001.lab1.test2\"]";
    let done = host1001().in_world(text).run();
    done.ends("success", 0);
    let state = done.lab.save();
    for name in [
        "xhost1001.lab1.test",
        "host1001.lab1.test.example.test",
        "host1001xlab1.test",
        "host1001.lab1.test2",
    ] {
        assert!(state.contains(name), "{name} is gone");
    }
}

#[test]
fn a_resource_that_never_appears_is_waited_for_and_named() {
    let done = host1001().whose("puppetdb", "resource = \"never\"").run();
    done.ends("failed", 21).because(&["Nagios_host"]).is_safe();
    done.never(FIRST_RUN);
}

#[test]
fn without_the_resource_the_operator_may_go_on_without_the_downtime() {
    let done = host1001()
        .whose("puppetdb", "resource = \"never\"")
        .answered(&["wait", "skip", "skip", "skip"])
        .run();
    assert!(done.report.ending.outcome.is_success(), "{}", done.told());
    done.is_safe();
}

#[test]
fn a_resource_that_appears_twice_is_said() {
    let done = host1001().whose("puppetdb", "resource = \"twice\"").run();
    done.has("Poll PuppetDB", Level::Failure, &["2"]).is_safe();
}

#[test]
fn a_host_that_monitoring_never_knows_gets_no_downtime_and_the_run_says_so() {
    let done = host1001().whose("icinga", "never-known = true").run();
    assert_ne!(
        done.report.ending.outcome,
        RunOutcome::Success,
        "{}",
        done.told()
    );
    done.is_safe();
}

#[test]
fn a_first_run_that_fails_once_is_tried_again() {
    let done = Case::of("host1007").answered(&["retry"]).run();
    done.ends("warnings", 0).is_safe();
    assert_eq!(done.calls("puppet.first-run"), 2);
    assert_eq!(done.questions().len(), 1);
}

#[test]
fn a_first_run_that_is_skipped_crashes_nothing_later() {
    let done = Case::of("host1008")
        .answered(&["skip", "skip", "skip", "skip", "skip", "skip", "skip"])
        .run();
    assert_ne!(
        done.report.ending.outcome,
        RunOutcome::Success,
        "{}",
        done.told()
    );
    assert!(!done.told().contains("panicked"), "{}", done.told());
    done.is_safe();
}

#[test]
fn a_first_run_that_is_aborted_ends_the_run() {
    let done = Case::of("host1008")
        .with("task", "T12345")
        .answered(&["retry", "abort"])
        .run();
    done.ends("failed", 21).is_safe();
    assert_eq!(done.calls("puppet.first-run"), 2);
    done.never("Reboot the new host");
    assert_eq!(done.comments().len(), 2, "{:?}", done.comments());
}

#[test]
fn without_a_terminal_a_first_run_that_fails_ends_the_run() {
    let done = Case::of("host1008").run();
    done.ends("failed", 21).is_safe();
    assert_eq!(done.calls("puppet.first-run"), 1);
}

#[test]
fn boot_parameters_that_are_not_normal_are_put_right() {
    let done = host1001().whose("bmc", "override-returns = 1").run();
    done.ends("warnings", 0)
        .has(
            "Ensure that no PXE boot override is left",
            Level::Warning,
            &["there again"],
        )
        .is_safe();
}

/// The next reboot would start the installer.
#[test]
fn boot_parameters_that_cannot_be_put_right_stop_the_run_before_the_reboot() {
    let done = Case::of("host1004")
        .whose("bmc", "does-not-clear = \"always\"")
        .run();
    done.ends("failed", 21)
        .because(&["installer", "by hand"])
        .never("Reboot the new host");
    assert!(
        done.report
            .ending
            .left
            .iter()
            .any(|it| it.contains("boot override")),
        "{:?}",
        done.report.ending.left
    );
}

#[test]
fn a_bmc_that_clears_at_the_second_try_is_told_twice() {
    let done = Case::of("host1004")
        .whose("bmc", "does-not-clear = 1")
        .run();
    done.ends("success", 0).is_safe();
}

#[test]
fn a_reboot_that_does_not_happen_is_not_called_one() {
    let done = host1001()
        .in_world("[machine.host1001]\nignores-restarts = \"always\"")
        .run();
    done.ends("failed", 21)
        .because(&["asked to reboot", "console"])
        .has("Poll until the new host is reachable", Level::Failure, &[])
        .never("Poll until a successful Puppet run")
        .is_safe();
}

#[test]
fn a_controller_that_does_not_learn_the_new_key_stops_before_the_reboot() {
    for (how, word) in [("fails", "exit status 1"), ("hangs", "did not end")] {
        let done = host1001()
            .in_world(&format!("[services]\ncontroller-puppet = \"{how}\""))
            .run();
        done.ends("failed", 21)
            .because(&[word])
            .never("Reboot the new host")
            .is_safe();
    }
}

#[test]
fn an_icinga_server_without_puppet_costs_the_downtime_and_says_so() {
    for how in ["fails", "hangs"] {
        let done = host1001()
            .in_world(&format!("[services]\nmonitoring-puppet = \"{how}\""))
            .run();
        done.has("Run Puppet on the Icinga server", Level::Warning, &[])
            .is_safe();
        assert_ne!(
            done.report.ending.outcome,
            RunOutcome::Success,
            "{}",
            done.told()
        );
    }
}

#[test]
fn an_inventory_that_cannot_be_read_stops_before_anything_is_touched() {
    for trouble in ["unreachable = [\"netbox\"]", "denied = [\"netbox\"]"] {
        host1001()
            .in_world(&format!("[services]\n{trouble}"))
            .run()
            .ends("refused", 40)
            .touched_nothing()
            .because(&["NetBox"]);
    }
    let done = host1001()
        .in_world("[services]\nerrors = { netbox = 2 }")
        .run();
    done.ends("success", 0);
}

/// A site without a certificate authority of its own signs by itself.
#[test]
fn without_a_puppet_ca_the_rest_goes_on() {
    for rehearsed in [false, true] {
        let case = host1001()
            .without(&["puppet-ca"])
            .in_world("[services]\nautosign = true");
        let done = if rehearsed { case.rehearsed() } else { case }.run();
        done.ends("success", 0)
            .has(FIRST_RUN, Level::Success, &[])
            .has("Sign the new certificate", Level::Skipped, &["puppet-ca"]);
    }
}

#[test]
fn httpbb_that_fails_is_a_warning() {
    let done = host1001()
        .and("httpbb")
        .whose("httpbb", "fails = true")
        .run();
    done.ends("warnings", 0)
        .has("Run Httpbb", Level::Warning, &[])
        .is_safe();
}

#[test]
fn a_suite_of_httpbb_that_does_not_exist_is_said() {
    let done = host1001()
        .and("httpbb")
        .with("httpbb-suite", "parsoid")
        .run();
    done.has("Run Httpbb", Level::Warning, &["parsoid"])
        .is_safe();
}

#[test]
fn a_host_that_is_never_optimal_keeps_its_downtime() {
    let done = Case::of("host1011").run();
    done.ends("warnings", 0)
        .has(
            "Remove the downtime",
            Level::Warning,
            &["not optimal", "they end by themselves at 12:00 UTC"],
        )
        .because(&["\"Remove the downtime", "not optimal"])
        .is_safe();
    assert_eq!(done.calls("icinga.remove-downtime"), 0);
}

/// Not to wait for a good result is no reason not to have the new system checked.
#[test]
fn without_a_look_at_icinga_everything_is_checked_all_the_same() {
    let done = host1001().and("no-check-icinga").run();
    done.ends("warnings", 0)
        .has("Force a recheck", Level::Success, &[])
        .has("Poll until the host status", Level::Skipped, &[])
        .has("Remove the downtime", Level::Warning, &["not checked"])
        .is_safe();
    assert_eq!(done.calls("icinga.recheck"), 1);
    assert_eq!(done.calls("icinga.wait-until-optimal"), 0);
    assert_eq!(done.calls("icinga.remove-downtime"), 0);
}

#[test]
fn a_status_that_cannot_be_asked_is_not_called_a_bad_one() {
    let done = host1001()
        .whose("icinga", "never-known = true")
        .answered(&["skip"])
        .run();
    done.ends("warnings", 0)
        .has(
            "Poll until the host status",
            Level::Warning,
            &["could not be asked"],
        )
        .has(
            "Remove the downtime",
            Level::Warning,
            &[
                "could not be asked",
                "silence",
                "it ends by itself at 12:00 UTC",
            ],
        )
        .is_safe();
}

/// The first run is stopped after it has set its downtime, and only it could remove that.
#[test]
fn a_downtime_that_an_earlier_run_has_left_is_said() {
    let case = host1001().whose("puppet", "first-run-fails = 1");
    let lab = case.lab();
    case.clone()
        .answered(&["abort"])
        .run_in(&lab)
        .ends("failed", 21);
    let again = case.and("no-pxe").run_in(&lab);
    again
        .ends("warnings", 0)
        .has(
            "Remove the downtime",
            Level::Warning,
            &[
                "the downtime is removed",
                "in the downtime of an earlier run",
                "silenced by an earlier run",
            ],
        )
        .is_safe();
    let commands = again.commands();
    assert!(commands[0].contains("[run-of-host1001]"), "{commands:?}");
    assert!(
        commands[1].starts_with("amtool silence expire "),
        "{commands:?}"
    );
    let status: Value = again.ask("icinga.get-status").unwrap();
    assert_eq!(status["downtimed"], true);
}

#[test]
fn an_import_that_fails_or_hangs_is_a_failure_after_which_the_rest_is_done() {
    for how in ["fails", "errors", "hangs"] {
        let done = host1001()
            .whose("netbox", &format!("script = \"{how}\""))
            .with("task", "T12345")
            .run();
        done.ends("failed", 21)
            .has(
                "Run the ImportPuppetDB",
                Level::Failure,
                &["try manually", "https://"],
            )
            .has("Set the Netbox status", Level::Skipped, &[])
            .is_safe();
        let last = done.comments().pop().unwrap();
        assert!(last.contains("executed with errors"), "{last}");
        assert_eq!(done.commands(), Vec::<String>::new());
    }
}

#[test]
fn an_import_that_logs_failures_is_a_warning_with_its_lines() {
    let done = host1001()
        .whose("netbox", "script = \"logs-failures\"")
        .run();
    done.ends("warnings", 0)
        .has(
            "Run the ImportPuppetDB",
            Level::Warning,
            &["no LLDP neighbour"],
        )
        .is_safe();
}

#[test]
fn a_task_that_does_not_exist_is_refused() {
    let done = host1001().with("task", "T99999").run();
    done.ends("refused", 40)
        .touched_nothing()
        .because(&["T99999", "--task"]);
}

#[test]
fn a_ticket_system_that_does_not_answer_stops_nothing() {
    for trouble in [
        "unreachable = [\"phabricator\"]",
        "errors = { phabricator = 1000 }",
    ] {
        let done = host1001()
            .with("task", "T12345")
            .in_world(&format!("[services]\n{trouble}"))
            .run();
        done.ends("warnings", 0).is_safe();
        assert!(done.comments().is_empty());
        assert_eq!(done.machine().release(), Some("bullseye"));
    }
}

#[test]
fn a_host_without_services_in_conftool_is_refused() {
    let done = Case::of("host1003").and("conftool").run();
    done.ends("refused", 40)
        .touched_nothing()
        .because(&["conftool"]);
}

#[test]
fn a_service_of_weight_zero_gets_a_reminder_that_says_so() {
    let text =
        "[[machine.host1001.conftool]]\ncluster = \"appserver\"\nservice = \"apache2\"\nweight = 0";
    let done = host1001().and("conftool").in_world(text).run();
    assert!(done.report.ending.outcome.is_success(), "{}", done.told());
    assert!(done.told().contains("weight 0"), "{}", done.told());
    done.is_safe();
}

#[test]
fn a_host_of_another_site_is_refused() {
    Case::of("host2001")
        .run()
        .ends("refused", 40)
        .touched_nothing();
}

/// Whatever words come from people, they stay words.
#[test]
fn hostile_words_change_no_command_and_no_comment_line() {
    let long = "x".repeat(10_000);
    for actor in [
        "a'; reboot #",
        "$(reboot)",
        "`id`\n[0] SCHEDULE_HOST_DOWNTIME;x",
        &long,
    ] {
        let done = host1001()
            .by(actor)
            .with("task", "T12345")
            .and("conftool")
            .run();
        // What was depooled is not repooled.
        done.ends("warnings", 0);
        for function in [
            "icinga.set-downtime",
            "alertmanager.silence",
            "puppet.disable",
        ] {
            for (arguments, _) in done.answers(function) {
                let reason = arguments["reason"].as_str().unwrap();
                assert!(reason.len() <= 120, "{reason}");
                assert!(
                    !reason.contains(['\'', '"', ';', '$', '`', '\n', '#']),
                    "{reason}"
                );
            }
        }
        for comment in done.comments() {
            assert!(comment.len() <= 12_000);
            assert!(!comment.contains("\n[0]"), "{comment}");
        }
    }
}

#[test]
fn another_release_than_the_one_asked_for_is_not_enrolled() {
    let done = host1001()
        .in_world("[install-server]\ninstalls = { bullseye = \"bookworm\" }")
        .run();
    done.ends("failed", 21)
        .because(&["bookworm", "bullseye"])
        .is_safe();
    assert_eq!(done.calls("puppet.request-certificate"), 0);
}

/// What a failed run leaves is said with the command that ends it, by the host and on the task.
#[test]
fn a_run_that_fails_half_way_says_how_to_go_on() {
    let done = host1001()
        .in_world("[install-server]\nrejects = 1000")
        .with("task", "T12345")
        .run();
    let commands = done.commands();
    assert!(
        commands
            .iter()
            .any(|it| it.contains("DEL_DOWNTIME_BY_HOST_NAME")),
        "{commands:?}"
    );
    assert!(
        commands
            .iter()
            .any(|it| it.ends_with("--os bullseye --new --task=T12345")),
        "{commands:?}"
    );
    let last = done.comments().pop().unwrap();
    assert!(last.contains("--new") && last.contains("FAIL"), "{last}");
}

/// The command to go on is the run that was asked for, from where it stopped; doubts are judged anew.
#[test]
fn the_command_to_go_on_has_the_options_of_the_run() {
    let done = host1001()
        .and("conftool")
        .with("mask", "nginx,apache2")
        .and("no-downtime")
        .and("force")
        .whose("puppet", "first-run-fails = 1")
        .answered(&["abort"])
        .run();
    done.ends("failed", 21).is_safe();
    let commands = done.commands();
    // The catalogue of the noop run has made it known to PuppetDB again.
    let go_on = "wreimage run reimage --host host1001 --os bullseye --no-pxe --conftool --no-downtime \
                 --mask=nginx,apache2";
    assert!(commands.iter().any(|it| it == go_on), "{commands:?}");
}

#[test]
fn a_fault_of_the_validation_is_called_a_refusal() {
    for case in [
        host1001().and("new"),
        host1001().and("no-pxe"),
        Case::of("host2001"),
    ] {
        let done = case.run();
        done.ends("refused", 40).touched_nothing();
        let told = done.told();
        assert!(told.contains("was refused; nothing was touched"), "{told}");
        assert!(!told.contains("has failed"), "{told}");
    }
}

#[test]
fn where_nobody_can_be_asked_the_safe_way_is_named() {
    let done = host1001().and("new").run();
    done.ends("refused", 40)
        .because(&["a person at a terminal", "Run again without --new."]);
    let summary = &done.report.ending.summary;
    assert!(!summary.contains("--force"), "{summary}");
}

/// A host that PuppetDB does not know is not depooled, even if conftool has it in service.
#[test]
fn a_new_host_that_serves_needs_a_decision() {
    let pooled = "[[machine.host1002.conftool]]\ncluster = \"appserver\"\nservice = \"apache2\"";
    let services = "Check that conftool has services";
    let case = Case::of("host1002")
        .and("new")
        .and("conftool")
        .in_world(pooled);
    case.run().ends("refused", 40).touched_nothing().because(&[
        "apache2",
        "--new does not depool",
        "set/pooled=inactive",
    ]);
    let decided = case.clone().answered(&["yes"]).run();
    decided
        .ends("warnings", 0)
        .has(services, Level::Warning, &["The operator decided to go on"])
        .is_safe();
    assert_eq!(decided.calls("conftool.set-pooled"), 0);
    let idle = format!("{pooled}\npooled = \"inactive\"");
    let out = Case::of("host1002")
        .and("new")
        .and("conftool")
        .in_world(&idle)
        .run();
    out.has(services, Level::Success, &["pooled in none"]);
}

/// The second run after a failure: the host is out of PuppetDB, so it is called new, and is still depooled.
#[test]
fn what_an_earlier_run_has_depooled_is_not_forgotten() {
    let case = host1001()
        .and("conftool")
        .in_world("[install-server]\nrejects = 1");
    let lab = case.lab();
    case.run_in(&lab).ends("failed", 21);
    let again = case.and("new").run_in(&lab);
    again
        .ends("warnings", 0)
        .has("Depool", Level::Warning, &["inactive"])
        .has(
            "Print the command to repool",
            Level::Warning,
            &["not repooled; run: sudo confctl"],
        );
    assert_eq!(again.calls("conftool.set-pooled"), 0);
    let pooled = again
        .commands()
        .iter()
        .filter(|it| it.contains("set/pooled=yes"))
        .count();
    assert_eq!(pooled, 2, "{:?}", again.commands());
}
