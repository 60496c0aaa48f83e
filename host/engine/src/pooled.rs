//! Whether the host serves users although this run has taken it out of its services: another person or program has put it back.

use crate::check::Progress;
use crate::course::Course;
use crate::state::State;
use crate::stop::Stop;
use serde_json::json;
use std::sync::Arc;
use wreimage_capability::Function;
use wreimage_capability::conftool::{self, PoolObject};
use wreimage_journal::Outcome;

/// The value with which a host serves.
const SERVES: &str = "yes";

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
        if !self.serves("conftool") {
            return Ok(());
        }
        let objects = self
            .own_call::<Vec<PoolObject>>(&conftool::functions::get_objects, json!({}))
            .await?;
        let Ok(objects) = objects else { return Ok(()) };
        let pooled: Vec<String> = objects
            .into_iter()
            .filter(|object| object.pooled == SERVES)
            .map(|object| format!("{} of {}", object.service, object.cluster))
            .collect();
        if pooled.is_empty() {
            return Ok(());
        }
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
        if (function.capability, function.name) == ("conftool", "set-pooled")
            && outcome.result.is_ok()
            && !self.in_twin
        {
            let value = outcome.arguments.get("value");
            self.depooled = value.is_some_and(|value| value != SERVES);
        }
    }
}
