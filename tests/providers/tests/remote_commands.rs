//! `remote` by the built-in SSH client against a real sshd: commands and reboots.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wreimage_capability::remote::{CommandResult, Exit};
use wreimage_capability::{Call, FaultKind, Polled, Reconciled};
use wreimage_provider_tests::call::{Notes, ask, reconcile, with, witness};
use wreimage_provider_tests::remote::{ANYTHING, command, run};
use wreimage_provider_tests::site::TestSite;
use wreimage_provider_tests::sshd::{BOOT_ID, OTHER_BOOT_ID, Sshd};
use wreimage_provider_tests::tools::script;

#[tokio::test]
async fn commands_give_status_signal_and_both_streams() {
    let site = TestSite::new();
    let mut sshd = Sshd::new(&site, false);
    sshd.up();
    let providers = site.open(&sshd.table(ANYTHING));
    let result = run(&providers, &["sh", "-c", "echo out; echo err >&2; exit 3"])
        .await
        .unwrap();
    assert_eq!(result.exit, Exit::Status(3));
    assert_eq!(
        (result.stdout_tail.as_str(), result.stderr_tail.as_str()),
        ("out\n", "err\n")
    );
    let result = run(&providers, &["sh", "-c", "kill -KILL $$"])
        .await
        .unwrap();
    // The login shell runs the last command in its own place, so the signal is the session's.
    assert_eq!(result.exit, Exit::Signal("KILL".to_owned()));
    let result = run(&providers, &["no-such-program"]).await.unwrap();
    assert_eq!(result.exit, Exit::Status(127));

    let nasty = [
        "",
        " ",
        "a b",
        "'",
        "\"",
        "$(touch x)",
        "`id`",
        "a;b",
        "a\nb",
        "\\",
        "*",
        "ü=1",
        "-n",
        "!x",
        "~",
    ];
    let mut argv = vec!["printf", "%s|"];
    argv.extend(nasty);
    let result = run(&providers, &argv).await.unwrap();
    assert_eq!(
        result.stdout_tail,
        nasty.map(|word| format!("{word}|")).concat()
    );
}

#[tokio::test]
async fn output_is_bounded_and_kept_by_digest() {
    let site = TestSite::new();
    let mut sshd = Sshd::new(&site, false);
    sshd.up();
    let providers = site.open(&sshd.table(ANYTHING));
    let notes = Arc::new(Notes::default());
    let call = Call::new("run", 1, notes.clone());
    let script = "head -c 20000000 /dev/zero | tr '\\0' x; echo the end; echo on stderr >&2";
    let arguments = command(&["sh", "-c", script], 60_000);
    let Polled::Ready(result) = with::<CommandResult>(&call, &providers, "remote.run", arguments)
        .await
        .unwrap()
    else {
        panic!("pending")
    };
    assert_eq!(result.stdout_tail.len(), 16 << 10);
    assert!(result.stdout_tail.ends_with("xthe end\n"));
    assert_eq!(result.stderr_tail, "on stderr\n");
    assert_eq!(notes.kept.lock().unwrap()[0].len(), 8 << 20);
    assert!(result.blob.is_some());
    assert!(
        result
            .extra
            .contains(&("blob-truncated".to_owned(), "true".to_owned()))
    );
}

#[tokio::test]
async fn only_allowed_commands_run() {
    let site = TestSite::new();
    let sshd = Sshd::start(&site);
    let table = sshd.table("allow = [[\"echo\", \"*.service\"], [\"echo\", \"{fqdn}\"]]");
    let providers = site.open(&table);
    assert!(run(&providers, &["echo", "a.service"]).await.is_ok());
    assert!(
        run(&providers, &["echo", "host1001.lab1.test"])
            .await
            .is_ok()
    );
    for argv in [
        &["echo", "x"][..],
        &["echo", "a.service", "b"],
        &["rm", "a.service"],
        &[],
    ] {
        let fault = run(&providers, argv).await.unwrap_err();
        assert_eq!(
            (&fault.kind, fault.code.as_str()),
            (&FaultKind::Denied, "remote.not-allowed")
        );
    }
}

