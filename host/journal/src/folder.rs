//! The state folder and what lies in it, by handle: whoever of a group can write there can put a symbolic link in the place of
//! a file or a folder, and what is written through it would be another file of the user. No link is followed; new files are
//! exclusive; modes and groups are set by descriptor.

use rusqlite::{Connection, OpenFlags};
use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Whatever is made in the folder has the folder's group. SQLite makes files of its own beside a database, whose group would
/// otherwise be that of whoever happens to open it: nobody else of the group could go on then.
const SET_GROUP: u32 = 0o2000;

/// The group may write.
const GROUP_WRITES: u32 = 0o020;

/// Folders in folders that are removed: what wreimage makes is not as deep.
const DEEPEST: usize = 8;

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

/// A folder of the state, open.
#[derive(Debug)]
pub struct Folder {
    pub(crate) dir: OwnedFd,
    /// Without links, for messages and for SQLite, which opens by path.
    path: PathBuf,
    /// The group that shares the state folder.
    group: Option<u32>,
}

impl Folder {
    /// The state folder itself. Its path is the user's own choice: links in it are followed.
    ///
    /// # Errors
    /// When it cannot be opened; `NotFound` when there is none.
    pub fn of_state(path: &Path) -> io::Result<Self> {
        let dir = rustix::fs::open(path, FOLDER, Mode::empty())?;
        let about = rustix::fs::fstat(&dir)?;
        let group = (about.st_mode & GROUP_WRITES != 0).then_some(about.st_gid);
        let path = path.canonicalize()?;
        Ok(Folder { dir, path, group })
    }

