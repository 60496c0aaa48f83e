//! Seeded schedules against the real scripts, and against scripts from which one part is taken out.

use super::rig::Edit;
use super::schedule::Schedule;

const STEPS: u32 = 40;

/// Plays one schedule; its violation and its trace.
async fn play(seed: u64, edits: &[Edit]) -> Result<(), String> {
    let mut schedule = Schedule::new(seed, edits).await;
    let played = schedule.play(STEPS).await;
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
                play(seed, &[]).await?;
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

/// With this part taken out an invariant is violated; the seeds that show it are tried first.
async fn violated(edits: &[Edit], first: &[u64]) {
    let more = 0..100;
    for seed in first.iter().copied().chain(more) {
        if let Err(violation) = play(seed, edits).await {
            let line = violation.lines().next().unwrap_or_default().to_owned();
            println!("{line}");
            assert!(line.contains("invariant"), "{violation}");
            return;
        }
    }
    panic!("no schedule notices that this is missing: {edits:?}");
}

#[tokio::test]
#[ignore = "searches for minutes"]
async fn the_compared_token_is_needed() {
    let edits = [(
        "[ \"$c_token\" != \"$3\" ] || [ \"$c_run\" != \"$2\" ]",
        "false",
    )];
    violated(&edits, &[]).await;
}

#[tokio::test]
async fn the_judgement_under_the_lock_is_needed() {
    violated(&[("    judge_request\n", "    acquisition=0\n")], &[]).await;
}

#[tokio::test]
#[ignore = "searches for minutes"]
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
    violated(&edits, &[]).await;
}

#[tokio::test]
#[ignore = "searches for minutes"]
async fn the_inode_of_the_folder_is_needed() {
    violated(&[("[ \"${identity%:*}\" = \"$f_identity\" ]", "true")], &[]).await;
}

#[tokio::test]
#[ignore = "searches for minutes"]
async fn the_check_of_the_claim_inside_publish_is_needed() {
    let edits = [(
        "        open_lease\n        confirm_claim\n        close_lease\n",
        "        true\n",
    )];
    violated(&edits, &[]).await;
}
