//! What a terminal shows and what is typed there, and a guest that tries in each of its texts to take over the terminal, or to
//! pass for the host.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::kept::killed;
use common::{User, fixture, guests};
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use wreimage_journal::Record;

/// Words with which lines of the host begin, and lines that the guest forges.
const FORGED: [&str; 5] = [
    "ok   validate",
    "[0:00] ok",
    "SUCCESS",
    "reimage is about to change",
    "All data on",
];

/// Nothing but what the host draws itself with reaches the terminal: no title, clipboard, cleared screen, nor characters that
/// turn or hide text.
#[track_caller]
fn is_harmless(shown: &str) {
    // The line at the bottom is drawn with these: clear a line, go up, hide and show the cursor.
    let mut plain = String::new();
    let mut rest = shown;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        let sequence = after.strip_prefix('[').unwrap_or_else(|| {
            panic!(
                "an escape that is no control sequence: {:?}",
                &after[..20.min(after.len())]
            )
        });
        let end = sequence.find(|c: char| c.is_ascii_alphabetic()).unwrap();
        let (parameters, kind) = (&sequence[..end], &sequence[end..=end]);
        assert!(
            matches!(
                (parameters, kind),
                (_, "A" | "B" | "m" | "G")
                    | ("2", "K")
                    | ("" | "0", "K" | "J")
                    | ("?25", "l" | "h")
            ),
            "a control sequence of the guest: {parameters}{kind}"
        );
        // A sequence begins a line at most.
        plain.push('\n');
        rest = &sequence[end + 1..];
    }
    plain.push_str(rest);
    for c in plain.chars() {
        let is_own = matches!(c, '\n' | '\r');
        assert!(
            is_own || wreimage_capability::is_shown(c),
            "{c:?} reached the terminal:\n{plain}"
        );
    }
    for line in plain.split(['\n', '\r']) {
        for forged in FORGED {
            assert!(
                !line.trim_start().starts_with(forged),
                "a line of the guest passes for the host's: {line:?} in\n{plain}"
            );
        }
    }
}

