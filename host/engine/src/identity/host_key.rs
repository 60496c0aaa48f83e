//! The host key at the production identity of a system that an earlier run has installed and that the site does not know yet.
//!
//! From the first run of the configuration management on, the new system lets in the site's key only, while the known host key is
//! still the old system's. The host's certificate vouches for the new one: the agent that holds it has reported its SSH keys since
//! the certificate was signed.

use crate::gate::call_context::CallContext;
use crate::gate::run_gate::RunGate;
use crate::run::stop::Stop;
use serde_json::json;
use std::sync::Arc;
use wreimage_capability::role::{Entry, Login, Read};
use wreimage_capability::{Call, Fault, HOST_KEY_REFUSED, OFFERED, Role, Silent, Subject};
use wreimage_journal::{Record, ReportedKey};

impl RunGate {
    /// Whether the host key that was refused is one that the operator has given or that the host's certificate has reported.
    /// From here on the run accepts it.
    ///
    /// # Errors
    /// When the acceptance cannot be recorded.
    pub(crate) async fn accept_reported_key(
        &self,
        context: CallContext<'_>,
        fault: &Fault,
        call: &mut Call,
    ) -> Result<bool, Stop> {
        let enters_host = match self.context.catalogue.subject(context.function) {
            Subject::System(entry) => {
                entry(context.function, context.arguments) == Some(Entry::At(Login::Production))
            }
            _ => false,
        };
        let offered = fault.extra.iter().find(|(key, _)| key == OFFERED);
        let (true, HOST_KEY_REFUSED, Some((_, offered))) =
            (enters_host, fault.code.as_str(), offered)
        else {
            return Ok(false);
        };
        {
            let state = self.state();
            if state.mode().is_in_twin() || state.host_key.is_some() {
                return Ok(false);
            }
        }
        let reported = match &self.context.given_host_key {
            Some(given) if given == offered => None,
            _ => match self.reported(offered).await {
                Some(reported) => Some(reported),
                None => return Ok(false),
            },
        };
        self.record_durably(Record::HostKeyAccepted {
            fingerprint: offered.clone(),
            reported,
        })?;
        call.host_key = Some(Arc::from(offered.as_str()));
        Ok(true)
    }

    /// When the host's certificate, which is still valid, was signed and has reported this key since.
    pub(crate) async fn reported(&self, offered: &str) -> Option<ReportedKey> {
        let signed_ms = self.look_up(Role::certificate_signed).await??;
        let keys = self.look_up(Role::host_keys).await?;
        let mut keys = keys.into_iter();
        let key = keys.find(|it| it.fingerprint == offered && it.reported_ms > signed_ms)?;
        Some(ReportedKey {
            signed_ms,
            reported_ms: key.reported_ms,
        })
    }

    /// What a system reports; `None` when it cannot be asked. It is no part of the record: what follows from it is.
    async fn look_up<T>(&self, role: impl Fn(&Role) -> Option<Read<T>>) -> Option<T> {
        let (function, read) = self.served(role)?;
        let provider = self.state().providers.get(function.capability)?;
        let call = Call::new(self.context.run.clone(), 0, Arc::new(Silent));
        let answer = self
            .perform(provider.as_ref(), function, &json!({}), &call)
            .await;
        read(&answer.ok()?)
    }
}
