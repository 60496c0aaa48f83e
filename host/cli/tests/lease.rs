//! Two controllers, each with a state folder of its own, and one data centre.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::kept::{begin, begin_cleanup, in_post, killed, resume, signal, state_of, until};
use common::{Done, User};
use nix::sys::signal::Signal;
use wreimage_journal::Record;

/// The world in which the first user's runs are.
fn world_of(user: &User) -> String {
    user.home.path().join("world").display().to_string()
}

/// Reimages a host in this world from another state folder.
fn reimage(user: &User, world: &str, host: &str, more: &[&str]) -> Done {
    let mut words = vec![
        "run", "reimage", "--host", host, "--os", "bookworm", "--yes", host,
    ];
    words.extend(["--speed", "0", "--world", world]);
    words.extend(more);
    user.wreimage(&words)
}

/// Another host is reimaged meanwhile: that takes longer than a claim lives.
fn time_passes(user: &User, world: &str) {
    let done = reimage(user, world, "host1004", &[]);
    assert_eq!(done.code, 0, "{}", done.said());
}

/// How many changes a run has begun.
fn changes(user: &User, run: &str) -> usize {
    let folder = user.runs().into_iter().find(|it| it.ends_with(run));
    let entries = user.records(&folder.unwrap());
    entries
        .iter()
        .filter(|it| matches!(it.record, Record::Intent(_)))
        .count()
}

#[test]
fn a_second_controller_waits_for_the_first_takes_over_and_the_first_changes_nothing_more() {
    let (alice, bob) = (User::new(), User::new());
    let run = killed(&alice, "host1001");
    let world = world_of(&alice);

    // Its claim is fresh: nothing gets around it, and a rehearsal shows it.
    let claimed = format!("claimed by the run {run} of");
    for more in [
        &["--new"][..],
        &["--new", "--no-locks"],
        &["--new", "--take-over", &run],
    ] {
        reimage(&bob, &world, "host1001", more).ends_with(
            40,
            &[&claimed, "fresh, phase", "Nothing was touched on host1001"],
        );
    }
    reimage(&bob, &world, "host1001", &["--new", "--dry-run"]).ends_with(0, &[&claimed]);

    // It is stale: consent in advance alone does not take it over.
    time_passes(&bob, &world);
    reimage(&bob, &world, "host1001", &["--new"])
        .ends_with(40, &[&claimed, "stale", &format!("--take-over {run}")]);
    let done = reimage(&bob, &world, "host1001", &["--new", "--take-over", &run]);
    assert_eq!(done.code, 0, "{}", done.said());
    assert!(
        done.said().contains("is taken over from the run"),
        "{}",
        done.said()
    );

    // The first run changes nothing more, and says why.
    let before = changes(&alice, &run);
    resume(&alice, &run, &[]).ends_with(
        50,
        &[
            "does not have the lease on host1001",
            "belongs to another run",
            &format!("wreimage cleanup {run}"),
        ],
    );
    assert_eq!(changes(&alice, &run), before);
    let ended = alice.wreimage(&["cleanup", &run, "--speed", "0"]);
    assert!([21, 30].contains(&ended.code), "{}", ended.said());
    assert!(
        ended.said().contains("the boot override is left"),
        "{}",
        ended.said()
    );
    assert_eq!(state_of(&alice, &run), "cancelled");
}

/// Nobody has seen the installer: the system that it has installed is not taken for the old one.
#[test]
fn a_run_that_is_resumed_after_the_installation_goes_on_in_the_new_system() {
    let user = User::new();
    let run = killed(&user, "host1001");
    time_passes(&user, &world_of(&user));
    let before = changes(&user, &run);
    resume(&user, &run, &[]).ends_with(
        0,
        &["no process has seen the installer", "was reimaged with"],
    );
    assert!(changes(&user, &run) > before);
    let folder = user.runs().into_iter().find(|it| it.ends_with(&run));
    let restarts = user
        .records(&folder.unwrap())
        .into_iter()
        .filter(|it| matches!(&it.record, Record::Intent(it) if it.function == "ipmi.set-power"));
    assert_eq!(restarts.count(), 1, "it was installed once");
}

