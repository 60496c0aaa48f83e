//! The inventory's record that goes with every call, and the host's own reads.

use crate::check_reads::is_passing;
use crate::course::Course;
use crate::difference;
use crate::stop::Stop;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use wreimage_capability::ipmi::{self, DeviceInfo};
use wreimage_capability::netbox::{self, Device};
use wreimage_capability::{Call, Fault, Function};
use wreimage_journal::Reported;

/// How often a system that does not answer is asked at a later check, and the pause between two tries.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_secs(10);

impl Course {
    /// A read of the host's own. At a later check, a system that does not answer is asked again for about a minute.
    pub(crate) async fn read_again<T: DeserializeOwned>(
        self: &Arc<Self>,
        function: &'static Function,
        arguments: Value,
        again: bool,
    ) -> Result<Result<T, Fault>, Stop> {
        let mut tries = 1;
        loop {
            match self.own_call(function, arguments.clone()).await? {
                Err(fault) if again && tries < TRIES && is_passing(&fault) => tries += 1,
                answer => return Ok(answer),
            }
            let clock = self.recorder.clock();
            let next = clock.now().saturating_add(PAUSE);
            tokio::select! {
                () = clock.sleep_until(next.unwrap_or(jiff::Timestamp::MAX)) => {}
                () = self.cancel.cancelled(), if !self.state().closing => return Err(Stop::Cancelled),
            }
        }
    }

    /// Before the first check a call uses what the inventory says of the host at the first call that needs it.
    pub(crate) async fn first_snapshot(
        self: &Arc<Self>,
        function: &'static Function,
    ) -> Result<(), Stop> {
        {
            let mut state = self.state();
            let is_known = state.snapshot.is_some() || state.in_twin;
            let is_inventory = function.capability == netbox::CAPABILITY.name;
            if is_known || is_inventory || std::mem::replace(&mut state.snapshot_asked, true) {
                return Ok(());
            }
        }
        if self.serves(netbox::CAPABILITY.name) {
            // Its outcome is learnt like any other; what it cannot answer, the provider of the call reports.
            let _read = self
                .own_call::<Device>(&netbox::functions::get_device, json!({}))
                .await?;
        }
        Ok(())
    }

    /// Before something is undone on the machine itself: whether it is still the machine that this run has changed. What
    /// other systems have of the run, such as its DHCP entry, they know by the run.
    pub(crate) async fn may_undo(
        self: &Arc<Self>,
        inverse: &'static Function,
    ) -> Result<bool, Stop> {
        if !matches!(inverse.capability, "ipmi" | "remote" | "puppet") {
            return Ok(true);
        }
        let before = {
            let state = self.state();
            if state.another_machine {
                return Ok(false);
            }
            let checked = state.checked.as_ref().filter(|_| !state.in_twin);
            checked.and_then(|it| it.bmc.clone())
        };
        let (Some(before), "ipmi") = (before, inverse.capability) else {
            return Ok(true);
        };
        let info = self
            .own_call::<DeviceInfo>(&ipmi::functions::get_device_info, json!({}))
            .await?;
        // A BMC that does not answer cannot be changed either; the undo reports it.
        let Ok(info) = info else { return Ok(true) };
        let now = Reported {
            serial: info.serial,
            uuid: info.guid,
        };
        let is_same = difference::reported("its BMC", &before, &now).is_empty();
        self.state().another_machine |= !is_same;
        Ok(is_same)
    }

    /// What was checked goes with the call.
    pub(crate) fn give_checked(&self, call: &mut Call) {
        let state = self.state();
        call.snapshot.clone_from(&state.snapshot);
        call.pinned.clone_from(&state.pinned);
        call.host_key.clone_from(&state.host_key);
    }
}
