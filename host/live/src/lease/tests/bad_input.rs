//! What is on the disk of the install server by mistake or by misfortune: one clear message each, and nothing is lost.

use super::requests::{held, request};
use super::rig::{AUTOMATION, Edit, Rig, TTL};
use std::os::unix::fs::symlink;
use std::time::Duration;
use wreimage_capability::lease::{Lease, LeaseError, Right, Token};

const FQDN: &str = "host1.lab1.test";

async fn verified(rig: &Rig, claim: &wreimage_capability::lease::HeldClaim) -> String {
    rig.lease.verify(claim).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_claim_that_is_empty_cut_or_a_folder_keeps_everybody_away_until_it_is_broken() {
    let spoil: [fn(&std::path::Path); 4] = [
        |path| std::fs::write(path, "").unwrap(),
        |path| {
            let text = std::fs::read_to_string(path).unwrap();
            std::fs::write(path, &text[..text.len() / 2]).unwrap();
        },
        |path| std::fs::write(path, [0xff, 0, 0xff, b'\n']).unwrap(),
        |path| {
            std::fs::remove_file(path).unwrap();
            std::fs::create_dir(path).unwrap();
        },
    ];
    for (number, spoil) in spoil.iter().enumerate() {
        let mut rig = Rig::new(&[]).await;
        let first = request("r1", "t1", None, Right::Begin);
        rig.lease.acquire(&first).await.unwrap();
        spoil(&rig.lease_folder().join("claims").join(FQDN));
        let why = verified(&rig, &held(&first)).await;
        assert!(why.contains("wreimage lock break host1"), "{number}: {why}");
        rig.pass(10 * TTL);
        // Another host: whose claim that is cannot be known.
        let mut other = request("r2", "t2", None, Right::Begin);
        other.claim.host.fqdn = "host2.lab1.test".to_owned();
        other.claim.host.serial = None;
        for wanted in [&request("r2", "t2", None, Right::Begin), &other] {
            let why = rig.lease.acquire(wanted).await.unwrap_err().to_string();
            assert!(why.contains("is damaged"), "{number}: {why}");
            let why = rig.lease.observe(&wanted.claim.host).await.unwrap_err();
            assert!(matches!(&why, LeaseError::Folder(why) if why.contains("lock break")));
        }
        let shown = rig.lease.list().await.unwrap().claims;
        assert_eq!(shown.len(), 1, "{number}");
        assert_eq!(shown[0].claim.run, "damaged");
        let token = shown[0].claim.token.clone();
        let wrong = rig.lease.break_claim(FQDN, &Token("t1".to_owned())).await;
        assert!(wrong.is_err(), "{number}");
        rig.lease.break_claim(FQDN, &token).await.unwrap();
        // How old the claim was is not known, so it is waited for.
        let next = request("r2", "t2", Some("damaged"), Right::Begin);
        assert!(rig.lease.acquire(&next).await.is_err(), "{number}");
        rig.pass(TTL);
        rig.lease.acquire(&next).await.unwrap();
    }
}

#[tokio::test]
async fn what_a_later_version_wrote_is_refused() {
    let rig = Rig::new(&[]).await;
    let first = request("r1", "t1", None, Right::Begin);
    rig.lease.acquire(&first).await.unwrap();
    let path = rig.lease_folder().join("claims").join(FQDN);
    let text = std::fs::read_to_string(&path).unwrap();
    let later = text.replace("format=1\n", "format=2\nnew-key=1\n");
    std::fs::write(&path, &later).unwrap();
    let why = verified(&rig, &held(&first)).await;
    assert!(why.contains("later version"), "{why}");
    let request = request("r2", "t2", Some("t1"), Right::Begin);
    let why = rig.lease.acquire(&request).await.unwrap_err().to_string();
    assert!(why.contains("later version"), "{why}");
    let token = Token("t1".to_owned());
    assert!(rig.lease.break_claim(FQDN, &token).await.is_err());
    let shown = rig.lease.list().await.unwrap().claims;
    assert!(shown[0].claim.format > 1);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), later);

    let meta = rig.lease_folder().join("folder");
    let text = std::fs::read_to_string(&meta).unwrap();
    std::fs::write(&meta, text.replace("format=1\n", "format=2\n")).unwrap();
    let why = verified(&rig, &held(&first)).await;
    assert!(why.contains("later version"), "{why}");
    std::fs::write(&meta, "").unwrap();
    let why = verified(&rig, &held(&first)).await;
    assert!(why.contains("is damaged"), "{why}");
}

