//! Entries of other runs: none is withdrawn, and none disappears without its run learning of it.

use super::requests::{held, request};
use super::rig::{Rig, TTL};
use std::path::PathBuf;
use wreimage_capability::lease::{HeldClaim, Lease, Right};

/// The names of the files about entries that end so.
fn files(rig: &Rig, end: &str) -> Vec<PathBuf> {
    let folder = std::fs::read_dir(rig.path("auto/.wreimage")).unwrap();
    let paths = folder.map(|file| file.unwrap().path());
    let fits = |path: &PathBuf| path.display().to_string().ends_with(end);
    paths.filter(fits).collect()
}

/// A run that has published, and the claim of another one that took the host over; then its entry is removed by hand.
async fn removed_by_hand() -> (Rig, HeldClaim) {
    let mut rig = Rig::new(&[]).await;
    let first = request("r1", "t1", None, Right::Begin);
    rig.lease.acquire(&first).await.unwrap();
    let published = rig.publish(&held(&first)).await;
    assert_eq!(published.as_deref(), Some("published"));
    rig.pass(TTL);
    let over = Right::TakeOver {
        run: "r1".to_owned(),
    };
    let second = request("r2", "t2", Some("t1"), over);
    rig.lease.acquire(&second).await.unwrap();
    std::fs::remove_file(rig.path("auto/snippets/host1.conf")).unwrap();
    std::fs::write(rig.path("auto/proxy.conf"), "").unwrap();
    (rig, held(&second))
}

#[tokio::test]
async fn a_withdrawal_leaves_the_record_of_another_run() {
    let (rig, second) = removed_by_hand().await;
    assert_eq!(rig.withdraw(&second).await.as_deref(), Some("absent"));
    let records = files(&rig, ".entry");
    assert_eq!(records.len(), 1, "{records:?}");
    let text = std::fs::read_to_string(&records[0]).unwrap();
    assert!(text.contains("run=r1\n"), "{text}");
}

#[tokio::test]
async fn a_publication_reports_to_the_run_whose_entry_was_removed_before() {
    let (rig, second) = removed_by_hand().await;
    assert_eq!(rig.publish(&second).await.as_deref(), Some("published"));
    let lost = std::fs::read_to_string(rig.path("auto/.wreimage/host1.lost")).unwrap();
    assert_eq!(lost, "r1 replaced r2\n");
    assert_eq!(files(&rig, ".entry").len(), 1);
}

/// Whether a copy of the run holds it cannot be read.
#[tokio::test]
async fn a_claim_of_a_later_version_keeps_the_entry_of_its_run() {
    let rig = Rig::new(&[]).await;
    let first = request("r1", "t1", None, Right::Begin);
    rig.lease.acquire(&first).await.unwrap();
    rig.publish(&held(&first)).await.unwrap();
    let path = rig.lease_folder().join("claims/host1.lab1.test");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("format=1\n", "format=2\n")).unwrap();
    let claimed = rig.withdraw(&held(&first)).await;
    assert_eq!(claimed.as_deref(), Some("claimed"));
    assert!(rig.published().is_some());
    std::fs::write(&path, text).unwrap();
    let withdrawn = rig.withdraw(&held(&first)).await;
    assert_eq!(withdrawn.as_deref(), Some("withdrawn"));
}
