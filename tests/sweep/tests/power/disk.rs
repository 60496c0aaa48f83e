//! What a loss of power leaves of a folder: the writes and syncs of a process, recorded by strace, applied again as far as
//! they had reached the disk.

use crate::trace::{Call, whole_lines};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// How much of what was not synced survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survives {
    /// Nothing.
    Nothing,
    /// The first half of the writes.
    FirstHalf,
    /// Every second write.
    EverySecond,
    /// All writes, but only half of the last one.
    TornLast,
}

/// One write to a file that has not been synced.
#[derive(Debug, Clone)]
enum Write {
    Bytes(u64, Vec<u8>),
    Length(u64),
}

/// A file, whatever it is called.
#[derive(Debug, Clone, Default)]
struct Node {
    synced: Vec<u8>,
    pending: Vec<Write>,
    length: u64,
}

impl Node {
    fn write(&mut self, at: u64, bytes: Vec<u8>) {
        self.length = self.length.max(at + bytes.len() as u64);
        self.pending.push(Write::Bytes(at, bytes));
    }

    fn cut(&mut self, length: u64) {
        self.length = length;
        self.pending.push(Write::Length(length));
    }

    fn sync(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        for write in &pending {
            apply(&mut self.synced, write);
        }
    }

    fn after_loss(&self, survives: Survives) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        let count = self.pending.len();
        for (index, write) in self.pending.iter().enumerate() {
            match (survives, write) {
                (Survives::Nothing, _) => {}
                (Survives::FirstHalf, write) if index < count / 2 => apply(&mut bytes, write),
                (Survives::EverySecond, write) if index % 2 == 0 => apply(&mut bytes, write),
                (Survives::TornLast, Write::Bytes(at, written)) if index + 1 == count => {
                    let half = written[..written.len() / 2].to_vec();
                    apply(&mut bytes, &Write::Bytes(*at, half));
                }
                (Survives::TornLast, write) => apply(&mut bytes, write),
                _ => {}
            }
        }
        bytes
    }
}

fn apply(bytes: &mut Vec<u8>, write: &Write) {
    match write {
        Write::Length(length) => bytes.resize(usize::try_from(*length).unwrap(), 0),
        Write::Bytes(at, written) => {
            let at = usize::try_from(*at).unwrap();
            if bytes.len() < at + written.len() {
                bytes.resize(at + written.len(), 0);
            }
            bytes[at..at + written.len()].copy_from_slice(written);
        }
    }
}

/// An open file.
#[derive(Debug, Clone)]
struct Open {
    node: usize,
    offset: u64,
    appends: bool,
}

/// A folder as a trace has changed it.
pub struct Disk {
    root: PathBuf,
    nodes: Vec<Node>,
    /// Names as the process sees them, and as they are on the disk.
    names: BTreeMap<PathBuf, usize>,
    synced_names: BTreeMap<PathBuf, usize>,
    folders: BTreeSet<PathBuf>,
    synced_folders: BTreeSet<PathBuf>,
    open: BTreeMap<u64, Open>,
}

impl Disk {
    /// What the calls of a trace have done to a folder that was not there before.
    pub fn of(trace: &str, root: &Path) -> Disk {
        let mut disk = Disk {
            root: root.to_owned(),
            nodes: Vec::new(),
            names: BTreeMap::new(),
            synced_names: BTreeMap::new(),
            folders: BTreeSet::new(),
            synced_folders: BTreeSet::new(),
            open: BTreeMap::new(),
        };
        for line in whole_lines(trace) {
            if let Some(call) = Call::read(&line) {
                disk.apply(&call);
            }
        }
        disk
    }

    fn is_inside(&self, path: &Path) -> bool {
        path.starts_with(&self.root)
    }

