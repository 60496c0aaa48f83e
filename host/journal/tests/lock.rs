//! One run a host.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use rusqlite::Connection;
use wreimage_journal::{Holder, LockError, Locks, Pulse, process_began};

const HOST: &str = "dc1/host1001";

fn holder(run: &str) -> Holder {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    Holder {
        run: run.to_owned(),
        actor: "somebody".to_owned(),
        controller: name.trim().to_owned(),
    }
}

fn locks() -> (tempfile::TempDir, Locks) {
    let state = tempfile::tempdir().unwrap();
    let locks = Locks::open(state.path()).unwrap();
    (state, locks)
}

/// Changes the only lock behind its holder's back.
fn change(state: &tempfile::TempDir, set: &str) {
    let database = Connection::open(state.path().join("locks.db")).unwrap();
    database
        .execute(&format!("UPDATE lock SET {set}"), [])
        .unwrap();
}

fn refused(locks: &Locks, run: &str) -> String {
    match locks.take(HOST, &holder(run)) {
        Err(error @ LockError::Taken(_)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_second_run_is_refused_and_the_first_is_named() {
    let (_state, locks) = locks();
    let fence = locks.take(HOST, &holder("r1")).unwrap();
    let told = refused(&locks, "r2");
    assert!(
        told.contains("r1") && told.contains("wait for its end"),
        "{told}"
    );
    // Another host is another lock.
    locks.take("dc1/host1002", &holder("r2")).unwrap();
    locks.release(HOST, fence).unwrap();
    assert_eq!(locks.take(HOST, &holder("r2")).unwrap(), fence + 1);
}

#[test]
fn a_dead_holder_is_told_from_a_slow_one() {
    let (state, locks) = locks();
    locks.take(HOST, &holder("r1")).unwrap();
    assert_eq!(locks.held().unwrap()[0].pulse, Pulse::Alive);
    change(&state, "renewed_ms = renewed_ms - 61000");
    assert_eq!(locks.held().unwrap()[0].pulse, Pulse::Slow);
    assert!(refused(&locks, "r2").contains("last heard of 61 s ago"));
    // The number of the process is another's by now.
    change(&state, "process_began = 'an earlier boot 5'");
    assert_eq!(locks.held().unwrap()[0].pulse, Pulse::Dead);
    assert!(refused(&locks, "r2").contains("wreimage resume r1"));
    // On another machine nobody can look for it.
    change(&state, "controller = 'elsewhere'");
    assert_eq!(locks.held().unwrap()[0].pulse, Pulse::Slow);
}

#[test]
fn the_run_itself_takes_it_anew_and_its_former_process_is_overtaken() {
    let (_state, locks) = locks();
    let before = locks.take(HOST, &holder("r1")).unwrap();
    let since = locks.held().unwrap()[0].since_ms;
    std::thread::sleep(std::time::Duration::from_millis(5));
    let now = locks.take(HOST, &holder("r1")).unwrap();
    assert!(now > before);
    assert!(!locks.holds(HOST, before).unwrap());
    assert!(!locks.renew(HOST, before).unwrap());
    assert!(locks.holds(HOST, now).unwrap() && locks.renew(HOST, now).unwrap());
    // It has held it all the time.
    assert_eq!(locks.held().unwrap()[0].since_ms, since);
}

#[test]
fn a_broken_lock_is_lost_to_its_holder() {
    let (_state, locks) = locks();
    let fence = locks.take(HOST, &holder("r1")).unwrap();
    let held = locks.held().unwrap().remove(0);
    assert!(locks.break_lock(&held).unwrap());
    assert!(!locks.holds(HOST, fence).unwrap());
    assert!(locks.held().unwrap().is_empty());
    assert!(!locks.break_lock(&held).unwrap());
    let next = locks.take(HOST, &holder("r2")).unwrap();
    assert!(next > fence + 1);
    // The run that holds it by now is not the one that was shown.
    assert!(!locks.break_lock(&held).unwrap());
    assert!(locks.holds(HOST, next).unwrap());
}

/// Two processes that reach for it at the same moment: one has it.
#[test]
fn of_many_takers_one_wins() {
    let (state, _) = locks();
    let won = std::thread::scope(|scope| {
        let takers: Vec<_> = (0..8)
            .map(|number| {
                let path = state.path();
                scope.spawn(move || {
                    let locks = Locks::open(path).unwrap();
                    locks.take(HOST, &holder(&format!("r{number}"))).is_ok()
                })
            })
            .collect();
        takers
            .into_iter()
            .map(|taker| taker.join().unwrap())
            .filter(|won| *won)
            .count()
    });
    assert_eq!(won, 1);
}

/// A process that was killed stays in the list of processes until its parent asks for it.
#[test]
fn a_dead_process_that_nobody_has_asked_for_is_dead() {
    let mut child = std::process::Command::new("sleep")
        .arg("60")
        .spawn()
        .unwrap();
    assert!(process_began(child.id()).is_some());
    child.kill().unwrap();
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while process_began(child.id()).is_some() {
        assert!(std::time::Instant::now() < end, "it is taken for alive");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.wait().unwrap();
}
