//! A guest that tries in each of its texts to take over the terminal, or to pass for the host.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{User, fixture, guests};
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

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

/// Runs the guest at a terminal and answers its question; returns all that the terminal got.
fn at_a_terminal(user: &User, arguments: &[&str]) -> String {
    let terminal = nix::pty::openpty(None, None).unwrap();
    let screen = || Stdio::from(File::from(terminal.slave.try_clone().unwrap()));
    let mut child = Command::new(env!("CARGO_BIN_EXE_wreimage"))
        .env("HOME", user.home.path())
        .env("USER", "tester")
        .env("TERM", "xterm")
        .env_remove("XDG_STATE_HOME")
        .env("XDG_CACHE_HOME", guests().join("../test-cache"))
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
    while !text().contains("\n> ") {
        assert!(Instant::now() < end, "no question: {}", text());
        std::thread::sleep(Duration::from_millis(20));
    }
    keyboard.write_all(b"go\n").unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
    text()
}

#[test]
fn a_guest_cannot_take_over_the_terminal_nor_pass_for_the_host() {
    let user = User::new();
    let guest = fixture("terminal-tricks");
    let run = [
        "run", &guest, "--lab", "--host", "host1001", "--speed", "40",
    ];
    let shown = at_a_terminal(&user, &run);
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