    /// The state folder, which is made for its user alone unless it is there.
    ///
    /// # Errors
    /// When it cannot be made or opened.
    pub fn make_state(path: &Path) -> io::Result<Self> {
        crate::state_dir::make_folder(path)?;
        Folder::of_state(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A folder in it.
    ///
    /// # Errors
    /// When it cannot be opened, is none, or is a link.
    pub fn sub(&self, name: &str) -> io::Result<Self> {
        let flags = FOLDER | OFlags::NOFOLLOW;
        let dir = rustix::fs::openat(&self.dir, plain(name)?, flags, Mode::empty())
            .map_err(|error| self.failed(name, error))?;
        Ok(Folder {
            dir,
            path: self.path.join(name),
            group: self.group,
        })
    }

    /// A folder in it, which is created unless it exists, with the permissions of the state folder. The name of a new one
    /// survives a crash of the machine, and so do the files that are kept in it later.
    ///
    /// # Errors
    /// When it cannot be made or opened.
    pub fn make_sub(&self, name: &str) -> io::Result<Self> {
        match self.make_new_sub(name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.sub(name),
            Err(error) => Err(error),
            Ok(made) => {
                self.sync()?;
                Ok(made)
            }
        }
    }

    /// A new folder in it, whose name survives a crash of the machine only after [`sync`](Self::sync).
    ///
    /// # Errors
    /// When it cannot be made; `AlreadyExists` when there is something of that name.
    pub fn make_new_sub(&self, name: &str) -> io::Result<Self> {
        rustix::fs::mkdirat(&self.dir, plain(name)?, Mode::from_raw_mode(0o700))?;
        let made = self.sub(name)?;
        made.share(&made.dir, 0o700 | SET_GROUP)?;
        Ok(made)
    }

    /// Opens a file to read it.
    ///
    /// # Errors
    /// When it cannot be opened, or is no plain file.
    pub fn open(&self, name: &str) -> io::Result<File> {
        self.open_with(name, OFlags::RDONLY)
    }

    /// Opens a file to read it and to write it.
    ///
    /// # Errors
    /// When it cannot be opened, or is no plain file.
    pub fn open_to_change(&self, name: &str) -> io::Result<File> {
        self.open_with(name, OFlags::RDWR)
    }

    /// Opens a file to read it and to write it, which is made unless it is there.
    ///
    /// # Errors
    /// When it cannot be opened or made, or is no plain file.
    pub fn open_or_create(&self, name: &str) -> io::Result<File> {
        self.open_with(name, OFlags::RDWR | OFlags::CREATE)
    }

    /// Opens a file to write behind what it holds.
    ///
    /// # Errors
    /// When it cannot be opened, or is no plain file.
    pub fn append(&self, name: &str) -> io::Result<File> {
        self.open_with(name, OFlags::WRONLY | OFlags::APPEND)
    }

    /// A new file, open to be written.
    ///
    /// # Errors
    /// When it cannot be made; `AlreadyExists` when there is something of that name.
    pub fn create_new(&self, name: &str) -> io::Result<File> {
        let file = self.open_with(name, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)?;
        self.share(&file, 0o600)?;
        Ok(file)
    }

    fn open_with(&self, name: &str, flags: OFlags) -> io::Result<File> {
        // A pipe that somebody has put there must not hold this process.
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let own = Mode::from_raw_mode(0o600);
        let file = rustix::fs::openat(&self.dir, plain(name)?, flags, own)
            .map_err(|error| self.failed(name, error))?;
        let file = File::from(file);
        if file.metadata()?.is_file() {
            return Ok(file);
        }
        Err(self.no_file(name))
    }

    fn no_file(&self, name: &str) -> io::Error {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{} is no plain file", self.path.join(name).display()),
        )
    }

    /// Checks that there is a plain file of this name, without opening it: to close a database that SQLite has open in this
    /// process would end its locks.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn check_file(&self, name: &str) -> io::Result<()> {
        let about = rustix::fs::statat(&self.dir, plain(name)?, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(about.st_mode) {
            FileType::RegularFile => Ok(()),
            FileType::Symlink => Err(self.link(name)),
            _ => Err(self.no_file(name)),
        }
    }

    /// All that a file holds.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open(name)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Writes a file, wholly or not at all, so that it survives a crash of the machine.
    ///
    /// # Errors
    /// When it cannot be written; what was there before is still there then.
    pub fn keep(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let name = plain(name)?;
        let new = format!("{name}.{:016x}", random());
        let written = (|| {
            let mut file = self.create_new(&new)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            self.rename(&new, name)
        })();
        if let Err(error) = written {
            // What is there of it is of no use to anybody.
            let _ = self.remove(&new);
            return Err(error);
        }
        self.sync()
    }

    /// Gives a file another name.
    ///
    /// # Errors
    /// When that fails.
    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(
            &self.dir,
            plain(from)?,
            &self.dir,
            plain(to)?,
        )?)
    }

    /// Makes the names in it survive a crash of the machine.
    ///
    /// # Errors
    /// When that fails.
    pub fn sync(&self) -> io::Result<()> {
        #[cfg(test)]
        crate::sync_tests::note(&self.path);
        Ok(rustix::fs::fsync(&self.dir)?)
    }

    /// The names of what is in it, in order; those that are no text are left out.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.dir)? {
            if let Ok(name) = entry?.file_name().to_str()
                && !matches!(name, "." | "..")
            {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Removes a file, or a link.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(
            &self.dir,
            plain(name)?,
            AtFlags::empty(),
        )?)
    }

    /// Removes a folder with all that is in it.
    ///
    /// # Errors
    /// When it cannot be removed as a whole.
    pub fn remove_folder(&self, name: &str) -> io::Result<()> {
        self.remove_tree(name, DEEPEST)
    }

    fn remove_tree(&self, name: &str, depth: usize) -> io::Result<()> {
        let depth = depth
            .checked_sub(1)
            .ok_or_else(|| io::Error::other(format!("{name}: too many folders in folders")))?;
        let folder = self.sub(name)?;
        for name in folder.names()? {
            match folder.remove(&name) {
                // POSIX has another code for a folder than Linux.
                Err(error)
                    if [Errno::ISDIR, Errno::PERM]
                        .map(|it| Some(it.raw_os_error()))
                        .contains(&error.raw_os_error()) =>
                {
                    folder.remove_tree(&name, depth)?;
                }
                removed => removed?,
            }
        }
        Ok(rustix::fs::unlinkat(&self.dir, name, AtFlags::REMOVEDIR)?)
    }

    /// Whether there is a plain file of this name.
    pub fn has_file(&self, name: &str) -> bool {
        self.check_file(name).is_ok()
    }

    /// Lets the group that shares the state folder share this file or folder. `own` is its mode for its owner alone.
    ///
    /// # Errors
    /// When its mode or its group cannot be set.
    pub fn share(&self, made: impl AsFd, own: u32) -> io::Result<()> {
        let fd = made.as_fd();
        let Some(group) = self.group else {
            return Ok(rustix::fs::fchmod(fd, Mode::from_raw_mode(own & 0o777))?);
        };
        if rustix::fs::fstat(fd)?.st_gid != group {
            rustix::fs::fchown(fd, None, Some(Gid::from_raw(group)))?;
        }
        Ok(rustix::fs::fchmod(
            fd,
            Mode::from_raw_mode(own | ((own & 0o700) >> 3)),
        )?)
    }

    /// Opens the database in this file, which must be there. SQLite opens by path: it refuses links in it, and the path must
    /// still be that of this folder. A path by this handle, `/proc/self/fd/N`, would not help: SQLite resolves it to the names
    /// in it and opens database, log and index by those.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(crate) fn database(&self, name: &str, flags: OpenFlags) -> rusqlite::Result<Connection> {
        self.check_file(name)
            .and_then(|()| self.is_in_place())
            .map_err(cannot_open)?;
        let connection = Connection::open_with_flags(
            self.path.join(name),
            flags | OpenFlags::SQLITE_OPEN_NOFOLLOW,
        )?;
        self.is_in_place().map_err(cannot_open)?;
        Ok(connection)
    }

    fn is_in_place(&self) -> io::Result<()> {
        let there = self.path.symlink_metadata()?;
        let own = rustix::fs::fstat(&self.dir)?;
        if (there.dev(), there.ino()) == (own.st_dev, own.st_ino) {
            return Ok(());
        }
        Err(io::Error::other(format!(
            "{} was replaced while it was used",
            self.path.display()
        )))
    }

    /// A link is named: who finds one has to find out who has put it there.
    fn failed(&self, name: &str, error: Errno) -> io::Error {
        let there = rustix::fs::statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW);
        let is_link = |mode| FileType::from_raw_mode(mode) == FileType::Symlink;
        if there.is_ok_and(|about| is_link(about.st_mode)) {
            return self.link(name);
        }
        error.into()
    }

    fn link(&self, name: &str) -> io::Error {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "{} is a symbolic link, and wreimage follows none in its state folder: check who has created it, and remove it",
                self.path.join(name).display()
            ),
        )
    }
}