/// Runs the program at a terminal. `answer` gets what was shown since the last answer, and returns what is typed when that ends
/// with a prompt. All that the terminal got, and the exit code.
fn at_a_terminal(
    user: &User,
    arguments: &[&str],
    answer: impl Fn(&str) -> Option<String>,
) -> (String, i32) {
    let terminal = nix::pty::openpty(None, None).unwrap();
    let screen = || Stdio::from(File::from(terminal.slave.try_clone().unwrap()));
    let mut child = Command::new(env!("CARGO_BIN_EXE_wreimage"))
        .env("HOME", user.home.path())
        .env("USER", "tester")
        .env("TERM", "xterm")
        .env_remove("XDG_STATE_HOME")
        .env("XDG_CACHE_HOME", guests().join("../test-cache"))
        .env("WREIMAGE_GUESTS", guests())
        .current_dir(user.home.path())
        .args(arguments)
        .stdin(screen())
        .stdout(screen())
        .stderr(screen())
        .spawn()
        .unwrap();
    drop(terminal.slave);
    let mut keyboard = File::from(terminal.master);
    let mut seen = keyboard.try_clone().unwrap();
    let shown = Arc::new(Mutex::new(Vec::new()));
    let taken = shown.clone();
    let reader = std::thread::spawn(move || {
        let mut some = [0; 4096];
        while let Ok(read @ 1..) = seen.read(&mut some) {
            taken.lock().unwrap().extend_from_slice(&some[..read]);
        }
    });
    let text = || String::from_utf8_lossy(&shown.lock().unwrap()).into_owned();
    let end = Instant::now() + Duration::from_secs(60);
    let mut answered = 0;
    let code = loop {
        if let Some(ended) = child.try_wait().unwrap() {
            break ended.code().unwrap();
        }
        if Instant::now() > end {
            child.kill().unwrap();
            panic!("it does not end: {}", text());
        }
        let now = text();
        if let Some(typed) = now.get(answered..).and_then(&answer) {
            answered = now.len();
            keyboard.write_all(typed.as_bytes()).unwrap();
            keyboard.write_all(b"\n").unwrap();
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    reader.join().unwrap();
    (text(), code)
}

/// The word that a prompt at the end of what is shown asks for.
fn wanted(shown: &str, behind: &str) -> Option<String> {
    let (_, prompt) = shown.strip_suffix(behind)?.rsplit_once("Type ")?;
    Some(prompt.to_owned())
}

#[test]
fn all_hosts_are_consented_to_before_the_first_is_changed() {
    let user = User::new();
    let run = ["run", "reimage", "--lab", "--os", "bullseye"];
    let hosts = ["--host", "host[1001,1003]", "--speed", "0"];
    let (shown, code) = at_a_terminal(&user, &[&run[..], &hosts].concat(), |shown| {
        wanted(shown, " to go on: ")
    });
    assert_eq!(code, 0, "{shown}");
    // One that nothing is to be weighed of is asked for with all; one that serves has a question of its own.
    assert!(shown.contains("Type host1001 to go on:"), "{shown}");
    assert!(shown.contains("warning   host1001 is pooled"), "{shown}");
    let last = shown.rfind(" to go on: ").unwrap();
    let done = |line: &str| {
        let reads = ["validate:", "announce:"];
        line.contains("] ok   ") && !reads.iter().any(|phase| line.contains(phase))
    };
    let (before, after) = shown.split_at(last);
    assert!(!before.lines().any(done), "{shown}");
    for host in ["host1001", "host1003"] {
        let of_host = |line: &str| line.starts_with(host) && done(line);
        assert!(after.lines().any(of_host), "{host}: {shown}");
    }
}

#[test]
fn a_host_that_is_not_consented_to_keeps_all_from_being_changed() {
    let user = User::new();
    let run = ["run", "reimage", "--lab", "--os", "bullseye"];
    let hosts = ["--host", "host[1001,1003]", "--speed", "0"];
    let (shown, code) = at_a_terminal(&user, &[&run[..], &hosts].concat(), |shown| {
        let word = wanted(shown, " to go on: ")?;
        Some(word.replace("host1001", "no"))
    });
    assert_eq!(code, 40, "{shown}");
    assert!(shown.contains("not confirmed"), "{shown}");
    for run in user.runs() {
        let records = user.records(&run);
        let changes = |record: &Record| matches!(record, Record::Intent(_));
        assert!(!records.iter().any(|it| changes(&it.record)), "{shown}");
    }
}

#[test]
fn a_lease_is_broken_at_a_terminal_by_typing_the_name_of_its_host() {
    let (alice, bob) = (User::new(), User::new());
    let run = killed(&alice, "host1001");
    let world = alice.home.path().join("world").display().to_string();
    let command = ["lock", "break", "host1001", "--world", &world];
    for (typed, code, words) in [
        ("host1002", 40, "`host1002` is not `host1001`"),
        ("host1001", 0, "is taken away from the run"),
    ] {
        let (shown, ended) = at_a_terminal(&bob, &command, |shown| {
            wanted(shown, " to break it: ").map(|_| typed.to_owned())
        });
        assert_eq!(ended, code, "{shown}");
        // What is broken stands above the prompt.
        assert!(shown.contains(&run), "{shown}");
        assert!(shown.contains("half-way"), "{shown}");
        assert!(shown.contains(words), "{shown}");
    }
}

#[test]
fn a_guest_cannot_take_over_the_terminal_nor_pass_for_the_host() {
    let user = User::new();
    let guest = fixture("terminal-tricks");
    let run = [
        "run", &guest, "--lab", "--host", "host1001", "--speed", "40",
    ];
    let (shown, _) = at_a_terminal(&user, &run, |shown| {
        shown.ends_with("\n> ").then(|| "go".to_owned())
    });
    // It was drawn at the bottom, asked, and reported at the end: otherwise this would prove nothing.
    for word in [
        "T\\u{1b}]0;owned",
        "\u{1b}[2K",
        "Question: T",
        "REFUSED, nothing was touched: host1001",
    ] {
        assert!(shown.contains(word), "`{word}` is not in {shown}");
    }
    is_harmless(&shown);
}

#[test]
fn nor_can_it_in_lines_and_reports_that_are_kept() {
    let user = User::new();
    let guest = fixture("terminal-tricks");
    let world = user.home.path().join("world").display().to_string();
    let place = ["--world", &world, "--host", "host1001"];
    // Nobody is there to answer: the run waits.
    let done = user.wreimage(&[&["run", &guest], &place[..], &["--speed", "0"]].concat());
    assert_eq!(done.code, 50, "{}", done.said());
    is_harmless(&done.out);
    is_harmless(&done.err);
    let run = user.runs()[0]
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    for command in [
        &["show", &run][..],
        &["show", &run, "--calls"],
        &["show", &run, "--output", "json"],
        &["logs", &run],
        &["logs", &run, "--output", "json"],
        &["runs", "--world", &world],
        &["runs", "--world", &world, "--output", "json"],
        &["answer", &run, "no-such-answer"],
        &["cleanup", &run, "--speed", "0"],
    ] {
        let done = user.wreimage(command);
        assert!(
            done.said().contains("owned"),
            "{command:?}: {}",
            done.said()
        );
        is_harmless(&done.out);
        is_harmless(&done.err);
    }
}
