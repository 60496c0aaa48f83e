//! The inventory of packages.

use crate::seat::Seat;
use wreimage_capability::debmonitor::Provider;
use wreimage_capability::{Call, Fault};

pub(crate) struct Debmonitor(pub(crate) Seat);

impl Provider for Debmonitor {
    async fn remove(&self, call: &Call) -> Result<bool, Fault> {
        let there = self.0.service("debmonitor", |world, host| {
            Ok(world.debmonitor_removes(host))
        })?;
        self.0.mark(
            call,
            "debmonitor.remove",
            "whether Debmonitor knows the host",
        );
        Ok(there)
    }
}
