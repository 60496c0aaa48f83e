//! Whether the host serves users although this run has taken it out of its services: another person or program has put it back.

use crate::gate::run_gate::RunGate;
use crate::identity::known::Known;
use crate::ledger::Progress;
use crate::run::stop::Stop;
use serde_json::json;
use std::sync::Arc;
use wreimage_capability::Role;

impl RunGate {
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
            host = self.context.host,
            services = pooled.join(", ")
        )))
    }

    /// A host that serves users and is not going to be depooled.
    pub(crate) async fn warn_of_pooled(self: &Arc<Self>, known: &mut Known) -> Result<(), Stop> {
        let Some((function, read)) = self
            .served(Role::services)
            .filter(|_| !self.context.depools)
        else {
            return Ok(());
        };
        match self.own_call(function, json!({}), read).await? {
            Ok(pooled) if pooled.is_empty() => {}
            Ok(pooled) => known.cautions.push(format!(
                "{} is pooled and will not be depooled: it serves {}",
                self.context.host,
                pooled.join(", ")
            )),
            Err(fault) => known.cautions.push(format!(
                "whether {} is pooled is not known: {}",
                self.context.host, fault.message
            )),
        }
        Ok(())
    }
}
