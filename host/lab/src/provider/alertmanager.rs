//! Silences for the host's alerts.

use crate::seat::Seat;
use wreimage_capability::alertmanager::{Held, Provider};
use wreimage_capability::{Call, Fault};

pub(crate) struct Alertmanager(pub(crate) Seat);

const SERVICE: &str = "alertmanager";

impl Provider for Alertmanager {
    async fn get_silences(&self, _call: &Call) -> Result<Vec<Held>, Fault> {
        self.0
            .service(SERVICE, |world, host| Ok(world.silences(host)))
    }

    async fn silence(
        &self,
        call: &Call,
        duration_ms: u64,
        reason: String,
    ) -> Result<String, Fault> {
        self.0.service(SERVICE, |world, host| {
            if reason.is_empty() || reason.len() > 16 * 1024 || duration_ms == 0 {
                return Err(Fault::rejected(
                    "alertmanager.bad-silence",
                    world.system(SERVICE),
                    "a silence has a reason of at most 16 KiB and a duration",
                ));
            }
            Ok(world.silence(host, &call.run, duration_ms, &reason))
        })
    }

    async fn expire(&self, call: &Call) -> Result<bool, Fault> {
        self.0.service(SERVICE, |world, host| {
            Ok(world.expire_silences(host, &call.run))
        })
    }
}
