//! Several hosts at once, by the program as a user calls it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::kept::{begin, signal, until};
use common::{Done, User};
use nix::sys::signal::Signal;
use serde_json::Value;

fn reimage(user: &User, hosts: &str, more: &[&str]) -> Done {
    let mut words = vec![
        "run", "reimage", "--lab", "--os", "bullseye", "--host", hosts, "--yes", hosts,
    ];
    words.extend(more);
    user.wreimage(&words)
}

/// The outcome of each host, by the summary.
fn outcomes(done: &Done) -> Vec<(String, String)> {
    let summary = done.events().pop().unwrap();
    assert_eq!(summary["event"], "summary");
    let word = |line: &Value, key: &str| line[key].as_str().unwrap().to_owned();
    let hosts = summary["hosts"].as_array().unwrap().iter();
    hosts
        .map(|line| (word(line, "host"), word(line, "outcome")))
        .collect()
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = |(host, outcome): &(&str, &str)| ((*host).to_owned(), (*outcome).to_owned());
    list.iter().map(own).collect()
}

fn world(user: &User) -> (String, std::path::PathBuf) {
    let folder = user.home.path().join("world");
    (folder.display().to_string(), folder.join("world.json"))
}

fn batch_of(done: &Done) -> String {
    let line = done
        .err
        .lines()
        .find_map(|line| line.strip_prefix("batch "));
    line.unwrap().to_owned()
}

#[test]
fn each_host_has_its_own_run_and_a_failure_disturbs_no_other() {
    let user = User::new();
    // host1002 is new to PuppetDB, and refused; host1010's BMC does not answer.
    let done = reimage(
        &user,
        "host[1001-1003,1010]",
        &["--output", "json", "--max-failures", "9"],
    );
    assert_eq!(done.code, 41, "{}", done.said());
    let ended = outcomes(&done);
    let wanted = [
        ("host1001", "success"),
        ("host1002", "refused"),
        ("host1003", "success"),
        ("host1010", "refused"),
    ];
    assert_eq!(ended, pairs(&wanted));
    // Each event says whose it is.
    let events = done.events();
    let of = |host: &str| events.iter().filter(|event| event["on"] == host).count();
    assert!(of("host1001") > 100 && of("host1010") > 3);
    assert_eq!(user.runs().len(), 4);
    for run in user.runs() {
        let first = user.records(&run).remove(0);
        let wreimage_journal::Record::Header(header) = first.record else {
            panic!("{first:?}");
        };
        assert!(header.batch.is_some());
    }
    let text = reimage(&user, "host1001,host1002", &["--max-failures", "2"]);
    let text = text.ends_with(41, &["2 hosts, 1 done", "REFUSED", "--new"]);
    assert!(text.out.contains("host1001     success"), "{}", text.out);
}

/// Where the first change of each host stands among the events, and where the last host was validated.
fn first_changes(done: &Done) -> Vec<(String, usize)> {
    let events = done.events();
    let mut first: Vec<(String, usize)> = Vec::new();
    for (at, event) in events.iter().enumerate() {
        let host = event["on"].as_str().unwrap_or_default();
        if event["event"] == "intent" && first.iter().all(|(known, _)| known != host) {
            first.push((host.to_owned(), at));
        }
    }
    first
}

#[test]
fn nothing_is_changed_before_all_hosts_are_validated() {
    for parallel in ["1", "10"] {
        let user = User::new();
        let more = [
            "--output",
            "json",
            "--max-failures",
            "9",
            "--parallel",
            parallel,
        ];
        let done = reimage(&user, "host[1001-1003]", &more);
        assert_eq!(done.code, 41, "{}", done.said());
        let events = done.events();
        let began = |host: &str| {
            let first = |event: &Value| event["on"] == host && event["event"] == "header";
            events.iter().position(first).unwrap()
        };
        let refused = events
            .iter()
            .position(|event| event["event"] == "finished" && event["on"] == "host1002")
            .unwrap();
        let changed = first_changes(&done);
        // Which of them is first is not promised.
        let mut hosts: Vec<&str> = changed.iter().map(|(host, _)| host.as_str()).collect();
        hosts.sort_unstable();
        assert_eq!(hosts, ["host1001", "host1003"]);
        for (host, at) in &changed {
            assert!(*at > began("host1003") && *at > refused, "{host}");
        }
    }
}