/// `/dev/full` stands in for a disk without space.
#[tokio::test]
async fn a_disk_that_is_full_confirms_nothing_and_loses_nothing() {
    let rig = Rig::new(&[]).await;
    let first = request("r1", "t1", None, Right::Begin);
    rig.lease.acquire(&first).await.unwrap();
    let path = rig.lease_folder().join("claims").join(FQDN);
    let before = std::fs::read_to_string(&path).unwrap();
    let full = rig.lease_folder().join(format!("claims/{FQDN}~"));
    for _ in 0..2 {
        symlink("/dev/full", &full).unwrap();
        let answer = rig.lease.verify(&held(&first)).await;
        assert!(
            matches!(&answer, Err(LeaseError::NoAnswer(fault)) if fault.message.contains("cannot be written")),
            "{answer:?}"
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
        let _ = std::fs::remove_file(&full);
    }
    symlink("/dev/full", &full).unwrap();
    let answers = rig.lease.renew(&[held(&first)]).await.unwrap();
    // No answer, and not a claim that is lost: the next renewal is in time.
    assert!(
        matches!(&answers[0], Err(LeaseError::NoAnswer(fault)) if fault.message.contains("cannot be written")),
        "{answers:?}"
    );
    let _ = std::fs::remove_file(&full);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
    rig.lease.verify(&held(&first)).await.unwrap();
}

/// One in memory, and one on a file system where a copy could not be distinguished from it.
#[tokio::test]
async fn a_folder_that_would_not_last_or_not_be_known_again_is_refused() {
    for (edit, words) in [
        (("$(stat -f -c %T \"$folder\")", "tmpfs"), "is in memory"),
        (("%i %w:%u", "%i -:%u"), "has no times of birth"),
    ] {
        let rig = Rig::empty(&[edit]);
        match rig.lease.0.create(None).await {
            Err(LeaseError::Folder(why)) => assert!(why.contains(words), "{why}"),
            other => panic!("{other:?}"),
        }
        assert!(!rig.lease_folder().exists());
    }
}

/// The command that the message names works, whatever part of the folder is damaged or missing.
#[tokio::test]
async fn a_folder_that_is_damaged_is_moved_aside_by_the_command_that_is_printed() {
    let spoil: [fn(&std::path::Path); 4] = [
        |folder| {
            let text = std::fs::read_to_string(folder.join("folder")).unwrap();
            std::fs::write(folder.join("folder"), text.replace("end=1\n", "")).unwrap();
        },
        |folder| std::fs::write(folder.join("folder"), "").unwrap(),
        |folder| std::fs::remove_file(folder.join("folder")).unwrap(),
        |folder| std::fs::remove_dir_all(folder.join("claims")).unwrap(),
    ];
    for (number, spoil) in spoil.iter().enumerate() {
        let mut rig = Rig::new(&[]).await;
        let first = request("r1", "t1", None, Right::Begin);
        rig.lease.acquire(&first).await.unwrap();
        spoil(&rig.lease_folder());
        let why = verified(&rig, &held(&first)).await;
        assert!(why.contains("wreimage lock init"), "{number}: {why}");
        let ttl = Some(Duration::from_millis(TTL));
        let text = rig.lease.0.create(ttl).await.unwrap();
        assert!(text.contains("was moved to"), "{number}: {text}");
        rig.pass(TTL);
        rig.lease.acquire(&first).await.unwrap();
    }
}

/// An install server whose clock is two hours off: in either direction, and files that were written by that clock.
#[tokio::test]
async fn a_wall_clock_that_is_wrong_moves_no_age() {
    const CLOCKS: [Edit; 2] = [
        (
            "umask 022\n",
            "umask 022\ndate() { command date -d '2 hours' \"$@\"; }\n",
        ),
        (
            "umask 022\n",
            "umask 022\ndate() { command date -d '-2 hours' \"$@\"; }\n",
        ),
    ];
    for (clock, shift) in CLOCKS.into_iter().zip(["2 hours", "-2 hours"]) {
        let mut rig = Rig::new(&[clock]).await;
        let first = request("r1", "t1", None, Right::Begin);
        rig.lease.acquire(&first).await.unwrap();
        let published = rig.publish(&held(&first)).await;
        assert_eq!(published.as_deref(), Some("published"));
        let auto = rig.path("auto");
        let shifted = std::process::Command::new("find")
            .arg(&auto)
            .args(["-exec", "touch", "-h", "-d", shift, "{}", "+"])
            .status();
        assert!(shifted.unwrap().success());
        rig.pass(TTL - 1000);
        let over = Right::TakeOver {
            run: "r1".to_owned(),
        };
        let second = request("r2", "t2", Some("t1"), over);
        let why = rig.lease.acquire(&second).await.unwrap_err().to_string();
        assert!(why.contains("last heartbeat 9 s ago"), "{why}");
        rig.lease.verify(&held(&first)).await.unwrap();
        let renewed = rig.lease.renew(&[held(&first)]).await.unwrap();
        assert!(renewed[0].is_ok(), "{renewed:?}");
        rig.pass(TTL);
        rig.lease.acquire(&second).await.unwrap();
        let published = rig.publish(&held(&second)).await;
        assert_eq!(published.as_deref(), Some("published"));
        assert_eq!(rig.published().unwrap().0, "r2");
        assert_eq!(*rig.way.errors.lock().unwrap(), "");
    }
}

/// The scripts read no wall clock: the two texts that have a date are for people.
#[test]
fn no_script_judges_by_a_wall_clock() {
    for script in [
        crate::install_server::LIBRARY,
        AUTOMATION,
        super::super::CLAIMS,
        super::super::REQUESTS,
        include_str!("../../dhcp/publish.sh"),
        include_str!("../../dhcp/withdraw.sh"),
        include_str!("../../dhcp/renew.sh"),
        include_str!("../../dhcp/look.sh"),
        include_str!("../../dhcp/expire.sh"),
        include_str!("../../dhcp/check.sh"),
    ] {
        for line in script.lines().filter(|line| line.contains("date ")) {
            let is_for_people = line.contains(", since %s");
            assert!(
                is_for_people || line.trim_start().starts_with('#'),
                "{line}"
            );
        }
    }
}