/// What cannot be opened, in the words of SQLite: nothing is wrong with the content of the file.
fn cannot_open(error: io::Error) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(
        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN),
        Some(error.to_string()),
    )
}

/// A name that means something in one folder only.
fn plain(name: &str) -> io::Result<&str> {
    if name.is_empty() || matches!(name, "." | "..") || name.contains(['/', '\0']) {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("{name:?} is no name of a file"),
        ));
    }
    Ok(name)
}

/// For names that nobody can foresee.
fn random() -> u64 {
    // Keyed anew each time, from the system's randomness.
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn state(mode: u32) -> (tempfile::TempDir, Folder, PathBuf) {
        let home = tempfile::tempdir().unwrap();
        let state = home.path().join("state");
        fs::create_dir(&state).unwrap();
        fs::set_permissions(&state, fs::Permissions::from_mode(mode)).unwrap();
        let victim = home.path().join("victim");
        fs::write(&victim, "secret").unwrap();
        fs::set_permissions(&victim, fs::Permissions::from_mode(0o600)).unwrap();
        let folder = Folder::of_state(&state).unwrap();
        (home, folder, victim)
    }

    #[track_caller]
    fn is_untouched(victim: &Path) {
        assert_eq!(fs::read_to_string(victim).unwrap(), "secret");
        let mode = fs::metadata(victim).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn no_link_is_followed() {
        let (home, folder, victim) = state(0o770);
        symlink(&victim, folder.path().join("file")).unwrap();
        let away = home.path().join("away");
        fs::create_dir(&away).unwrap();
        symlink(&away, folder.path().join("sub")).unwrap();
        for error in [
            folder.open("file").unwrap_err(),
            folder.open_to_change("file").unwrap_err(),
            folder.open_or_create("file").unwrap_err(),
            folder.append("file").unwrap_err(),
            folder.sub("sub").map(drop).unwrap_err(),
            folder.make_sub("sub").map(drop).unwrap_err(),
        ] {
            let text = error.to_string();
            assert!(text.contains("is a symbolic link"), "{text}");
        }
        // A new file replaces the link, not what it points to.
        folder.keep("file", b"new").unwrap();
        assert_eq!(folder.read("file").unwrap(), b"new");
        is_untouched(&victim);
        assert_eq!(fs::read_dir(&away).unwrap().count(), 0);
    }

    #[test]
    fn a_database_behind_a_link_is_not_opened() {
        let (home, folder, _) = state(0o770);
        let other = home.path().join("other.db");
        Connection::open(&other)
            .unwrap()
            .execute_batch("CREATE TABLE t (a)")
            .unwrap();
        symlink(&other, folder.path().join("journal.db")).unwrap();
        let error = folder
            .database("journal.db", OpenFlags::SQLITE_OPEN_READ_WRITE)
            .unwrap_err();
        assert!(error.to_string().contains("symbolic link"), "{error}");
        // Nor one in a folder that has been replaced since it was opened.
        let runs = folder.make_sub("runs").unwrap();
        fs::write(runs.path().join("a.db"), "").unwrap();
        fs::rename(runs.path(), home.path().join("moved")).unwrap();
        symlink(home.path(), folder.path().join("runs")).unwrap();
        let error = runs
            .database("a.db", OpenFlags::SQLITE_OPEN_READ_WRITE)
            .unwrap_err();
        assert!(error.to_string().contains("was replaced"), "{error}");
    }

    #[test]
    fn a_pipe_holds_nobody_and_a_path_is_no_name() {
        let (_home, folder, _) = state(0o770);
        let own = Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(&folder.dir, "pipe", FileType::Fifo, own, 0).unwrap();
        assert!(folder.open("pipe").is_err());
        for name in ["", ".", "..", "a/b", "/etc/passwd"] {
            assert!(folder.open(name).is_err(), "{name}");
            assert!(folder.keep(name, b"").is_err(), "{name}");
        }
    }

    #[test]
    fn what_is_made_is_shared_as_the_state_folder_is() {
        for (mode, file, sub) in [(0o700, 0o600, 0o700), (0o770, 0o660, 0o2770)] {
            let (_home, folder, _) = state(mode);
            folder.make_sub("sub").unwrap().keep("file", b"x").unwrap();
            let mode = |path: &str| {
                let path = folder.path().join(path);
                fs::metadata(path).unwrap().permissions().mode() & 0o7777
            };
            assert_eq!((mode("sub"), mode("sub/file")), (sub, file));
            // Nothing else is left.
            assert_eq!(folder.sub("sub").unwrap().names().unwrap(), ["file"]);
        }
    }
}