#[test]
fn several_hosts_are_taken_over_by_the_runs_that_are_named() {
    let (alice, bob) = (User::new(), User::new());
    let runs = ["host1001", "host1003"].map(|host| killed(&alice, host));
    let world = world_of(&alice);
    time_passes(&bob, &world);
    let both = "host[1001,1003]";
    // One whose run is not named keeps the other from being changed.
    reimage(&bob, &world, both, &["--new", "--take-over", &runs[0]])
        .ends_with(40, &[&format!("--take-over {}", runs[1]), "not begun"]);
    time_passes(&bob, &world);
    let take_over = ["--new", "--take-over", &runs[0], "--take-over", &runs[1]];
    let done = reimage(&bob, &world, both, &take_over);
    assert_eq!(done.code, 0, "{}", done.said());
    for run in &runs {
        let taken = format!("is taken over from the run {run}");
        assert!(done.said().contains(&taken), "{}", done.said());
    }
}

#[test]
fn a_lease_folder_that_is_created_stays() {
    let user = User::new();
    let world = world_of(&user);
    assert_eq!(reimage(&user, &world, "host1001", &[]).code, 0);
    let file = user.home.path().join("world/world.json");
    let kept = || -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap()
    };
    let mut without = kept();
    without["lease"]["created"] = serde_json::Value::Null;
    std::fs::write(&file, without.to_string()).unwrap();
    let init = ["lock", "init", "--world", &world];
    user.wreimage(&init).ends_with(0, &["is created"]);
    assert!(kept()["lease"]["created"].is_u64());
    user.wreimage(&init)
        .ends_with(40, &["this world has a lease folder"]);
}

#[test]
fn a_run_resumes_over_its_own_claim_whether_fresh_or_stale() {
    let (alice, bob) = (User::new(), User::new());
    let run = killed(&alice, "host1001");
    resume(&alice, &run, &[]).ends_with(0, &["SUCCESS"]);
    // It gave the host back.
    let world = world_of(&alice);
    let done = reimage(&bob, &world, "host1001", &[]);
    assert_eq!(done.code, 0, "{}", done.said());

    let run = killed(&alice, "host1004");
    let other = reimage(&bob, &world, "host1001", &[]);
    assert_eq!(other.code, 0, "{}", other.said());
    let resumed = resume(&alice, &run, &[]);
    assert_ne!(resumed.code, 40, "{}", resumed.said());
    assert!(
        !resumed.said().contains("does not have the lease"),
        "{}",
        resumed.said()
    );
}

#[test]
fn the_cleanup_of_a_run_gives_its_host_back() {
    let (alice, bob) = (User::new(), User::new());
    let run = killed(&alice, "host1001");
    let ended = alice.wreimage(&["cleanup", &run, "--speed", "0"]);
    assert!([21, 30].contains(&ended.code), "{}", ended.said());
    let done = reimage(&bob, &world_of(&alice), "host1001", &["--new"]);
    assert!(!done.said().contains("is claimed by"), "{}", done.said());
}

#[test]
fn leases_are_listed_and_broken_by_name() {
    let (alice, bob) = (User::new(), User::new());
    let run = killed(&alice, "host1001");
    let world = world_of(&alice);
    let listed = bob.wreimage(&["lock", "ls", "--world", &world]);
    for words in ["lease", &run, "uid", "phase", "fresh"] {
        assert!(listed.out.contains(words), "{words}: {}", listed.out);
    }
    let json = bob.wreimage(&["lock", "ls", "--world", &world, "--output", "json"]);
    assert_eq!(json.events()[0]["lease"]["claim"]["run"], run.as_str());

    bob.wreimage(&["lock", "break", "host1002", "--world", &world])
        .ends_with(64, &["no run holds a lock or a lease \"host1002\""]);

    // What it breaks is shown, and the host's name is needed.
    let break_it = ["lock", "break", "host1001", "--world", &world];
    bob.wreimage(&break_it)
        .ends_with(40, &[&run, "half-way", "not confirmed", "--yes host1001"]);
    bob.wreimage(&[&break_it[..], &["--yes", "host1002"]].concat())
        .ends_with(40, &["not confirmed"]);
    bob.wreimage(&[&break_it[..], &["--yes", "host1001"]].concat())
        .ends_with(0, &["is taken away from the run", &run]);
    let broken = bob.wreimage(&["lock", "ls", "--world", &world]);
    assert!(broken.out.contains("broken"), "{}", broken.out);

    // Whoever acquires waits until it is stale; nobody needs to be named then.
    reimage(&bob, &world, "host1001", &["--new"])
        .ends_with(40, &["an operator broke the claim", "Nothing was touched"]);
    time_passes(&bob, &world);
    let done = reimage(&bob, &world, "host1001", &["--new"]);
    assert_eq!(done.code, 0, "{}", done.said());
    resume(&alice, &run, &[]).ends_with(50, &["belongs to another run"]);
}