#[test]
fn a_host_that_is_refused_keeps_the_others_from_being_changed() {
    let user = User::new();
    // By default, one that is not well is too many.
    let done = reimage(&user, "host[1001-1003]", &["--output", "json"]);
    assert_eq!(done.code, 40, "{}", done.said());
    let wanted = [
        ("host1001", "not begun"),
        ("host1002", "refused"),
        ("host1003", "not begun"),
    ];
    assert_eq!(outcomes(&done), pairs(&wanted));
    assert!(first_changes(&done).is_empty(), "{}", done.said());
}

#[test]
fn hosts_that_were_kept_back_are_begun_when_the_batch_is_resumed() {
    let user = User::new();
    let (folder, _) = world(&user);
    let done = reimage(
        &user,
        "host[1001-1003]",
        &["--world", &folder, "--output", "json"],
    );
    assert_eq!(done.code, 40, "{}", done.said());
    let locks = user.wreimage(&["lock", "ls", "--lab"]);
    assert!(locks.out.is_empty(), "{}", locks.out);
    let all = "host[1001-1003]";
    let batch = batch_of(&done);
    let resumed = user.wreimage(&[
        "resume", &batch, "--lab", "--speed", "0", "--yes", all, "--output", "json",
    ]);
    assert_eq!(resumed.code, 0, "{}", resumed.said());
    let wanted = [("host1001", "success"), ("host1003", "success")];
    assert_eq!(outcomes(&resumed), pairs(&wanted));
}

