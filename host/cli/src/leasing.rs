//! What a run tells the lease of this controller.

use crate::drive;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use wreimage_capability::lease::ControllerId;
use wreimage_engine::Leasing;
use wreimage_journal::Locks;

/// This controller: its kernel's boot, and the state folder of the run. A copy of the folder has another file of locks.
pub fn controller(state: Option<&Path>) -> ControllerId {
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let lock_inode = state.and_then(|state| {
        // The file is there as soon as the locks were opened once.
        Locks::open(state).ok()?;
        let file = std::fs::metadata(state.join("locks.db")).ok()?;
        Some(file.ino())
    });
    ControllerId {
        name: drive::controller(),
        boot_id: boot_id.trim().to_owned(),
        lock_inode: lock_inode.unwrap_or(0),
    }
}

/// Fills in what the place of the run does not know: who drives it, and from which state folder.
pub fn complete(leasing: &mut Leasing, state: &Path) {
    leasing.controller = controller(Some(state));
    leasing.actor = drive::actor();
    leasing.uid = std::fs::metadata("/proc/self").map_or(0, |it| it.uid());
}
