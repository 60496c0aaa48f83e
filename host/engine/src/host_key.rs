//! The host key at the production identity of a system that an earlier run has installed and that the site does not know yet.
//!
//! Between the first Puppet run and Puppet on the controller the new system lets in the site's key only, while the known host key
//! is the old system's. The host's certificate vouches for the new one: the agent that holds it has reported its SSH keys to
//! PuppetDB since the certificate was signed.

use crate::course::Course;
use crate::stop::Stop;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::Arc;
use wreimage_capability::puppetdb::{self, HostKey};
use wreimage_capability::{Call, Fault, Function, Silent, puppet_ca};
use wreimage_journal::{Record, ReportedKey};

/// Code of the fault of a host key that is not the known one.
pub(crate) const REFUSED: &str = "remote.host-key";

/// The fingerprint of the key that was refused, among what such a fault has besides its message.
pub(crate) const OFFERED: &str = "offered";

impl Course {
    /// Whether the host key that was refused is one that the operator has given or that the host's certificate has reported.
    /// From here on the run accepts it.
    ///
    /// # Errors
    /// When the acceptance cannot be recorded.
    pub(crate) async fn accept_reported_key(
        &self,
        function: &Function,
        arguments: &Value,
        fault: &Fault,
        call: &mut Call,
    ) -> Result<bool, Stop> {
        let enters_host = matches!(function.capability, "remote" | "puppet")
            && arguments.get("at") == Some(&json!("Production"));
        let offered = fault.extra.iter().find(|(key, _)| key == OFFERED);
        let (true, REFUSED, Some((_, offered))) = (enters_host, fault.code.as_str(), offered)
        else {
            return Ok(false);
        };
        {
            let state = self.state();
            if state.in_twin || state.host_key.is_some() {
                return Ok(false);
            }
        }
        let reported = match &self.given_host_key {
            Some(given) if given == offered => None,
            _ => match self.reported(offered).await {
                Some(reported) => Some(reported),
                None => return Ok(false),
            },
        };
        self.recorder.record_durably(Record::HostKeyAccepted {
            fingerprint: offered.clone(),
            reported,
        })?;
        let accepted: Arc<str> = Arc::from(offered.as_str());
        self.state().host_key = Some(accepted.clone());
        call.host_key = Some(accepted);
        Ok(true)
    }

    /// When the host's certificate, which is still valid, was signed and has reported this key since.
    pub(crate) async fn reported(&self, offered: &str) -> Option<ReportedKey> {
        let signed: Option<u64> = self.look_up(&puppet_ca::functions::get_signed_at).await?;
        let signed_ms = signed?;
        let keys: Vec<HostKey> = self.look_up(&puppetdb::functions::get_host_keys).await?;
        let vouches = |key: &&HostKey| key.fingerprint == offered && key.reported_ms > signed_ms;
        let key = keys.iter().find(vouches)?;
        Some(ReportedKey {
            signed_ms,
            reported_ms: key.reported_ms,
        })
    }

    /// What a system reports; `None` when it cannot be asked. It is no part of the record: what follows from it is.
    async fn look_up<T: DeserializeOwned>(&self, function: &'static Function) -> Option<T> {
        let provider = self.state().providers.get(function.capability)?;
        let call = Call::new(self.run.clone(), 0, Arc::new(Silent));
        let answer = self
            .perform(provider.as_ref(), function, &json!({}), &call)
            .await;
        serde_json::from_value(answer.ok()?).ok()
    }
}
