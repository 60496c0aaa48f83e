//! A restart is not made under a boot override that was set since the guest read that there is none.

use crate::gate::call_context::CallContext;
use crate::gate::run_gate::RunGate;
use crate::ledger::OVERRIDE_CHANGED;
use crate::run::stop::Stop;
use serde_json::json;
use std::sync::Arc;
use wreimage_capability::{Fault, Role};

impl RunGate {
    /// Reads the boot override once more before a restart, when the guest's last read found none. The guest may have read it in an
    /// earlier process, an hour ago.
    pub(crate) async fn refuse_new_override(
        self: &Arc<Self>,
        context: CallContext<'_>,
        call: u64,
    ) -> Result<Option<Fault>, Stop> {
        {
            let state = self.state();
            let is_checked = !state.mode().is_in_twin()
                && !state.mode().is_closing()
                && state.restarts.expects_no_override(call);
            if !is_checked || !context.is_restart_by_guest() {
                return Ok(None);
            }
        }
        let Some((reads_override, read)) = self.served(Role::reports_override) else {
            return Ok(None);
        };
        let there = self.own_call(reads_override, json!({}), read).await?;
        // A BMC that does not answer now has answered the guest.
        let Some(there) = there.ok().filter(|it| it.is_set) else {
            return Ok(None);
        };
        let mut fault = Fault::conflict(
            OVERRIDE_CHANGED,
            format!("the BMC of {}", self.context.host),
            format!(
                "the BMC of {} has a boot override ({}) that this run did not set: the machine was not restarted. \
                 Find out who has set it, and clear it with `chassis bootdev none`",
                self.context.host, there.description
            ),
        );
        fault.retryable = true;
        Ok(Some(fault))
    }
}
