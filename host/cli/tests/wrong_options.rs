//! Options of the reimage that cannot be: refused before anything is touched; and words that stay words.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Done, User, guests};

fn in_lab(more: &[&str]) -> Done {
    let reimage = guests().join("reimage.wasm").display().to_string();
    let mut arguments = vec![
        "run", &reimage, "--lab", "--host", "host1001", "--yes", "host1001",
    ];
    arguments.extend(more);
    User::new().wreimage(&arguments)
}

/// Runs the reimage with wrong options, and makes sure that nothing was changed.
fn refused(more: &[&str], code: i32, words: &[&str]) {
    let arguments = [&["--os", "bullseye", "--output", "json"], more].concat();
    let done = in_lab(&arguments).ends_with(code, words);
    let changed = done.events().iter().any(|event| event["event"] == "intent");
    assert!(!changed, "{}", done.said());
}

#[test]
fn a_task_that_is_no_task() {
    for task in ["12345", "T", "t1", "T1;reboot", "$(id)", "T1\nT2", "D123"] {
        refused(&["--task", task], 64, &["--task", "T12345"]);
    }
    refused(&["--task", "T99999"], 40, &["T99999", "Check --task"]);
}

#[test]
fn a_mask_that_is_no_service() {
    for units in [
        "a b",
        "nginx;reboot",
        "../x",
        "srv.mount",
        "a,,b",
        "$(id)",
        "-a",
    ] {
        refused(
            &[&format!("--mask={units}")],
            64,
            &["--mask", "Nothing was touched"],
        );
    }
}

#[test]
fn options_that_contradict_each_other() {
    for (given, words) in [
        (&["--conftool-value", "no"][..], &["--conftool"][..]),
        (&["--httpbb-suite", "parsoid"], &["--httpbb"]),
        (
            &["--no-pxe", "--pxe-media", "rescue"],
            &["--no-pxe", "--pxe-media"],
        ),
    ] {
        refused(given, 64, words);
    }
    // Not wrong by itself: the world says otherwise.
    refused(&["--new"], 40, &["--new", "PuppetDB knows"]);
    refused(
        &["--conftool", "--conftool-value", "maybe"],
        64,
        &["inactive", "no"],
    );
}

#[test]
fn a_release_or_a_suite_that_cannot_be_one() {
    for (option, value) in [("--os", "../../etc"), ("--httpbb-suite", "a b")] {
        let mut more = vec!["--httpbb", option, value];
        if option != "--os" {
            more.extend(["--os", "bullseye"]);
        }
        in_lab(&more).ends_with(64, &[option, "Nothing was touched"]);
    }
}

/// A suite that the deployment server does not have is known only there; it costs the test, not the host.
#[test]
fn a_suite_that_does_not_exist() {
    let more = ["--os", "bullseye", "--httpbb", "--httpbb-suite", "parsoid"];
    in_lab(&more).ends_with(0, &["parsoid", "appserver"]);
}

/// Whoever started it is a word, whatever the word is.
#[test]
fn a_name_of_a_person_that_is_a_command() {
    let long = "x".repeat(10_000);
    for actor in [
        "$(reboot)",
        "a'; reboot #",
        "`id`\n[0] SCHEDULE_HOST_DOWNTIME;x",
        &long,
    ] {
        let user = User::new();
        let reimage = guests().join("reimage.wasm").display().to_string();
        let arguments = [
            "run",
            &reimage,
            "--lab",
            "--host",
            "host1001",
            "--yes",
            "host1001",
            "--os",
            "bullseye",
            "--task",
            "T12345",
            "--no-check-icinga",
            "--output",
            "json",
        ];
        let done = user.with(&arguments, &[("SUDO_USER", actor)]);
        let done = done.ends_with(0, &[]);
        let mut seen = 0;
        for event in done.events() {
            let told = [
                event["arguments"]["reason"].as_str(),
                event["command"]
                    .as_str()
                    .filter(|it| it.contains("DEL_DOWNTIME")),
            ];
            for text in told.into_iter().flatten() {
                seen += 1;
                let own = text
                    .replace("printf '[%s] ", "")
                    .replace("\\n' \"$(date +%s)\"", "");
                assert!(!own.contains(['\'', '"', '$', '`', '\n', '#']), "{own}");
            }
        }
        assert!(seen > 3, "{seen}");
    }
}
