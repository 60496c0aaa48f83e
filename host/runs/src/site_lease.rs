//! The lease of a site, as the runs of this controller hold it.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use wreimage_capability::lease::{ControllerId, Lease, Token, Uptime};
use wreimage_engine::{BootTime, Leasing, Renewer, random_token};
use wreimage_journal::Locks;

/// This controller: its kernel's boot, and the state folder of the run. A copy of the folder has another file of locks.
pub(crate) fn controller(name: &str, state: Option<&Path>) -> ControllerId {
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let lock_inode = state.and_then(|state| {
        // The file is there as soon as the locks were opened once.
        Locks::open(state).ok()?;
        let file = std::fs::metadata(state.join("locks.db")).ok()?;
        Some(file.ino())
    });
    ControllerId {
        name: name.to_owned(),
        boot_id: boot_id.trim().to_owned(),
        lock_inode: lock_inode.unwrap_or(0),
    }
}

/// The name of the machine that this runs on.
pub fn controller_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
}

/// The lease of a site. All runs of this process there have one renewer.
pub struct SiteLease {
    lease: Arc<dyn Lease>,
    renewal: Arc<Renewer>,
    uptime: Arc<dyn Uptime>,
}

impl SiteLease {
    /// With the lease of a site.
    pub fn new(lease: Arc<dyn Lease>) -> Self {
        let uptime: Arc<dyn Uptime> = Arc::new(BootTime::default());
        SiteLease {
            renewal: Arc::new(Renewer::new(lease.clone(), uptime.clone())),
            lease,
            uptime,
        }
    }

    /// Where the claims are kept.
    pub fn lease(&self) -> Arc<dyn Lease> {
        self.lease.clone()
    }

    /// What a run needs to hold the lease on its host, without who drives it.
    pub fn leasing(&self) -> Leasing {
        Leasing {
            lease: self.lease.clone(),
            renewal: self.renewal.clone(),
            uptime: self.uptime.clone(),
            // One without a value is refused.
            token: Arc::new(|| random_token().unwrap_or_else(|_| Token(String::new()))),
            controller: controller(&controller_name(), None),
            actor: String::new(),
            uid: 0,
            take_over: Vec::new(),
        }
    }
}

/// Fills in what the place of the run does not know: who drives it, and from which state folder.
pub(crate) fn complete(leasing: &mut Leasing, state: &Path, name: &str, actor: &str) {
    leasing.controller = controller(name, Some(state));
    actor.clone_into(&mut leasing.actor);
    leasing.uid = std::fs::metadata("/proc/self").map_or(0, |it| it.uid());
}
