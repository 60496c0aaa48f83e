//! Time and waiting for it.

use super::types::{Datetime, Pollable};
use super::{Wasi, step_aside};
use wasmtime::component::Resource;
use wasmtime::{Result, bail};

const NANOS: u64 = 1_000_000;

/// How finely time is told, in nanoseconds: times of the journal are whole milliseconds.
pub(super) const RESOLUTION_NS: u64 = NANOS;

impl Wasi {
    /// The time of the last outcome.
    pub(super) fn wall_clock(&self) -> Datetime {
        let now = self.outside.times().now;
        Datetime {
            seconds: now / 1000,
            nanoseconds: u32::try_from(now % 1000 * NANOS).unwrap_or(0),
        }
    }

    /// Nanoseconds from the beginning of the run to the last outcome. A rehearsal changes its clock on the way: this one does
    /// not go back.
    pub(super) fn monotonic(&mut self) -> u64 {
        let times = self.outside.times();
        let now = times.now.saturating_sub(times.began).saturating_mul(NANOS);
        self.seen_ns = self.seen_ns.max(now);
        self.seen_ns
    }

    /// Something that is ready at that time of the monotonic clock.
    pub(super) fn pollable(&mut self, due_ns: u64) -> Result<Resource<Pollable>> {
        // The guest holds it in memory of its own, but for these eight bytes.
        if self.pollables.len() >= 10_000 {
            bail!("it holds 10,000 pollables");
        }
        let number = self.next_pollable;
        self.next_pollable = self.next_pollable.wrapping_add(1);
        self.pollables.insert(number, due_ns);
        Ok(Resource::new_own(number))
    }

    /// Something that is ready so many nanoseconds from now.
    pub(super) fn pollable_after(&mut self, duration_ns: u64) -> Result<Resource<Pollable>> {
        let due = self.monotonic().saturating_add(duration_ns);
        self.pollable(due)
    }

    pub(super) fn drop_pollable(&mut self, number: u32) {
        self.pollables.remove(&number);
    }

    fn due(&self, pollable: &Resource<Pollable>) -> u64 {
        self.pollables.get(&pollable.rep()).copied().unwrap_or(0)
    }

    pub(super) fn is_ready(&mut self, pollable: &Resource<Pollable>) -> bool {
        self.due(pollable) <= self.monotonic()
    }

    /// Sleeps until one of them is ready, and returns the indexes of those that are.
    pub(super) async fn poll(&mut self, all: &[Resource<Pollable>]) -> Result<Vec<u32>> {
        step_aside().await;
        let dues: Vec<u64> = all.iter().map(|pollable| self.due(pollable)).collect();
        let Some(first) = dues.iter().copied().min() else {
            bail!("it polls an empty list");
        };
        let now = self.monotonic();
        if first > now {
            let millis = (first - now).div_ceil(NANOS);
            self.sleeps = self.sleeps.wrapping_add(1);
            self.outside.sleep(millis).await?;
            // Whoever was cancelled in a sleep hears of it by the next call.
            self.seen_ns = self.seen_ns.max(first);
        }
        let now = self.monotonic();
        Ok((0..)
            .zip(&dues)
            .filter(|(_, due)| **due <= now)
            .map(|(index, _)| index)
            .collect())
    }
}
