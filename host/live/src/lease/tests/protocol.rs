//! Seeded schedules against the real scripts, and against scripts from which one part is taken out.

use super::parts::{Act, Theme};
use super::rig::Edit;
use super::schedule::Schedule;

const STEPS: u32 = 30;

/// Plays one schedule; its violation and its trace.
async fn play(seed: u64, edits: &[Edit], theme: Theme) -> Result<(), String> {
    let mut schedule = Schedule::new(seed, edits, theme).await;
    let played = schedule.play(STEPS).await;
    if std::env::var("WREIMAGE_LEASE_TRACE").is_ok() {
        println!("{}", schedule.trace.join("\n"));
    }
    played.map_err(|why| format!("seed {seed}: {why}\n{}", schedule.trace.join("\n")))
}

fn seeds() -> u64 {
    let more = std::env::var("WREIMAGE_LEASE_SEEDS").ok();
    more.and_then(|text| text.parse().ok()).unwrap_or(10)
}

/// `WREIMAGE_LEASE_SEEDS=2000` plays more of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_schedule_violates_an_invariant() {
    let halves = [0, 1].map(|half| {
        tokio::spawn(async move {
            for seed in (0..seeds()).filter(|seed| seed % 2 == half) {
                play(seed, &[], Theme::of(seed / 2)).await?;
            }
            Ok::<(), String>(())
        })
    });
    for half in halves {
        if let Err(violation) = half.await.unwrap() {
            panic!("{violation}");
        }
    }
}

/// With this part taken out one of these invariants is violated, and with it none is, by the same schedule.
async fn is_needed(edits: &[Edit], theme: &Theme, invariants: &[&str]) {
    for seed in 0..60 {
        let Err(violation) = play(seed, edits, theme.clone()).await else {
            continue;
        };
        let line = violation.lines().next().unwrap_or_default().to_owned();
        println!("{line}");
        assert!(invariants.iter().any(|it| line.contains(it)), "{violation}");
        if let Err(violation) = play(seed, &[], theme.clone()).await {
            panic!("with the whole scripts too: {violation}");
        }
        return;
    }
    panic!("no schedule notices that this is missing: {edits:?}");
}

#[tokio::test]
async fn the_compared_token_is_needed() {
    let edits = [(
        "[ \"$c_token\" != \"$3\" ] || [ \"$c_run\" != \"$2\" ]",
        "false",
    )];
    let acts = [Act::Go, Act::Go, Act::Sleep, Act::Wake];
    is_needed(&edits, &Theme::only(&acts), &["invariant 1", "invariant 2"]).await;
}

#[tokio::test]
async fn the_judgement_under_the_lock_is_needed() {
    let edits = [("    judge_request\n", "    acquisition=0\n")];
    let acts = [Act::Go, Act::Go, Act::Go, Act::Pass];
    let invariants = ["invariant 1", "invariant 2", "invariant 6"];
    is_needed(&edits, &Theme::only(&acts), &invariants).await;
}

#[tokio::test]
async fn the_length_of_the_journal_is_needed() {
    let edits = [
        ("[ \"$4\" -lt \"$c_length\" ]", "false"),
        (
            "[ \"$4\" = \"$c_length\" ] && [ \"$5\" != \"$c_sum\" ]",
            "false",
        ),
        (
            "[ \"$claim_length\" -ge \"$c_length\" ] || refuse shorter",
            "true",
        ),
        (
            "[ \"$claim_length\" != \"$c_length\" ] || [ \"$claim_sum\" = \"$c_sum\" ] || refuse diverged",
            "true",
        ),
    ];
    // The original makes changes that the copy of its state folder knows nothing of, and dies; the copy is resumed.
    let script = [
        (0, Act::Go),
        (0, Act::Copy),
        (0, Act::Go),
        (0, Act::Go),
        (0, Act::Go),
        (0, Act::Crash),
        (0, Act::Pass),
        (0, Act::Pass),
        (0, Act::Pass),
        (0, Act::Pass),
        (2, Act::Go),
        (2, Act::Go),
        (2, Act::Go),
    ];
    is_needed(&edits, &Theme::script(&script), &["invariant 4"]).await;
}

#[tokio::test]
async fn the_inode_of_the_folder_is_needed() {
    let edits = [("[ \"$identity\" = \"$f_identity\" ] ||", "true ||")];
    let acts = [
        Act::Go,
        Act::Go,
        Act::Go,
        Act::BackUp,
        Act::Restore,
        Act::Release,
    ];
    let invariants = ["invariant 1", "invariant 2", "invariant 6"];
    is_needed(&edits, &Theme::only(&acts), &invariants).await;
}

#[tokio::test]
async fn the_check_of_the_claim_inside_publish_is_needed() {
    let edits = [(
        "        open_lease\n        confirm_claim\n        close_lease\n",
        "        true\n",
    )];
    let acts = [
        Act::Go,
        Act::Go,
        Act::Publish,
        Act::Publish,
        Act::Sleep,
        Act::CatchUp,
    ];
    is_needed(&edits, &Theme::only(&acts), &["invariant 3"]).await;
}
