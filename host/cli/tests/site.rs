//! Runs on a site: people are told of them, old records go, and one host has one run. Every system of the site is the lab's,
//! on the real clock.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::kept::{signal, until};
use common::{User, guests};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a message may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A site file, with more tables.
fn site(user: &User, world: &str, more: &str) -> String {
    user.file("world.toml", world.as_bytes());
    let all = "\"puppet\", \"puppet-ca\", \"puppetdb\", \"icinga\", \"alertmanager\", \"conftool\", \"debmonitor\", \
               \"httpbb\", \"phabricator\"";
    user.file(
        "site.toml",
        format!(
            "name = \"lab1\"\ndomain = \"lab1.test\"\n[[grants]]\nguest = \"reimage\"\nhosts = [\"*\"]\n\
             capabilities = [\"netbox\", \"dns\", \"ipmi\", \"dhcp\", \"remote\", {all}]\n[netbox]\nprovider = \"lab\"\n\
             [dns]\nprovider = \"lab\"\n[ipmi]\nprovider = \"lab\"\n[dhcp]\nprovider = \"lab\"\n[remote]\n\
             provider = \"lab\"\n[lab]\nworld = \"world.toml\"\ncapabilities = [{all}]\n{more}"
        ),
    )
}

fn world(user: &User) -> String {
    user.wreimage(&["lab", "show"]).out
}

/// A program of the site that keeps what it is told.
fn teller(user: &User) -> (String, PathBuf) {
    let told = user.home.path().join("told");
    let table = format!(
        "[notify]\ncommand = [\"/bin/sh\", \"-c\", \"cat >> {}\"]\n",
        told.display()
    );
    (table, told)
}