/// How a break ends tells whether all that was shown is broken.
#[test]
fn a_lease_that_is_not_broken_is_no_success() {
    let user = User::new();
    let (mut child, mut out) = begin(&user, "host1001", "400");
    let run = until(&mut out, in_post);
    // The world is the run's as long as its process lives: the lease is listed and cannot be broken, and the lock can.
    signal(&child, Signal::SIGSTOP);
    let world = world_of(&user);
    let break_it = |name: &str| {
        user.wreimage(&[
            "lock", "break", name, "--world", &world, "--yes", "host1001",
        ])
    };
    break_it("host1001").ends_with(
        21,
        &[
            &run,
            "was not broken",
            "is taken away from the run",
            "`wreimage lock ls` lists its holder",
        ],
    );
    // Only the lease is left, and nothing is broken.
    break_it("host1001").ends_with(40, &["was not broken", "Nothing was broken"]);
    signal(&child, Signal::SIGKILL);
    child.wait().unwrap();
    break_it("host1001").ends_with(0, &["is taken away from the run", &run]);
}

#[test]
fn leases_that_cannot_be_read_are_not_reported_as_free() {
    let user = User::new();
    let run = killed(&user, "host1001");
    let world = world_of(&user);
    let file = user.home.path().join("world/world.json");
    let text = std::fs::read_to_string(&file).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json["server"]["reachable"] = false.into();
    std::fs::write(&file, json.to_string()).unwrap();
    let break_it = |name: &str| {
        user.wreimage(&[
            "lock", "break", name, "--world", &world, "--yes", "host1001",
        ])
    };
    let unread = "could not be read: the install server";
    let done = break_it("host1001.lab.example").ends_with(40, &[unread, "Nothing was broken"]);
    let is_known = done.said().contains("or a lease");
    assert!(!is_known, "{}", done.said());
    // The lock can be broken; whether a lease is left is not known.
    break_it("host1001").ends_with(21, &[&run, "is taken away from the run", unread]);
    let listed = user.wreimage(&["lock", "ls", "--world", &world]);
    assert!(!listed.said().contains("a lease"), "{}", listed.said());
    listed.ends_with(0, &[unread, "no run holds a lock of this state folder"]);
}

#[test]
fn a_run_is_ended_only_where_its_journal_is() {
    let (alice, bob) = (User::new(), User::new());
    let run = killed(&alice, "host1001");
    let world = world_of(&alice);
    for command in ["cleanup", "resume"] {
        bob.wreimage(&[command, &run, "--world", &world])
            .ends_with(40, &[&run, "in the state folder of", "--take-over"]);
    }
    bob.wreimage(&["cleanup", "nothing", "--world", &world])
        .ends_with(64, &["there is no run"]);
}

/// Removes the records of a run from this one on, as a restored copy of the database would.
fn cut(user: &User, run: &str, from: &str) -> u64 {
    let folder = user.runs().into_iter().find(|it| it.ends_with(run));
    let folder = folder.unwrap();
    let records = user.records(&folder);
    let at = records
        .iter()
        .position(|it| matches!(&it.record, Record::Intent(intent) if intent.function == from));
    let at = at.unwrap() as u64;
    let database = rusqlite::Connection::open(folder.join("journal.db")).unwrap();
    database
        .execute("DELETE FROM record WHERE number > ?1", [at.cast_signed()])
        .unwrap();
    at
}

#[test]
fn a_journal_that_was_cut_is_never_resumed() {
    let user = User::new();
    let run = killed(&user, "host1001");
    let left = cut(&user, &run, "ipmi.set-power");
    let before = changes(&user, &run);
    resume(&user, &run, &[]).ends_with(
        40,
        &[
            &format!("was cut: it ends at record {left}"),
            &format!("wreimage cleanup {run}"),
        ],
    );
    assert_eq!(changes(&user, &run), before);
    let ended = user.wreimage(&["cleanup", &run, "--speed", "0"]);
    assert!([21, 30].contains(&ended.code), "{}", ended.said());
    assert!(
        ended.said().contains("was cut") && ended.said().contains("the boot override is left"),
        "{}",
        ended.said()
    );
}

