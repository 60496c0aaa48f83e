//! The end of a lease.

use super::Standing;
use crate::gate::run_gate::RunGate;
use std::sync::Arc;
use wreimage_capability::lease::{LeaseError, Renewed};
use wreimage_journal::Record;

/// How often an end tries to release.
const TRIES: u32 = 5;

impl RunGate {
    /// Releases the claim at the final end. What is left when that fails, for people.
    pub(crate) async fn release_lease(self: &Arc<Self>) -> Option<String> {
        let leasing = self.holder.leasing.as_ref()?;
        let claim = self.holder.claim()?;
        let released = self
            .insist(leasing, TRIES, || leasing.lease.release(&claim))
            .await;
        self.holder.let_go();
        let fqdn = &claim.host.fqdn;
        match released {
            Ok(_) => {
                self.holder.inner().standing = Standing::Released;
                // The claim is released whether or not that can be recorded.
                let _ = self.recorder.record(Record::LeaseReleased {
                    token: claim.token.clone(),
                });
                None
            }
            // It is another's by now, or gone: nothing of this run is left.
            Err(LeaseError::Lost(_)) => None,
            Err(error) => Some(format!(
                "the claim of this run on {fqdn} is left: {error}. It keeps other runs from the host until you break it: \
                 wreimage lock break {fqdn}"
            )),
        }
    }
}
