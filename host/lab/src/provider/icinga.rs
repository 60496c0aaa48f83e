//! Monitoring.

use crate::seat::Seat;
use crate::world::World;
use wreimage_capability::icinga::{Downtime, Provider, Status};
use wreimage_capability::{Call, Fault, FaultKind, Polled, WaitPolicy, word};

pub(crate) struct Icinga(pub(crate) Seat);

const SERVICE: &str = "icinga";

/// In a rehearsal, whether a real host will be well is anybody's guess.
fn guess(seat: &Seat, call: &Call, status: &Status) {
    if status.optimal {
        seat.mark(
            call,
            "icinga.wait-until-optimal",
            "whether all checks turn green",
        );
    }
}

fn look(world: &mut World, host: &str) -> Result<Polled<Status>, Fault> {
    match world.monitoring(host) {
        Ok(status) => Ok(Polled::Ready(status)),
        Err(fault) if fault.kind == FaultKind::NotFound => Ok(Polled::pending(fault.message)),
        Err(fault) => Err(fault),
    }
}

impl Provider for Icinga {
    async fn get_status(&self, call: &Call) -> Result<Status, Fault> {
        let status = self
            .0
            .service(SERVICE, |world, host| world.monitoring(host))?;
        self.0.mark(
            call,
            "icinga.get-status",
            "what monitoring says of the host",
        );
        Ok(status)
    }

    async fn get_downtimes(&self, _call: &Call) -> Result<Vec<Downtime>, Fault> {
        self.0.service(SERVICE, |world, host| world.downtimes(host))
    }

    async fn wait_until_known(
        &self,
        _call: &Call,
        _policy: WaitPolicy,
    ) -> Result<Polled<Status>, Fault> {
        self.0.service(SERVICE, look)
    }

    async fn wait_until_optimal(
        &self,
        call: &Call,
        _policy: WaitPolicy,
    ) -> Result<Polled<Status>, Fault> {
        let status = self.0.service(SERVICE, |world, host| {
            let status = world.monitoring(host)?;
            if !status.optimal {
                world.recheck(host)?;
            }
            Ok(status)
        })?;
        if !status.optimal {
            return Ok(Polled::pending(format!(
                "host {}, not OK: {}",
                word(&status.state),
                status.failed_services.join(", ")
            )));
        }
        guess(&self.0, call, &status);
        Ok(Polled::Ready(status))
    }

    async fn set_downtime(
        &self,
        call: &Call,
        duration_ms: u64,
        reason: String,
    ) -> Result<(), Fault> {
        self.0.service(SERVICE, |world, host| {
            world.set_downtime(host, &call.run, duration_ms, &reason)
        })
    }

    async fn remove_downtime(&self, call: &Call) -> Result<bool, Fault> {
        self.0.service(SERVICE, |world, host| {
            world.remove_downtime(host, &call.run)
        })
    }

    async fn recheck(&self, _call: &Call) -> Result<(), Fault> {
        self.0.service(SERVICE, |world, host| world.recheck(host))
    }
}
