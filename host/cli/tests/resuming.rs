//! Runs that are interrupted, answered and gone on with, by the program as a user calls it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::kept::{begin, begin_with, in_post, killed, resume, signal, state_of, until};
use common::{User, guests};
use nix::sys::signal::Signal;

#[test]
fn a_run_whose_process_is_killed_is_lost_and_goes_on() {
    let user = User::new();
    let run = killed(&user, "host1001");
    assert_eq!(state_of(&user, &run), "lost");
    // Its host is half-way: nobody else may begin there.
    let world = user.home.path().join("world").display().to_string();
    let other = [
        "run", "reimage", "--host", "host1001", "--os", "bullseye", "--yes", "host1001",
    ];
    user.wreimage(&[&other[..], &["--world", &world]].concat())
        .ends_with(40, &[&run, "wreimage resume", "Nothing was touched"]);
    let listed = user.wreimage(&["lock", "ls", "--lab"]);
    assert!(
        listed.out.contains(&run) && listed.out.contains("dead"),
        "{}",
        listed.out
    );

    resume(&user, &run, &[]).ends_with(0, &["SUCCESS"]);
    assert_eq!(state_of(&user, &run), "success");
    resume(&user, &run, &[]).ends_with(40, &["has ended"]);
    let listed = user.wreimage(&["lock", "ls", "--lab"]);
    assert!(listed.out.is_empty(), "{}", listed.out);
    let shown = user.wreimage(&["show", &run, "--lab", "--calls"]);
    for words in ["(uid ", "ipmi.set-power", "blobs"] {
        let found = shown.out.contains(words);
        assert!(found, "{words}: {}", shown.out);
    }
}

#[test]
fn a_run_that_has_ended_leaves_one_database_and_its_mark() {
    let user = User::new();
    user.reimage("host1001", &[]).ends_with(0, &[]);
    let files = std::fs::read_dir(&user.runs()[0]).unwrap();
    let mut names: Vec<String> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["blobs", "driver", "journal.db", "journal.mark"]);
}

#[test]
fn a_terminated_run_can_be_resumed_and_a_terminal_that_goes_away_stops_nothing() {
    let user = User::new();
    let (mut child, mut out) = begin(&user, "host1001", "400");
    let run = until(&mut out, in_post);
    signal(&child, Signal::SIGHUP);
    until(&mut out, |event| event["event"] == "outcome");
    signal(&child, Signal::SIGTERM);
    assert_eq!(child.wait().unwrap().code(), Some(50));
    // Nobody takes it for one whose process has crashed.
    assert_eq!(state_of(&user, &run), "paused");
    let shown = user.wreimage(&["show", &run, "--lab"]);
    assert!(shown.out.contains("stopped by SIGTERM"), "{}", shown.out);
    resume(&user, &run, &[]).ends_with(0, &["SUCCESS"]);
}

#[test]
fn a_run_that_nobody_resumes_is_ended_and_taken_back() {
    let user = User::new();
    let run = killed(&user, "host1001");
    let ended = user.wreimage(&["cleanup", &run, "--speed", "0"]);
    assert!([21, 30].contains(&ended.code), "{}", ended.said());
    assert!(ended.said().contains("the DHCP entry"), "{}", ended.said());
    assert_eq!(state_of(&user, &run), "cancelled");
    resume(&user, &run, &[]).ends_with(40, &["has ended"]);
}

#[test]
fn a_question_waits_for_its_answer() {
    let user = User::new();
    // Its first Puppet run fails, and nobody is at the terminal.
    let (mut child, mut out) = begin(&user, "host1007", "0");
    let run = until(&mut out, |event| event["event"] == "question");
    assert_eq!(child.wait().unwrap().code(), Some(50));
    assert_eq!(state_of(&user, &run), "paused");
    let shown = user.wreimage(&["show", &run, "--lab"]);
    assert!(shown.out.contains("retry"), "{}", shown.out);
    user.wreimage(&["answer", &run, "maybe", "--lab"])
        .ends_with(64, &["retry, skip, abort"]);
    user.wreimage(&["answer", &run, "retry", "--lab"])
        .ends_with(0, &["kept", "wreimage resume"]);
    resume(&user, &run, &[]).ends_with(0, &["WITH WARNINGS", "retried"]);
    user.wreimage(&["answer", &run, "retry", "--lab"])
        .ends_with(64, &["waits for no answer"]);
}

#[test]
fn a_question_is_answered_with_the_resume() {
    let user = User::new();
    let (mut child, mut out) = begin(&user, "host1008", "0");
    let run = until(&mut out, |event| event["event"] == "question");
    assert_eq!(child.wait().unwrap().code(), Some(50));
    resume(&user, &run, &["--answer", "abort"]).ends_with(21, &["The operator decided to stop"]);
}

