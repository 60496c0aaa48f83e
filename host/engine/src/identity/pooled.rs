//! Whether the host serves users although this run has taken it out of its services: another person or program has put it back.

use crate::gate::course::Course;
use crate::identity::check::Progress;
use crate::ledger::state::State;
use crate::run::stop::Stop;
use serde_json::json;
use std::sync::Arc;
use wreimage_capability::{Function, Role};
use wreimage_journal::Outcome;

impl Course {
    /// A host that this run has depooled, and that serves again, is not wiped. One that cannot be asked is believed to be as the
    /// run has left it: the guest has read that back.
    pub(crate) async fn refuse_pooled_again(self: &Arc<Self>) -> Result<(), Stop> {
        {
            let state = self.state();
            if !state.depooled || state.progress() == Progress::Wiping {
                return Ok(());
            }
        }
        let Some((function, read)) = self.served(Role::services) else {
            return Ok(());
        };
        let pooled = self.own_call(function, json!({}), read).await?;
        let Some(pooled) = pooled.ok().filter(|it| !it.is_empty()) else {
            return Ok(());
        };
        Err(Stop::Refused(format!(
            "{host} was pooled again in {services}, not by this run: it serves users, and was not changed further. Find out who \
             has pooled it",
            host = self.host,
            services = pooled.join(", ")
        )))
    }
}

impl State {
    /// Learns from an outcome whether this run has taken the host out of its services.
    pub(crate) fn learn_pooled(&mut self, function: &Function, outcome: &Outcome) {
        if outcome.result.is_ok()
            && !self.in_twin
            && let Some(serves) = function.serving_set(&outcome.arguments)
        {
            self.depooled = !serves;
        }
    }
}