#[test]
fn a_run_whose_file_of_marks_is_missing_or_damaged_is_never_resumed() {
    for damage in [None, Some(""), Some("no mark")] {
        let user = User::new();
        let run = killed(&user, "host1001");
        let folder = user.runs().into_iter().find(|it| it.ends_with(&run));
        let marks = folder.unwrap().join("journal.mark");
        match damage {
            None => std::fs::remove_file(&marks).unwrap(),
            Some(text) => std::fs::write(&marks, text).unwrap(),
        }
        let before = changes(&user, &run);
        for _ in 0..2 {
            let cleanup = format!("wreimage cleanup {run}");
            resume(&user, &run, &[])
                .ends_with(40, &["journal.mark", "is missing or damaged", &cleanup]);
        }
        assert_eq!(changes(&user, &run), before);
        let ended = user.wreimage(&["cleanup", &run, "--speed", "0"]);
        assert!([21, 30].contains(&ended.code), "{}", ended.said());
    }
}

/// What a cleanup records does not make up for what was lost: as long as the run has not ended, it can only be ended.
#[test]
fn a_cleanup_that_is_stopped_leaves_a_cut_journal_known_as_cut() {
    for (stop, word) in [
        (Signal::SIGTERM, "resumed"),
        (Signal::SIGKILL, "guest-ended"),
    ] {
        let user = User::new();
        let run = killed(&user, "host1001");
        let folder = user.runs().into_iter().find(|it| it.ends_with(&run));
        std::fs::remove_file(folder.unwrap().join("journal.mark")).unwrap();
        let (mut child, mut out) = begin_cleanup(&user, &run);
        until(&mut out, |event| event["event"] == word);
        signal(&child, stop);
        child.wait().unwrap();
        let before = changes(&user, &run);
        resume(&user, &run, &[]).ends_with(
            40,
            &["is missing or damaged", &format!("wreimage cleanup {run}")],
        );
        assert_eq!(changes(&user, &run), before);
        let ended = user.wreimage(&["cleanup", &run, "--speed", "0"]);
        assert!([21, 30].contains(&ended.code), "{}", ended.said());
        let code = ended.code;
        ended.ends_with(code, &["is missing or damaged", "LEFT: the boot override"]);
    }
}

/// A snapshot of the whole state folder: only the lease knows more than it.
#[test]
fn a_state_folder_that_was_restored_is_refused_by_the_lease() {
    let user = User::new();
    let (mut child, mut out) = begin(&user, "host1001", "400");
    let run = until(&mut out, |event| {
        event["event"] == "intent" && event["function"] == "dhcp.publish"
    });
    signal(&child, Signal::SIGSTOP);
    let folder = user.runs().into_iter().find(|it| it.ends_with(&run));
    let folder = folder.unwrap();
    let names = ["journal.db", "journal.db-wal", "journal.mark"];
    let snapshot = names.map(|name| std::fs::read(folder.join(name)).unwrap());
    signal(&child, Signal::SIGCONT);
    until(&mut out, in_post);
    signal(&child, Signal::SIGKILL);
    child.wait().unwrap();
    let whole = changes(&user, &run);
    for (name, bytes) in names.iter().zip(snapshot) {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    let before = changes(&user, &run);
    assert!((1..whole).contains(&before), "{before} of {whole}");
    resume(&user, &run, &[]).ends_with(
        50,
        &["this is an older or another copy", "wreimage cleanup"],
    );
    assert_eq!(changes(&user, &run), before);
}

#[test]
fn the_state_of_a_site_is_not_kept_in_memory() {
    let user = User::new();
    let state = tempfile::tempdir_in("/dev/shm").unwrap();
    let state = state.path().display();
    let site = user.file(
        "site.toml",
        format!("name = \"dc1\"\ndomain = \"dc1.example\"\nstate = \"{state}\"\n"),
    );
    let words = ["run", "reimage", "--host", "host1001", "--os", "bookworm"];
    user.wreimage(&[&words[..], &["--site", &site]].concat())
        .ends_with(64, &["tmpfs", "$XDG_STATE_HOME"]);
}