#[test]
fn another_guest_goes_on_only_if_it_does_what_was_done() {
    let user = User::new();
    let run = killed(&user, "host1001");
    let check = guests().join("bmc-check.wasm").display().to_string();
    // In the background it is refused as well, and nobody is told that it goes on.
    for more in [&["--guest", &check][..], &["--guest", &check, "--detach"]] {
        let refused = resume(&user, &run, more);
        let refused = refused.ends_with(40, &["cannot go on with this run", "the journal has"]);
        assert!(
            !refused.said().contains("in the background"),
            "{}",
            refused.said()
        );
    }
    assert_eq!(state_of(&user, &run), "lost");
    // The same guest as another file: a section more.
    let mut bytes = std::fs::read(guests().join("reimage.wasm")).unwrap();
    bytes.extend([0x00, 0x03, 0x01, b'x', 0x00]);
    let other = user.file("other.wasm", &bytes);
    let consents = ["--guest", &other, "--yes", "host1001"];
    resume(&user, &run, &consents).ends_with(0, &["SUCCESS"]);
    let logs = user.wreimage(&["logs", &run, "--lab", "--output", "json"]);
    let changed = logs
        .events()
        .iter()
        .any(|it| it["event"] == "guest-changed");
    assert!(changed);
}

#[test]
fn a_lock_that_was_broken_stops_its_holder() {
    let user = User::new();
    let (mut child, mut out) = begin(&user, "host1001", "150");
    let run = until(&mut out, in_post);
    let world = user.home.path().join("world").display().to_string();
    let name = format!("{world}/host1001");
    // The world is the run's as long as its process lives, so the lease in it stays.
    user.wreimage(&["lock", "break", &name, "--lab", "--yes", "host1001"])
        .ends_with(21, &["taken away", &run, "was not broken"]);
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut out, &mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(50), "{rest}");
    assert!(rest.contains("was taken away from this run"), "{rest}");
}

/// Its lock was broken, and another run has reimaged the host: what it would go on with is not there any more.
#[test]
fn a_run_does_not_go_on_over_the_work_of_a_later_one() {
    let user = User::new();
    let run = killed(&user, "host1001");
    let world = user.home.path().join("world").display().to_string();
    let name = format!("{world}/host1001");
    user.wreimage(&["lock", "break", &name, "--lab", "--yes", "host1001"])
        .ends_with(0, &["the claim on host1001", "taken away"]);
    // While another host is reimaged, the broken claim becomes stale.
    user.reimage("host1004", &["--world", &world, "--speed", "0"]);
    // The ids of runs are a second apart.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let rehearsal = ["--world", &world, "--new", "--dry-run", "--speed", "0"];
    user.reimage("host1001", &rehearsal).ends_with(0, &[]);
    let again = ["--world", &world, "--new", "--speed", "0"];
    let later = user.reimage("host1001", &again);
    assert_eq!(later.code, 0, "{}", later.said());
    // The rehearsal has changed nothing.
    let told = later.err.split("record of ").nth(1).unwrap();
    let last = told.split(':').next().unwrap().to_owned();
    resume(&user, &run, &[]).ends_with(40, &[&last, "wreimage cleanup"]);
    let ended = user.wreimage(&["cleanup", &run, "--speed", "0"]);
    assert!([21, 30].contains(&ended.code), "{}", ended.said());
    assert!(locks(&user).is_empty(), "{}", locks(&user));
}

#[test]
fn what_is_no_run_is_said() {
    let user = User::new();
    for command in ["resume", "cleanup", "show", "logs"] {
        user.wreimage(&[command, "nothing", "--lab"])
            .ends_with(64, &["there is no run \"nothing\"", "wreimage runs"]);
    }
    user.wreimage(&["lock", "break", "nothing", "--lab"])
        .ends_with(64, &["wreimage lock ls"]);
}

/// The locks that are held, as `lock ls` tells them.
fn locks(user: &User) -> String {
    user.wreimage(&["lock", "ls", "--lab"]).out
}

#[test]
fn a_run_that_does_not_begin_leaves_no_lock() {
    let user = User::new();
    let state = user.home.path().join(".local/state/wreimage");
    std::fs::create_dir_all(&state).unwrap();
    // Where guests are kept, there is a file.
    std::fs::write(state.join("guests"), "").unwrap();
    let world = user.home.path().join("world").display().to_string();
    user.reimage("host1001", &["--world", &world])
        .ends_with(64, &["the guest cannot be kept"]);
    assert!(locks(&user).is_empty(), "{}", locks(&user));
}

#[test]
fn a_run_is_ended_although_its_guest_is_gone() {
    let user = User::new();
    let run = killed(&user, "host1001");
    let guests = user.home.path().join(".local/state/wreimage/guests");
    std::fs::remove_dir_all(guests).unwrap();
    resume(&user, &run, &[]).ends_with(64, &["cannot be read"]);
    let ended = user.wreimage(&["cleanup", &run, "--speed", "0"]);
    assert!([21, 30].contains(&ended.code), "{}", ended.said());
    // What the run had made is registered: the host needs no guest to name the commands that end it.
    for words in [
        "says no closing words",
        "taken back: the DHCP entry",
        "host1001 is in downtime",
        "amtool silence expire",
        "host1001 is out of PuppetDB",
    ] {
        assert!(ended.said().contains(words), "{words}: {}", ended.said());
    }
    assert!(locks(&user).is_empty(), "{}", locks(&user));
}

