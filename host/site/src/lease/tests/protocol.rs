//! Seeded schedules against the real scripts.

use super::rig::Edit;
use super::schedule::Schedule;

const STEPS: u32 = 30;

/// Plays one schedule; its violation and its trace.
async fn play(seed: u64, edits: &[Edit]) -> Result<(), String> {
    let mut schedule = Schedule::new(seed, edits).await;
    let played = schedule.play(STEPS).await;
    played.map_err(|why| format!("seed {seed}: {why}\n{}", schedule.trace.join("\n")))
}

fn seeds() -> u64 {
    let more = std::env::var("WREIMAGE_LEASE_SEEDS").ok();
    more.and_then(|text| text.parse().ok()).unwrap_or(12)
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
