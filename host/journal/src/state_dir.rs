//! Where a user's runs are kept.

use crate::folder::Folder;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

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

/// Makes a folder that belongs to its user, unless it is there. The names of all folders that are new survive a crash of the
/// machine: without them nothing that is kept there can be found.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    let is_missing = |it: &&Path| !it.as_os_str().is_empty() && !it.exists();
    let missing: Vec<&Path> = path.ancestors().take_while(is_missing).collect();
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)?;
    for made in missing {
        let above = made.parent().filter(|it| !it.as_os_str().is_empty());
        Folder::of_state(above.unwrap_or(Path::new(".")))?.sync()?;
    }
    Ok(())
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
