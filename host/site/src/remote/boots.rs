//! Telling one boot of the machine from another.

use super::answers;
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
            let both = [Identity::Production, Identity::Installer];
            let (at, connection) = self.enter(&both).await.ok()?;
            let text = self.ask(&connection, answers::BOOT_ID).await;
            let fingerprint = connection.fingerprint.clone();
            connection.close().await;
            let boot_id = answers::boot_id(&text.ok()?)?;
            match at {
                Identity::Production => Some(boot_id),
                Identity::Installer => self.trust(&boot_id, &fingerprint).ok().map(|()| boot_id),
            }
        })
    }
}