#[test]
fn a_run_goes_on_only_where_it_was() {
    let user = User::new();
    let run = killed(&user, "host1001");
    let other = user.home.path().join("other").display().to_string();
    resume(&user, &run, &["--world", &other])
        .ends_with(64, &["works on the lab's world", "--world"]);
    // One in a lab that is not kept is over with its process.
    user.reimage("host1003", &[]).ends_with(0, &[]);
    let site = user.file("site.toml", b"site = \"dc1\"\n");
    resume(&user, &run, &["--site", &site]).ends_with(64, &[]);
    resume(&user, &run, &[]).ends_with(0, &["SUCCESS"]);
}

#[test]
fn another_guest_stays_the_runs_guest() {
    let user = User::new();
    let run = killed(&user, "host1001");
    let mut bytes = std::fs::read(guests().join("reimage.wasm")).unwrap();
    bytes.extend([0x00, 0x03, 0x01, b'x', 0x00]);
    let other = user.file("other.wasm", &bytes);
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_wreimage"));
    child
        .env("HOME", user.home.path())
        .env("USER", "tester")
        .args(["resume", &run, "--guest", &other, "--yes", "host1001"])
        .args(["--speed", "400", "--output", "json"])
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped());
    let mut child = child.spawn().unwrap();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    until(&mut out, |event| event["event"] == "step-ended");
    signal(&child, Signal::SIGKILL);
    child.wait().unwrap();
    // Whether it has used its consent before it was killed is a matter of time.
    resume(&user, &run, &["--yes", "host1001"]).ends_with(0, &["SUCCESS"]);
    let shown = user.wreimage(&["logs", &run, "--lab", "--output", "json"]);
    let changes = shown.events();
    let changes = changes.iter().filter(|it| it["event"] == "guest-changed");
    assert_eq!(changes.count(), 1);
}

#[test]
fn a_failed_step_waits_for_the_person_who_mends_the_world() {
    let user = User::new();
    let world = user
        .wreimage(&["lab", "show"])
        .out
        .replace("rejects = 0", "rejects = 1");
    let lab = format!("--lab={}", user.file("world.toml", world.as_bytes()));
    for (answer, code, words) in [
        ("--retry", 0, "the operator had it done once more"),
        ("--abort", 20, "FAILED"),
    ] {
        let user = User::new();
        let (mut child, mut out) = begin_with(
            &user,
            "host1001",
            &[&lab, "--on-failure", "pause", "--speed", "0"],
        );
        let run = until(&mut out, |event| event["event"] == "question");
        assert_eq!(child.wait().unwrap().code(), Some(50));
        let shown = user.wreimage(&["show", &run, "--lab"]);
        assert!(shown.out.contains("has failed"), "{}", shown.out);
        resume(&user, &run, &["--skip"]).ends_with(64, &["retry, abort"]);
        let ended = resume(&user, &run, &[answer]);
        assert!(ended.said().contains(words), "{}", ended.said());
        assert!(ended.code == code || ended.code == 21, "{}", ended.said());
    }
}

#[test]
fn a_question_that_nobody_answers_in_time_gets_the_answer_that_was_agreed_on() {
    let user = User::new();
    let asked = ["--default-answer", "retry", "--answer-within", "10m"];
    let done = user.reimage("host1007", &asked);
    let done = done.ends_with(0, &["default, after 600 s without an answer", "retried"]);
    assert!(done.said().contains("WITH WARNINGS"), "{}", done.said());
    user.reimage("host1007", &["--default-answer", "retry"])
        .ends_with(64, &["--answer-within"]);
    user.reimage(
        "host1007",
        &["--default-answer", "retry", "--answer-within", "soon"],
    )
    .ends_with(64, &["30s, 10m or 2h"]);
}

#[test]
fn a_run_in_the_background_is_seen_and_cancelled_from_any_terminal() {
    let user = User::new();
    let world = user.home.path().join("world").display().to_string();
    let begin = |host: &str, speed: &str| {
        let done = user.reimage(host, &["--world", &world, "--speed", speed, "--detach"]);
        let done = done.ends_with(0, &["wreimage attach"]);
        done.out.trim().to_owned()
    };
    let run = begin("host1001", "400");
    let attached = user.wreimage(&["attach", &run, "--lab", "--output", "json"]);
    let attached = attached.ends_with(0, &["\"finished\""]);
    assert_eq!(attached.events()[0]["event"], "header");

    let run = begin("host1004", "100");
    user.wreimage(&["cancel", &run, "--lab"])
        .ends_with(0, &["told to cancel"]);
    user.wreimage(&["attach", &run, "--lab"])
        .ends_with(30, &["cancelled"]);
    user.wreimage(&["cancel", &run, "--lab"])
        .ends_with(40, &["nobody drives"]);

    let refused = user.reimage(
        "nonsense9",
        &["--world", &world, "--detach", "--no-such-option"],
    );
    refused.ends_with(64, &["--no-such-option"]);
    let unconsented = [
        "run", "reimage", "--lab", "--host", "host1001", "--os", "bullseye", "--detach",
    ];
    user.wreimage(&unconsented)
        .ends_with(64, &["--yes host1001"]);
}