    fn apply(&mut self, call: &Call) {
        match call.name.as_str() {
            "openat" | "openat2" | "open" | "creat" => self.open_file(call),
            "close" => {
                if let Some(fd) = call.fd(0) {
                    self.open.remove(&fd);
                }
            }
            "dup" | "dup2" | "dup3" => self.duplicate(call),
            "fcntl" if call.text(1).is_some_and(|it| it.starts_with("F_DUPFD")) => {
                self.duplicate(call);
            }
            "write" => {
                let (Some(fd), Some(bytes)) = (call.fd(0), call.bytes(1)) else {
                    return;
                };
                let done = usize::try_from(call.result).unwrap_or(0).min(bytes.len());
                if let Some(open) = self.open.get_mut(&fd) {
                    let node = &mut self.nodes[open.node];
                    let at = if open.appends {
                        node.length
                    } else {
                        open.offset
                    };
                    node.write(at, bytes[..done].to_vec());
                    open.offset = at + done as u64;
                }
            }
            "pwrite64" => {
                let (Some(fd), Some(bytes), Some(at)) = (call.fd(0), call.bytes(1), call.number(3))
                else {
                    return;
                };
                let done = usize::try_from(call.result).unwrap_or(0).min(bytes.len());
                if let Some(open) = self.open.get(&fd) {
                    self.nodes[open.node].write(at, bytes[..done].to_vec());
                }
            }
            "lseek" => {
                if let (Some(fd), Ok(at)) = (call.fd(0), u64::try_from(call.result))
                    && let Some(open) = self.open.get_mut(&fd)
                {
                    open.offset = at;
                }
            }
            "ftruncate" => {
                if let (Some(fd), Some(length)) = (call.fd(0), call.number(1))
                    && let Some(open) = self.open.get(&fd)
                {
                    self.nodes[open.node].cut(length);
                }
            }
            "fallocate" => {
                let end = call.number(2).zip(call.number(3));
                if let (Some(fd), Some((at, more))) = (call.fd(0), end)
                    && let Some(open) = self.open.get(&fd)
                {
                    let node = &mut self.nodes[open.node];
                    node.cut(node.length.max(at + more));
                }
            }
            "fsync" | "fdatasync" => self.sync(call),
            "mkdir" | "mkdirat" => {
                if let Some(path) = call.path(&self.root).filter(|it| *it != self.root) {
                    self.folders.insert(path);
                }
            }
            "rename" | "renameat" | "renameat2" => {
                if let Some((from, to)) = call.two_paths()
                    && let Some(node) = self.names.remove(&from)
                {
                    self.names.insert(to, node);
                }
            }
            "link" | "linkat" => {
                if let Some((from, to)) = call.two_paths()
                    && let Some(node) = self.names.get(&from)
                {
                    self.names.insert(to, *node);
                }
            }
            "unlink" | "unlinkat" => {
                if let Some(path) = call.path(&self.root) {
                    self.names.remove(&path);
                    self.folders.remove(&path);
                }
            }
            other => {
                // A call that is not understood must not be one that changes a file of the folder.
                let writes = [
                    "writev",
                    "pwritev",
                    "truncate",
                    "copy_file_range",
                    "sendfile",
                ];
                let mut paths = (0..call.arguments.len())
                    .filter_map(|index| call.fd_path(index).or_else(|| call.name_at(index)));
                assert!(
                    !writes.contains(&other) || !paths.any(|path| self.is_inside(&path)),
                    "a call that is not understood: {}",
                    call.line
                );
            }
        }
    }

    fn open_file(&mut self, call: &Call) {
        let Ok(fd) = u64::try_from(call.result) else {
            return;
        };
        let Some(path) = call.result_path.clone().filter(|path| self.is_inside(path)) else {
            self.open.remove(&fd);
            return;
        };
        let flags = &call.line;
        if self.folders.contains(&path) || path == self.root || flags.contains("O_DIRECTORY") {
            return;
        }
        let node = *self.names.entry(path).or_insert_with(|| {
            self.nodes.push(Node::default());
            self.nodes.len() - 1
        });
        if flags.contains("O_TRUNC") && self.nodes[node].length > 0 {
            self.nodes[node].cut(0);
        }
        let open = Open {
            node,
            offset: 0,
            appends: flags.contains("O_APPEND"),
        };
        self.open.insert(fd, open);
    }

    fn duplicate(&mut self, call: &Call) {
        if let (Some(fd), Ok(new)) = (call.fd(0), u64::try_from(call.result))
            && let Some(open) = self.open.get(&fd).cloned()
        {
            self.open.insert(new, open);
        }
    }

    fn sync(&mut self, call: &Call) {
        if call.result != 0 {
            return;
        }
        let Some(path) = call.fd_path(0) else { return };
        if let Some(open) = call.fd(0).and_then(|fd| self.open.get(&fd)) {
            self.nodes[open.node].sync();
            return;
        }
        // A folder: its names are on the disk from here on.
        let of_it = |name: &PathBuf| name.parent() == Some(path.as_path());
        self.synced_names.retain(|name, _| !of_it(name));
        let names = self.names.iter().filter(|(name, _)| of_it(name));
        self.synced_names
            .extend(names.map(|(name, node)| (name.clone(), *node)));
        self.synced_folders.retain(|name| !of_it(name));
        let folders = self.folders.iter().filter(|name| of_it(name)).cloned();
        self.synced_folders.extend(folders);
    }

    /// Whether the name of each folder from the root down to this one is on the disk. The root itself is: a state folder is made
    /// once, long before most runs.
    fn is_reached(&self, folder: &Path) -> bool {
        let mut below = folder.ancestors().take_while(|it| *it != self.root);
        below.all(|it| self.synced_folders.contains(it))
    }

