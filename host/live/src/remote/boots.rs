//! Telling one boot of the machine from another.

use super::machine::Ways;
use crate::host::BootIds;
use std::sync::Arc;
use wreimage_capability::remote::Identity;
use wreimage_capability::{BoxFuture, Call};

/// Looks for the boot id over SSH.
pub(crate) struct BySsh(pub(crate) Arc<Ways>);

impl BootIds for BySsh {
    fn boot_id<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Option<String>> {
        Box::pin(async {
            let machine = self.0.of(call).ok()?;
            // A site may have only one of them.
            let ways: Vec<Identity> = [Identity::Production, Identity::Installer]
                .into_iter()
                .filter(|at| machine.has(*at))
                .collect();
            machine.boot(&ways).await.ok().map(|seen| seen.boot_id)
        })
    }
}