#[tokio::test]
async fn timeouts_and_broken_connections_leave_doubt() {
    let site = TestSite::new();
    let sshd = Sshd::start(&site);
    let providers = site.open(&sshd.table(ANYTHING));
    let start = Instant::now();
    let arguments = command(&["sleep", "30"], 700);
    let before = witness(&providers, "remote.run", &arguments).await;
    assert_eq!(before["boot-id"], BOOT_ID);
    let fault = ask::<CommandResult>(&providers, "remote.run", arguments.clone())
        .await
        .unwrap_err();
    assert_eq!(
        (&fault.kind, fault.code.as_str()),
        (&FaultKind::Timeout, "remote.command-timeout")
    );
    assert!(fault.leaves_doubt() && start.elapsed() < Duration::from_secs(5));

    let broken = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let killed = std::process::Command::new("kill")
            .args(["-KILL", &sshd.session().to_string()])
            .status();
        assert!(killed.unwrap().success());
    };
    let sleep = run(&providers, &["sleep", "20"]);
    let (result, ()) = tokio::join!(sleep, broken);
    let fault = result.unwrap_err();
    assert_eq!(
        (&fault.kind, fault.code.as_str()),
        (&FaultKind::InDoubt, "remote.in-doubt")
    );
    let verdict = reconcile(&providers, "remote.run", &arguments, &before).await;
    assert!(matches!(verdict, Reconciled::Unknown(_)));
}

/// A machine that takes the connection and says nothing: no command was sent, so there is nothing to doubt.
#[tokio::test]
async fn a_login_that_hangs_leaves_no_doubt() {
    let site = TestSite::new();
    let sshd = Sshd::new(&site, true);
    let _silent = std::net::TcpListener::bind(("127.0.0.1", sshd.port)).unwrap();
    let providers = site.open(&sshd.table(&format!("login-timeout = \"500ms\"\n{ANYTHING}")));
    let reboot = ask::<()>(&providers, "remote.reboot", json!({ "at": "Production" })).await;
    let run = run(&providers, &["true"]).await;
    for fault in [reboot.unwrap_err(), run.unwrap_err()] {
        assert_eq!(fault.kind, FaultKind::Unreachable);
        assert!(fault.message.contains("was not sent"), "{}", fault.message);
    }
}

#[tokio::test]
async fn a_reboot_is_proven_by_the_boot_id() {
    let site = TestSite::new();
    let sshd = Sshd::start(&site);
    script(
        &site.path("bin/reboot"),
        &format!(
            "#!/bin/sh\necho {OTHER_BOOT_ID} > {}\n",
            site.path("machine/boot_id").display()
        ),
    );
    let providers = site.open(&sshd.table(""));
    let arguments = json!({ "at": "Production" });
    let before = witness(&providers, "remote.reboot", &arguments).await;
    let start = Instant::now();
    ask::<()>(&providers, "remote.reboot", arguments.clone())
        .await
        .unwrap();
    assert!(start.elapsed() < Duration::from_secs(1), "it is detached");
    let verdict = reconcile(&providers, "remote.reboot", &arguments, &before).await;
    assert_eq!(verdict, Reconciled::happened());

    let providers = site.open(&sshd.table("reboot = [\"no-such-program\"]"));
    let fault = ask::<()>(&providers, "remote.reboot", arguments)
        .await
        .unwrap_err();
    assert_eq!(fault.code, "remote.reboot-refused");
}

#[tokio::test]
async fn a_command_begins_and_a_short_one_ends_only_while_the_claim_is_valid() {
    let site = TestSite::new();
    let mut sshd = Sshd::new(&site, false);
    sshd.up();
    let providers = site.open(&sshd.table(ANYTHING));
    let marker = site.path("begun");
    let late = site.path("late");
    let touch = format!(
        "touch {}; sleep 5; touch {}",
        marker.display(),
        late.display()
    );
    let arguments = || command(&["sh", "-c", &touch], 30_000);
    let mut call = Call::alone();
    call.valid_until = Some(Instant::now());
    let fault = with::<CommandResult>(&call, &providers, "remote.run", arguments()).await;
    let fault = fault.map(|_| ()).unwrap_err();
    assert_eq!(fault.code, "call.claim-expired", "{fault:?}");
    assert!(!marker.exists(), "the command was begun without a claim");

    let began = Instant::now();
    call.valid_until = Some(began + Duration::from_secs(2));
    let fault = with::<CommandResult>(&call, &providers, "remote.run", arguments()).await;
    let fault = fault.map(|_| ()).unwrap_err();
    assert!(fault.leaves_doubt(), "{fault:?}");
    assert!(marker.exists());
    assert!(began.elapsed() < Duration::from_secs(5), "{fault:?}");
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(!late.exists(), "it changed the machine without a claim");
}