#[test]
fn hosts_of_one_site_go_on_beside_each_other() {
    let user = User::new();
    let (folder, file) = world(&user);
    let done = reimage(
        &user,
        "host1001,host1003",
        &["--world", &folder, "--output", "json"],
    );
    assert_eq!(done.code, 0, "{}", done.said());
    let text = std::fs::read_to_string(file).unwrap();
    let world: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(world["server"]["entries"], serde_json::json!({}));
    assert_eq!(world["server"]["publications"], 2);
    for host in ["host1001", "host1003"] {
        assert_eq!(
            world["machines"][host]["counters"]["installations"], 1,
            "{host}"
        );
    }
    // They were at work at the same time: by the world's clock the whole took little longer than one alone.
    let finished = |event: &&Value| event["event"] == "finished";
    let ends: Vec<String> = done
        .events()
        .iter()
        .filter(finished)
        .map(|event| event["time"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ends.len(), 2);
    assert!(
        ends.iter().all(|end| end.as_str() < "2026-01-05T09:20"),
        "{ends:?}"
    );
}

#[test]
fn too_many_failures_end_the_beginning_and_the_batch_can_be_gone_on_with() {
    let user = User::new();
    let (folder, _) = world(&user);
    let careful = ["--world", &folder, "--parallel", "1", "--output", "json"];
    let done = reimage(&user, "host1002,host1001,host1003", &careful);
    assert_eq!(done.code, 40, "{}", done.said());
    let wanted = [
        ("host1002", "refused"),
        ("host1001", "not begun"),
        ("host1003", "not begun"),
    ];
    assert_eq!(outcomes(&done), pairs(&wanted));
    let batch = batch_of(&done);
    let shown = user.wreimage(&["show", &batch, "--lab"]);
    assert!(shown.out.contains("not begun"), "{}", shown.out);
    let other = user.wreimage(&[
        "resume", &batch, "--lab", "--speed", "0", "--yes", "host1001",
    ]);
    other.ends_with(40, &["other hosts than"]);
    let user = User::new();
    let (folder, _) = world(&user);
    let careful = ["--world", &folder, "--parallel", "1", "--output", "json"];
    let done = reimage(&user, "host1002,host1001,host1003", &careful);
    let batch = batch_of(&done);
    // What has ended is not begun again.
    let all = "host[1001-1003]";
    let resumed = user.wreimage(&[
        "resume", &batch, "--lab", "--speed", "0", "--yes", all, "--output", "json",
    ]);
    assert_eq!(resumed.code, 0, "{}", resumed.said());
    let wanted = [("host1001", "success"), ("host1003", "success")];
    assert_eq!(outcomes(&resumed), pairs(&wanted));
    user.wreimage(&["resume", &batch, "--lab"])
        .ends_with(40, &["have ended"]);
}

/// A batch of two whose process was killed while a machine was in POST; its id.
fn killed_batch(user: &User) -> String {
    let (mut child, mut out) = begin(user, "host1001,host1003", "400");
    until(&mut out, |event| event["text"].to_string().contains("POST"));
    signal(&child, Signal::SIGKILL);
    child.wait().unwrap();
    let state = user.home.path().join(".local/state/wreimage/batches");
    let batch = std::fs::read_dir(state).unwrap().next().unwrap().unwrap();
    let batch = batch.path();
    batch.file_stem().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn no_more_hosts_than_wanted_are_at_work_when_a_batch_is_resumed() {
    let user = User::new();
    let batch = killed_batch(&user);
    let resume = ["resume", &batch, "--lab", "--speed", "0"];
    let resumed = user.wreimage(&[&resume[..], &["--parallel", "1", "--output", "json"]].concat());
    // The second one was installed while the first was at work, and no process has seen its installer: that is asked about.
    assert_eq!(resumed.code, 50, "{}", resumed.said());
    let mut hosts: Vec<String> = resumed
        .events()
        .iter()
        .filter_map(|event| Some(event["on"].as_str()?.to_owned()))
        .collect();
    hosts.dedup();
    assert_eq!(hosts.len(), 2, "one after the other: {hosts:?}");
}

#[test]
fn a_killed_batch_goes_on_with_all_of_it() {
    let user = User::new();
    let (_, file) = world(&user);
    let batch = killed_batch(&user);
    let resumed = user.wreimage(&[
        "resume", &batch, "--lab", "--speed", "0", "--output", "json",
    ]);
    assert_eq!(resumed.code, 0, "{}", resumed.said());
    let wanted = [("host1001", "success"), ("host1003", "success")];
    assert_eq!(outcomes(&resumed), pairs(&wanted));
    let text = std::fs::read_to_string(file).unwrap();
    let world: Value = serde_json::from_str(&text).unwrap();
    for host in ["host1001", "host1003"] {
        assert_eq!(
            world["machines"][host]["counters"]["installations"], 1,
            "{host}"
        );
    }
    let locks = user.wreimage(&["lock", "ls", "--lab"]);
    assert!(locks.out.is_empty(), "{}", locks.out);
}

#[test]
fn consent_is_for_exactly_these_hosts() {
    let user = User::new();
    let run = |yes: &str| {
        user.wreimage(&[
            "run",
            "reimage",
            "--lab",
            "--os",
            "bullseye",
            "--host",
            "host[1001,1003]",
            "--yes",
            yes,
        ])
    };
    run("host1003,host1001").ends_with(0, &["2 hosts, 2 done"]);
    run("host[1001-1003]").ends_with(40, &["other hosts than", "2 hosts, 0 done"]);
    let nobody = [
        "run",
        "reimage",
        "--lab",
        "--os",
        "bullseye",
        "--host",
        "host[1001,1003]",
    ];
    user.wreimage(&nobody)
        .ends_with(40, &["--yes 'host[1001,1003]'"]);
}

#[test]
fn what_names_no_hosts_is_said() {
    let user = User::new();
    for (wrong, words) in [
        ("host[1001-", "leaves a bracket open"),
        ("host[5-1]", "backwards"),
        ("host1001,host1001", "host1001 twice"),
        ("host[1-2000]", "more than 1000"),
    ] {
        reimage(&user, wrong, &[]).ends_with(64, &[words]);
    }
    assert!(user.runs().is_empty());
}
