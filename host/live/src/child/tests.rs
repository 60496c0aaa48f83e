//! Child processes, tried with the programs of this machine.

use super::*;
use crate::redact;
use std::time::Instant;

fn child(script: &str) -> Child {
    Child::new(&["sh", "-c", script]).unwrap()
}

#[tokio::test]
async fn the_environment_is_empty() {
    let mut child = child("env");
    child.environment("GIVEN", "1");
    let ended = child.run(Duration::from_secs(10)).await.unwrap();
    let text = String::from_utf8(ended.stdout).unwrap();
    assert!(text.contains("GIVEN=1"), "{text}");
    assert!(!text.contains("HOME=") && !text.contains("CARGO"), "{text}");
}

/// Nothing of this process is needed for it: the child would be killed while this process is stopped.
#[tokio::test]
async fn the_kernel_kills_a_child_that_must_not_act_any_more() {
    let start = Instant::now();
    let until = Some(start + Duration::from_secs(2));
    let child = Child::until(&["sleep", "77"], until).unwrap();
    let ended = child.run(Duration::from_secs(60)).await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(30));
    assert_eq!(ended.exit(), "signal 14");
    for too_late in [until, Some(Instant::now() + Duration::from_millis(900))] {
        let late = Child::until(&["echo", "done"], too_late).unwrap();
        let failure = late.run(Duration::from_secs(60)).await.err().unwrap();
        assert!(matches!(failure, ChildFailure::Late(_)), "{failure}");
    }
    let until = Some(Instant::now() + Duration::from_secs(60));
    let quick = Child::until(&["echo", "done"], until).unwrap();
    let ended = quick.run(Duration::from_secs(60)).await.unwrap();
    assert_eq!(ended.stdout, b"done\n");
    let missing = Child::until(&["no-such-program-at-all"], until).unwrap();
    let failure = missing.run(Duration::from_secs(60)).await.err().unwrap();
    assert!(
        failure.to_string().contains("is not installed"),
        "{failure}"
    );
}

#[tokio::test]
async fn a_child_and_its_children_are_killed_at_the_deadline() {
    let start = Instant::now();
    let failure = child("sleep 77 & echo $! >&2; wait")
        .run(Duration::from_millis(300))
        .await
        .err()
        .unwrap();
    assert!(start.elapsed() < Duration::from_secs(5));
    let ChildFailure::Killed(_, _, stderr) = failure else {
        panic!("{failure}")
    };
    let pid: u32 = String::from_utf8(stderr).unwrap().trim().parse().unwrap();
    let gone = || match std::fs::read_to_string(format!("/proc/{pid}/status")) {
        Ok(status) => status.contains("State:\tZ"),
        Err(_) => true,
    };
    for _ in 0..50 {
        if gone() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the grandchild {pid} still runs");
}

#[tokio::test]
async fn what_a_program_leaves_behind_holds_up_nobody() {
    let start = Instant::now();
    let left = child("setsid sleep 20 & echo done");
    let ended = left.run(Duration::from_secs(15)).await.unwrap();
    assert!(ended.success());
    assert_eq!(ended.stdout, b"done\n");
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn output_beyond_the_limit_is_dropped() {
    let mut endless = child("yes out & yes err >&2");
    endless.limit(10_000);
    let failure = endless.run(Duration::from_millis(500)).await.err().unwrap();
    let ChildFailure::Killed(_, _, stderr) = failure else {
        panic!("{failure}")
    };
    assert_eq!(stderr.len(), 10_000);
}

#[tokio::test]
async fn no_piece_of_a_secret_is_left_where_output_was_cut() {
    redact::remember(&"mandragora-officinarum".to_owned().into());
    let mut child = child("printf xxmandragora-officinarum | tee /dev/stderr");
    child.limit(12);
    let ended = child.run(Duration::from_secs(10)).await.unwrap();
    assert_eq!(
        (&ended.stdout[..], &ended.stderr[..]),
        (&b"xx"[..], &b"xx"[..])
    );
    assert!(ended.is_cut);
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let child = Child::new(&["no-such-program-at-all"]).unwrap();
    let failure = child.run(Duration::from_secs(5)).await.err().unwrap();
    assert_eq!(
        failure.to_string(),
        "the program `no-such-program-at-all` is not installed"
    );
}
