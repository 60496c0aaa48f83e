//! Where a user's runs are kept.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// File systems on which neither locks nor flushes can be trusted: `statfs(2)` and `linux/magic.h`.
const NETWORK: [(i64, &str); 11] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x5346_414f, "AFS"),
    (0x6b41_4653, "AFS"),
    (0x00c3_6400, "Ceph"),
    (0x0102_1997, "9P"),
    (0x0bd0_0bd0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x6573_5546, "FUSE"),
];

/// Makes a folder that belongs to its user, unless it is there.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

/// Makes a folder in the state directory, unless it is there; whoever shares the directory shares the folder.
///
/// # Errors
/// When it cannot be made.
pub fn make_shared_folder(state: &Path, path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    make_folder(path)?;
    share_as(state, path, 0o700)
}

/// Whatever is made in the folder has the folder's group. SQLite makes files of its own beside a database, whose group would
/// otherwise be that of whoever happens to open it: nobody else of the group could go on then.
const SET_GROUP: u32 = 0o2000;

/// What lies in a directory that a group may write to can be seen and answered by that group. `own` is the mode for its
/// owner alone.
///
/// # Errors
/// When its mode or its group cannot be set.
pub fn share_as(state: &Path, made: &Path, own: u32) -> io::Result<()> {
    let folder = fs::metadata(state)?;
    if folder.permissions().mode() & 0o020 == 0 {
        return fs::set_permissions(made, fs::Permissions::from_mode(own));
    }
    if fs::metadata(made)?.gid() != folder.gid() {
        std::os::unix::fs::chown(made, None, Some(folder.gid()))?;
    }
    let set_group = if made.is_dir() { SET_GROUP } else { 0 };
    let mode = own | (own >> 3) | set_group;
    fs::set_permissions(made, fs::Permissions::from_mode(mode))
}

/// Writes a file in a folder of the state directory, wholly or not at all, so that it survives a crash of the machine. The
/// folder is made unless it is there.
///
/// # Errors
/// When it cannot be written; what was there before is still there then.
pub fn keep_file(state: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(state);
    make_shared_folder(state, folder)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Several runs of this process may keep the same at once.
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let new = folder.join(format!("{name}.{}.{number}", std::process::id()));
    let written = (|| {
        let mut file = fs::File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        share_as(state, &new, 0o600)?;
        fs::rename(&new, path)
    })();
    if written.is_err() {
        // What is there of it is of no use to anybody.
        let _ = fs::remove_file(&new);
    }
    written?;
    fs::File::open(folder)?.sync_all()
}

/// A journal needs a file system that locks and flushes.
pub(crate) fn refuse_network(path: &Path) -> io::Result<()> {
    let kind = rustix::fs::statfs(path)?.f_type;
    match NETWORK.iter().find(|(magic, _)| *magic == kind as i64) {
        None => Ok(()),
        Some((_, name)) => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            format!(
                "it is on a network file system ({name}), where a journal cannot be kept safely; choose a local one"
            ),
        )),
    }
}

/// File systems that a restart of the machine empties: `statfs(2)` and `linux/magic.h`.
const VOLATILE: [(i64, &str); 3] = [
    (0x0102_1994, "tmpfs"),
    (0x8584_58f6, "ramfs"),
    (0x9584_58f6, "hugetlbfs"),
];

/// The journal of a run on real systems must survive a restart of this machine.
///
/// # Errors
/// When the folder, which is there, is on a file system in memory.
pub fn refuse_volatile(path: &Path) -> io::Result<()> {
    let kind = rustix::fs::statfs(path)?.f_type;
    match VOLATILE.iter().find(|(magic, _)| *magic == kind as i64) {
        None => Ok(()),
        Some((_, name)) => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            format!(
                "{} is on {name}: a restart of this machine would lose the journals of its runs. Choose a folder on a disk:                  `state` in the site file, or $XDG_STATE_HOME",
                path.display()
            ),
        )),
    }
}

/// `$XDG_STATE_HOME/wreimage`, or `~/.local/state/wreimage`; `None` without a home directory. A relative
/// `$XDG_STATE_HOME` is ignored, as the XDG Base Directory Specification demands.
pub fn state_directory() -> Option<PathBuf> {
    from_environment(std::env::var_os("XDG_STATE_HOME"), std::env::var_os("HOME"))
}

fn from_environment(xdg: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    xdg.map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| {
            home.filter(|home| !home.is_empty())
                .map(|home| PathBuf::from(home).join(".local/state"))
        })
        .map(|base| base.join("wreimage"))
}

#[cfg(test)]
mod tests {
    use super::{from_environment, refuse_volatile};
    use std::path::{Path, PathBuf};

    #[test]
    fn a_file_system_in_memory_is_refused_by_name() {
        // Every Linux has one there; were it another kind, this test would have to mount one.
        let refused = refuse_volatile(Path::new("/dev/shm"));
        let why = refused.map_err(|error| error.to_string());
        assert!(matches!(&why, Err(why) if why.contains("tmpfs")), "{why:?}");
        assert!(refuse_volatile(Path::new("/proc/self")).is_ok());
    }

    #[test]
    fn the_environment_chooses_and_a_relative_path_is_ignored() {
        let at = |xdg: Option<&str>, home: Option<&str>| {
            from_environment(xdg.map(Into::into), home.map(Into::into))
        };
        assert_eq!(
            at(Some("/s"), Some("/h")),
            Some(PathBuf::from("/s/wreimage"))
        );
        assert_eq!(
            at(Some("s"), Some("/h")),
            Some(PathBuf::from("/h/.local/state/wreimage"))
        );
        assert_eq!(at(None, Some("")), None);
    }
}
