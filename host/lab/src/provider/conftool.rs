//! The services that the host is pooled in.

use crate::seat::Seat;
use wreimage_capability::conftool::{PoolObject, Provider};
use wreimage_capability::{Call, Fault};

pub(crate) struct Conftool(pub(crate) Seat);

const SERVICE: &str = "conftool";

impl Provider for Conftool {
    async fn get_objects(&self, call: &Call) -> Result<Vec<PoolObject>, Fault> {
        let objects = self
            .0
            .service(SERVICE, |world, host| Ok(world.services.conftool.of(host)))?;
        self.0.mark(
            call,
            "conftool.get-objects",
            "which services the host is pooled in; none is assumed",
        );
        Ok(objects)
    }

    async fn set_pooled(&self, call: &Call, value: String) -> Result<Vec<PoolObject>, Fault> {
        let before = self
            .0
            .service(SERVICE, |world, host| world.set_pooled(host, &value))?;
        self.0.mark(
            call,
            "conftool.get-objects",
            "which services the host is pooled in; none is assumed",
        );
        Ok(before)
    }
}
