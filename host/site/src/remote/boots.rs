//! Telling one boot of the machine from another.

use super::machine::Machine;
use wreimage_capability::BoxFuture;
use wreimage_capability::remote::Identity;

/// Tells which boot the machine is in, when it answers.
pub(crate) trait BootIds: Send + Sync {
    /// The boot id at whichever identity answers; `None` when none does.
    fn boot_id(&self) -> BoxFuture<'_, Option<String>>;
}

impl BootIds for Machine {
    fn boot_id(&self) -> BoxFuture<'_, Option<String>> {
        Box::pin(async {
            // A site may have only one of them.
            let ways: Vec<Identity> = [Identity::Production, Identity::Installer]
                .into_iter()
                .filter(|at| self.has(*at))
                .collect();
            self.boot(&ways).await.ok().map(|seen| seen.boot_id)
        })
    }
}
