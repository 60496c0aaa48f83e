//! The restarts of the machine that a run has announced, which of them lead into the installer, and which are refused.

use crate::course::Course;
use crate::stop::Stop;
use serde_json::{Value, json};
use std::sync::Arc;
use wreimage_capability::ipmi::{self, BootDevice, BootFlags};
use wreimage_capability::{Fault, Function};
use wreimage_journal::Origin;

/// Whether the call restarts the machine.
pub(crate) fn is_restart(function: &Function, arguments: &Value) -> bool {
    match (function.capability, function.name) {
        ("ipmi", "set-power") => arguments.get("action").and_then(Value::as_str) != Some("Off"),
        ("remote", "reboot") => true,
        _ => false,
    }
}

/// One restart, from its intent on.
#[derive(Debug, Clone, Copy)]
struct Restart {
    call: u64,
    /// A DHCP entry or an unused boot override of this run stood at that moment.
    installs: bool,
}

/// All of them, in order. A restart that certainly did not happen is none.
#[derive(Debug, Default)]
pub(crate) struct Restarts(Vec<Restart>);

impl Restarts {
    /// The machine is about to restart by this call.
    pub(crate) fn announce(&mut self, call: u64, installs: bool) {
        // The intent of a call that is repeated is recorded again.
        let earlier = self.0.iter().position(|it| it.call == call);
        let earlier = earlier.map(|index| self.0.remove(index));
        let installs = installs || earlier.is_some_and(|it| it.installs);
        self.0.push(Restart { call, installs });
    }

    /// The machine did not restart by this call.
    pub(crate) fn withdraw(&mut self, call: u64) {
        self.0.retain(|it| it.call != call);
    }

    /// Whether the machine was restarted at all.
    pub(crate) fn any(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether the wipe has begun: one of them leads into the installer.
    pub(crate) fn has_begun_wipe(&self) -> bool {
        self.0.iter().any(|it| it.installs)
    }

    /// Whether the last one leads into the installer.
    pub(crate) fn is_last_into_installer(&self) -> bool {
        self.0.last().is_some_and(|it| it.installs)
    }
}

impl Course {
    /// Directly before a restart of which the guest takes for granted that no boot override is set: it is looked at once more. The
    /// guest may have looked in an earlier process, an hour ago.
    pub(crate) async fn refuse_new_override(
        self: &Arc<Self>,
        function: &Function,
        arguments: &Value,
        origin: Origin,
    ) -> Result<Option<Fault>, Stop> {
        {
            let state = self.state();
            let is_checked = !state.in_twin && !state.closing && state.facts.no_override;
            if origin != Origin::Guest || !is_checked || !is_restart(function, arguments) {
                return Ok(None);
            }
        }
        let there = self
            .own_call::<BootFlags>(&ipmi::functions::get_boot_flags, json!({}))
            .await?;
        // One that does not answer now has answered the guest.
        let Some(flags) = there.ok().filter(|it| it.device != BootDevice::None) else {
            return Ok(None);
        };
        let mut fault = Fault::conflict(
            "gate.override-changed",
            format!("the BMC of {}", self.host),
            format!(
                "a boot override was set since it was last looked at ({:?}, `{}`), not by this run: the machine was not restarted. \
                 Clear it, and try again",
                flags.device, flags.raw
            ),
        );
        fault.retryable = true;
        Ok(Some(fault))
    }
}

#[cfg(test)]
mod tests {
    use super::Restarts;

    #[test]
    fn a_restart_that_did_not_happen_takes_nothing_from_those_that_did() {
        let mut restarts = Restarts::default();
        assert!(!restarts.has_begun_wipe());
        restarts.announce(7, true);
        restarts.announce(9, false);
        assert!(restarts.has_begun_wipe());
        assert!(!restarts.is_last_into_installer());
        restarts.withdraw(9);
        assert!(restarts.is_last_into_installer());
        // The second intent of a call, for which the override is used up already.
        restarts.announce(7, false);
        assert!(restarts.is_last_into_installer());
        restarts.withdraw(7);
        assert!(!restarts.has_begun_wipe());
        assert!(!restarts.any());
    }
}