/// Waits for the message that fits.
fn told(file: &PathBuf, event: &str) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let messages = text
            .lines()
            .filter_map(|it| serde_json::from_str::<Value>(it).ok());
        if let Some(message) = messages.into_iter().find(|it| it["event"] == event) {
            return message;
        }
        assert!(Instant::now() < end, "nobody was told of `{event}`: {text}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

const REIMAGE: [&str; 8] = [
    "run", "reimage", "--host", "host1001", "--yes", "host1001", "--os", "bullseye",
];

fn begin(user: &User, site: &str) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_wreimage"))
        .env("HOME", user.home.path())
        .env("USER", "tester")
        .env("WREIMAGE_GUESTS", guests())
        .env("XDG_CACHE_HOME", guests().join("../test-cache"))
        .env_remove("XDG_STATE_HOME")
        .args(REIMAGE)
        .args(["--site", site, "--output", "json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

#[test]
fn one_host_has_one_run_and_people_hear_when_it_is_lost() {
    let user = User::new();
    let (table, file) = teller(&user);
    let site = site(&user, &world(&user), &table);
    let (mut child, mut out) = begin(&user, &site);
    let run = until(&mut out, |event| event["text"].to_string().contains("POST"));
    // The other is told which run it is, and that it goes on.
    let second = [&REIMAGE[..], &["--site", &site]].concat();
    user.wreimage(&second)
        .ends_with(40, &[&run, "wait for its end", "Nothing was touched"]);
    let listed = user.wreimage(&["lock", "ls", "--site", &site]);
    assert!(listed.out.contains("alive"), "{}", listed.out);
    signal(&child, Signal::SIGKILL);
    child.wait().unwrap();
    let lost = told(&file, "lost");
    assert_eq!(
        (&lost["run"], &lost["host"]),
        (&run.as_str().into(), &"host1001".into())
    );
    assert!(
        lost["commands"][0]
            .as_str()
            .unwrap()
            .contains("wreimage resume")
    );
    // It is gone on with only at its site.
    user.wreimage(&["resume", &run, "--lab"])
        .ends_with(64, &["works on real systems", "--site"]);
    // The systems of this site went away with their process: nothing of what was set is there any more.
    let ended = user.wreimage(&["cleanup", &run, "--site", &site]);
    assert!([20, 21, 30].contains(&ended.code), "{}", ended.said());
    assert_eq!(told(&file, "ended")["outcome"], "cancelled");
    let listed = user.wreimage(&["lock", "ls", "--site", &site]);
    assert!(listed.out.is_empty(), "{}", listed.out);
}

#[test]
fn people_hear_of_a_run_that_waits_and_a_teller_that_fails_disturbs_nothing() {
    let user = User::new();
    let (table, file) = teller(&user);
    let world = world(&user).replace("rejects = 0", "rejects = 1");
    let path = site(&user, &world, &table);
    let pausing = [&REIMAGE[..], &["--on-failure", "pause", "--site", &path]].concat();
    user.wreimage(&pausing).ends_with(50, &["has failed"]);
    let waits = told(&file, "waits");
    assert!(
        waits["question"].as_str().unwrap().contains("has failed"),
        "{waits}"
    );
    assert!(
        waits["actor"].as_str().unwrap().contains("(uid "),
        "{waits}"
    );

    let user = User::new();
    let broken =
        "[notify]\ncommand = [\"/bin/false\"]\nurl = \"http://127.0.0.1:9/\"\ntimeout = \"2s\"\n";
    let path = site(&user, &world, broken);
    let pausing = [&REIMAGE[..], &["--on-failure", "pause", "--site", &path]].concat();
    user.wreimage(&pausing).ends_with(
        50,
        &["nobody could be told", "/bin/false", "the post failed"],
    );
    user.wreimage(&["site", "check", "--site", &path])
        .ends_with(
            0,
            &["[notify]", "runs /bin/false, posts on: waits, lost, ended"],
        );
}

#[test]
fn messages_are_posted() {
    let user = User::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut reader = BufReader::new(stream);
        let (mut length, mut head) = (0, String::new());
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(number) = line.to_lowercase().strip_prefix("content-length:") {
                length = number.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let mut stream = reader.into_inner();
        stream
            .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
            .unwrap();
        (head, serde_json::from_slice::<Value>(&body).unwrap())
    });
    user.file("hook", format!("http://{address}/hooks/abc\n").as_bytes());
    let table = "[notify]\nurl-secret = { file = \"hook\" }\non = [\"ended\"]\n";
    let world = world(&user);
    let site = site(&user, &world, table);
    // Refused in its first steps: PuppetDB does not know it.
    let done = user.wreimage(&[
        "run", "reimage", "--host", "host1002", "--yes", "host1002", "--os", "bullseye", "--site",
        &site,
    ]);
    done.ends_with(40, &["REFUSED"]);
    let (head, message) = server.join().unwrap();
    assert!(head.starts_with("POST /hooks/abc "), "{head}");
    assert_eq!(message["outcome"], "refused");
}

#[test]
fn records_of_runs_that_have_ended_are_kept_as_long_as_the_site_says() {
    let user = User::new();
    let world = world(&user).replace("rejects = 0", "rejects = 1");
    let path = site(&user, &world, "[retention]\nruns = 1\n");
    let pausing = [&REIMAGE[..], &["--on-failure", "pause", "--site", &path]].concat();
    user.wreimage(&pausing).ends_with(50, &[]);
    for _ in 0..3 {
        let refused = [
            "run", "reimage", "--host", "host1002", "--yes", "host1002", "--os", "bullseye",
            "--site", &path,
        ];
        user.wreimage(&refused).ends_with(40, &[]);
    }
    // The one that waits, the last one before this, and this one.
    let states: Vec<String> = user
        .wreimage(&["runs", "--site", &path, "--output", "json"])
        .events()
        .iter()
        .map(|run| run["state"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(states, ["paused", "refused", "refused"]);
}

#[test]
fn a_site_file_whose_notify_cannot_be_meant() {
    let user = User::new();
    let world = world(&user);
    for (table, words) in [
        ("[notify]\n", "names nobody"),
        ("[notify]\ncommand = []\n", "names no program"),
        ("[notify]\nurl = \"ftp://x\"\n", "https://"),
        (
            "[notify]\nurl = \"https://x\"\nurl-secret = { env = \"X\" }\n",
            "one of them",
        ),
        (
            "[notify]\nurl = \"https://x\"\ntimeout = \"1h\"\n",
            "at most",
        ),
        (
            "[notify]\nurl = \"https://x\"\non = [\"lunch\"]\n",
            "none of the words known here",
        ),
        ("[retention]\nweeks = 3\n", "weeks"),
    ] {
        let site = site(&user, &world, table);
        user.wreimage(&["site", "check", "--site", &site])
            .ends_with(64, &[words]);
    }
}

/// A journal of a run of `dc1` that its process has left paused.
fn paused(state: &std::path::Path, run: &str) {
    let word = str::to_owned;
    let header = wreimage_journal::Header {
        format: 1,
        run: word(run),
        host: word("host1001"),
        batch: None,
        site: word("dc1"),
        mode: wreimage_journal::Mode::Live,
        policy: None,
        dry_run: false,
        resumable: true,
        guest: word("reimage"),
        guest_version: word("0.1.0"),
        guest_digest: word("d1"),
        plugs: Vec::new(),
        options: Vec::new(),
        on_failure: wreimage_journal::OnFailure::Pause,
        actor: word("tester"),
        controller: word("controller1001"),
        reason: None,
        absent: Vec::new(),
        host_key: None,
        lock: None,
        effects: wreimage_journal::RecordedEffects::Digest(word("e1")),
        wreimage: word("0.1.0"),
    };
    let journal = wreimage_journal::RunDatabase::create(state, run).unwrap();
    let why = word("somebody has to look");
    let records = [
        wreimage_journal::Record::Header(Box::new(header)),
        wreimage_journal::Record::Paused { why },
    ];
    for (record, number) in records.into_iter().zip(1..) {
        let time = jiff::Timestamp::from_second(1).unwrap();
        let entry = wreimage_journal::Entry {
            number,
            time,
            record,
        };
        wreimage_journal::Log::append(&journal, &entry, true).unwrap();
    }
}

#[test]
fn what_a_paused_run_has_published_is_renewed_while_nobody_drives_it() {
    let user = User::new();
    let home = user.home.path();
    let folder = home.join("automation");
    let file = user.file(
        "site.toml",
        format!(
            "name = \"dc1\"\ndomain = \"dc1.test\"\nstate = \"state\"\n[netbox]\nprovider = \"file\"\n\
             inventory = \"inventory.toml\"\n[dhcp]\nprovider = \"dhcpincludes\"\nfolder = {:?}\n\
             schedule = [\"true\"]\nscheduled = [\"true\"]\nunschedule = [\"true\"]\n",
            folder
        ),
    );
    user.file("inventory.toml", "[hosts.host1001]\nstatus = \"active\"\n");
    let run = "20260101T000000-host1001-00000001";
    // This process has driven it.
    paused(&home.join("state"), run);
    let own = wreimage_journal::Process::own();
    let state = folder.join(".wreimage");
    std::fs::create_dir_all(&state).unwrap();
    std::fs::create_dir_all(folder.join("ttyS1-115200")).unwrap();
    let entry = folder.join("ttyS1-115200/host1001.conf");
    std::fs::write(&entry, "an entry\n").unwrap();
    let sum = Command::new("sha256sum")
        .arg(&entry)
        .output()
        .unwrap()
        .stdout;
    let digest = String::from_utf8(sum).unwrap()[..64].to_owned();
    let record = state.join(format!("host1001.{digest}.entry"));
    let soon = format!(
        "format=1\nrun={run}\ndigest={digest}\nentry={}\nproxy=p\nperiod-ms=7200000\nboot=b\nuptime-ms=1\nend=1\n",
        entry.display()
    );
    let renewed = |what: &str| {
        let end = Instant::now() + PATIENCE;
        while std::fs::read_to_string(&record).unwrap() == soon {
            assert!(Instant::now() < end, "not renewed {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let watch = |id: u32, began: &str| {
        std::fs::write(&record, &soon).unwrap();
        Command::new(env!("CARGO_BIN_EXE_wreimage"))
            .env("HOME", home)
            .args(["watch", &id.to_string(), began, "--site", &file])
            .stdin(Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut living = watch(own.id, &own.began);
    renewed("while its process lives");
    living.kill().unwrap();
    living.wait().unwrap();
    // The same after the process is gone, until the run has ended.
    let driver = home.join(format!("state/runs/{run}/driver"));
    std::fs::write(&driver, format!("process {}\nlong ago\n", own.id)).unwrap();
    let mut gone = watch(own.id, "long ago");
    renewed("after its process is gone");
    assert!(gone.try_wait().unwrap().is_none());
    std::fs::remove_dir_all(home.join("state/runs")).unwrap();
    let end = Instant::now() + PATIENCE;
    while gone.try_wait().unwrap().is_none() {
        assert!(Instant::now() < end, "it looks after nothing");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_state_folder_that_would_not_share_is_told() {
    let user = User::new();
    let file = user.file(
        "site.toml",
        "name = \"dc1\"\ndomain = \"dc1.test\"\nstate = \"state\"\n",
    );
    let folder = user.home.path().join("state");
    std::fs::create_dir(&folder).unwrap();
    let check = |mode: u32| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&folder, mode).unwrap();
        user.wreimage(&["site", "check", "--site", &file])
    };
    check(0o700).ends_with(0, &["for their owner alone"]);
    check(0o2770).ends_with(0, &["shared with the folder's group"]);
    let wrong = check(0o770);
    assert!(
        wrong.code != 0 && wrong.said().contains("chmod g+s"),
        "{}",
        wrong.said()
    );
}