    /// Makes the folder what it is after a loss of power. Where nothing survives that was not synced, a name that was never
    /// synced is lost, and with the name of a folder whatever is in it.
    pub fn lose_power(&self, survives: Survives) {
        let _ = std::fs::remove_dir_all(&self.root);
        std::fs::create_dir_all(&self.root).unwrap();
        let (names, folders) = match survives {
            Survives::Nothing => (&self.synced_names, &self.synced_folders),
            _ => (&self.names, &self.folders),
        };
        let is_lost = |folder: &Path| survives == Survives::Nothing && !self.is_reached(folder);
        // A folder stands before what is in it.
        for folder in folders.iter().filter(|it| !is_lost(it)) {
            std::fs::create_dir(folder).unwrap();
        }
        for (name, node) in names {
            // Shared memory is no part of the disk, and locks are those of processes.
            let is_memory = name.extension().is_some_and(|it| it == "db-shm");
            if is_memory || name.parent().is_none_or(is_lost) {
                continue;
            }
            std::fs::write(name, self.nodes[*node].after_loss(survives)).unwrap();
        }
    }
}

/// Lines of a trace about files below a folder.
#[cfg(test)]
struct Lines(PathBuf);

#[cfg(test)]
impl Lines {
    fn at(&self, name: &str) -> String {
        hex(&self.0.join(name).display().to_string())
    }

    fn sync(&self, name: &str) -> String {
        format!("7 fsync(6<{}>) = 0", self.at(name))
    }

    fn make(&self, name: &str) -> String {
        format!(
            "7 mkdirat(AT_FDCWD<\\x2f>, \"{}\", 0700) = 0",
            self.at(name)
        )
    }

    /// A file with one word, synced, but not its name.
    fn file(&self, name: &str, word: &str) -> [String; 4] {
        let name = self.at(name);
        [
            format!("7 openat(AT_FDCWD<\\x2f>, \"{name}\", O_RDWR|O_CREAT, 0600) = 5<{name}>"),
            format!(
                "7 write(5<{name}>, \"{}\", {}) = {}",
                hex(word),
                word.len(),
                word.len()
            ),
            format!("7 fsync(5<{name}>) = 0"),
            format!("7 close(5<{name}>) = 0"),
        ]
    }
}

#[cfg(test)]
fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("\\x{byte:02x}")).collect()
}

#[test]
fn only_what_was_synced_survives() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().join("state");
    let lines = Lines(root.clone());
    let at = |name: &str| lines.at(name);
    let folder = hex(&root.display().to_string());
    let text = |text: &str| format!("\"{}\"", hex(text));
    let (a, b) = (at("a"), at("b"));
    let trace = [
        format!("7 openat(AT_FDCWD<\\x2f>, \"{a}\", O_RDWR|O_CREAT, 0600) = 5<{a}>"),
        format!("7 pwrite64(5<{a}>, {}, 3, 0) = 3", text("one")),
        format!("7 fsync(5<{a}>) = 0"),
        format!("7 fsync(6<{folder}>) = 0"),
        format!("7 pwrite64(5<{a}>, {}, 3, 3 <unfinished ...>", text("two")),
        format!("8 openat(AT_FDCWD<\\x2f>, \"{b}\", O_WRONLY|O_CREAT, 0600) = 9<{b}>"),
        "7 <... pwrite64 resumed>) = 3".to_owned(),
        format!("8 write(9<{b}>, {}, 4) = 4", text("lost")),
    ]
    .join("\n");
    let disk = Disk::of(&trace, &root);
    let read = |name: &str| std::fs::read_to_string(root.join(name)).ok();
    disk.lose_power(Survives::Nothing);
    assert_eq!((read("a").as_deref(), read("b")), (Some("one"), None));
    disk.lose_power(Survives::EverySecond);
    assert_eq!(read("a").as_deref(), Some("onetwo"));
    assert_eq!(read("b").as_deref(), Some("lost"));
    disk.lose_power(Survives::TornLast);
    assert_eq!(read("a").as_deref(), Some("onet"));
}

#[test]
fn a_folder_whose_name_was_not_synced_takes_all_with_it_that_is_in_it() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().join("state");
    let lines = Lines(root.clone());
    let (runs, run, journal) = ("runs", "runs/one", "runs/one/journal.db");
    // The order of the calls: the folders, the file, its name.
    let mut calls = vec![lines.make(""), lines.make(runs), lines.make(run)];
    calls.extend(lines.file(journal, "all"));
    calls.push(lines.sync(run));
    let left = |more: &[&str]| {
        let syncs = more.iter().map(|name| lines.sync(name));
        let trace: Vec<String> = calls.iter().cloned().chain(syncs).collect();
        Disk::of(&trace.join("\n"), &root).lose_power(Survives::Nothing);
        let is_there = |name: &str| root.join(name).exists();
        (is_there(runs), is_there(run), is_there(journal))
    };
    assert_eq!(left(&[]), (false, false, false));
    assert_eq!(left(&[runs]), (false, false, false));
    assert_eq!(left(&[""]), (true, false, false));
    assert_eq!(left(&["", runs]), (true, true, true));
}
