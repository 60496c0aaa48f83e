//! A trace of system calls as strace writes it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The system calls by which a process changes files, or has them written down.
pub const CALLS: &str = "trace=openat,openat2,open,creat,close,write,writev,pwrite64,pwritev,lseek,fsync,fdatasync,sync_file_range,ftruncate,\
                         truncate,fallocate,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,copy_file_range,\
                         sendfile,dup,dup2,dup3,fcntl";

/// Lines of a trace, those of calls that another thread interrupted put together.
pub fn whole_lines(trace: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut begun: BTreeMap<&str, String> = BTreeMap::new();
    for line in trace.lines() {
        let Some((thread, rest)) = line.split_once(' ') else {
            continue;
        };
        let rest = rest.trim_start();
        if let Some(first) = rest.strip_suffix(" <unfinished ...>") {
            begun.insert(thread, first.to_owned());
        } else if let Some((_, last)) = rest
            .strip_prefix("<... ")
            .and_then(|rest| rest.split_once(" resumed>"))
        {
            lines.push(begun.remove(thread).unwrap_or_default() + last);
        } else {
            lines.push(rest.to_owned());
        }
    }
    lines
}

/// A system call.
pub struct Call {
    pub line: String,
    pub name: String,
    pub arguments: Vec<String>,
    pub result: i64,
    /// The file that the result is open at.
    pub result_path: Option<PathBuf>,
}

impl Call {
    pub fn read(line: &str) -> Option<Call> {
        let (name, rest) = line.split_once('(')?;
        let (arguments, result) = rest.rsplit_once(" = ")?;
        let arguments = arguments.trim_end().strip_suffix(')')?;
        let number: String = result
            .chars()
            .take_while(|c| c.is_ascii_digit() || *c == '-')
            .collect();
        Some(Call {
            line: line.to_owned(),
            name: name.to_owned(),
            arguments: split(arguments),
            result: number.parse().ok()?,
            result_path: behind(result),
        })
    }

    pub fn text(&self, index: usize) -> Option<&str> {
        self.arguments.get(index).map(String::as_str)
    }

    pub fn number(&self, index: usize) -> Option<u64> {
        self.text(index)?.parse().ok()
    }

    pub fn fd(&self, index: usize) -> Option<u64> {
        let text = self.text(index)?;
        text.split('<').next()?.parse().ok()
    }

    pub fn fd_path(&self, index: usize) -> Option<PathBuf> {
        behind(self.text(index)?)
    }

    pub fn bytes(&self, index: usize) -> Option<Vec<u8>> {
        quoted(self.text(index)?)
    }

    /// A name, by itself or in the folder of the argument before it.
    pub fn name_at(&self, index: usize) -> Option<PathBuf> {
        let name = String::from_utf8(quoted(self.text(index)?)?).ok()?;
        let name = PathBuf::from(name);
        let folder = index.checked_sub(1).and_then(|before| self.fd_path(before));
        Some(match folder {
            Some(folder) if name.is_relative() => folder.join(name),
            _ => name,
        })
    }

    /// The one name that it is about.
    pub fn path(&self, root: &Path) -> Option<PathBuf> {
        let index = self.arguments.iter().position(|it| it.starts_with('"'))?;
        let path = self.name_at(index)?;
        (self.result == 0 && path.starts_with(root)).then_some(path)
    }

    pub fn two_paths(&self) -> Option<(PathBuf, PathBuf)> {
        let mut names = (0..self.arguments.len())
            .filter(|index| self.arguments[*index].starts_with('"'))
            .filter_map(|index| self.name_at(index));
        let both = names.next().zip(names.next())?;
        (self.result == 0).then_some(both)
    }
}

/// The path of `7<\x2f\x61>`.
fn behind(text: &str) -> Option<PathBuf> {
    let (_, rest) = text.split_once('<')?;
    let bytes = hexadecimal(rest.split('>').next()?)?;
    String::from_utf8(bytes).ok().map(PathBuf::from)
}

/// Bytes of `"\x61\x62"`, which must not have been cut.
fn quoted(text: &str) -> Option<Vec<u8>> {
    hexadecimal(text.strip_prefix('"')?.strip_suffix('"')?)
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    text.split("\\x")
        .skip(1)
        .map(|byte| u8::from_str_radix(byte, 16).ok())
        .collect()
}

/// Arguments of a call: texts are printed as `\x..`, so that no comma stands in them.
fn split(arguments: &str) -> Vec<String> {
    arguments
        .split(", ")
        .map(|it| it.trim().to_owned())
        .collect()
}
