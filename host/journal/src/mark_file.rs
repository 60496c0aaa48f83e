//! How far a journal reaches, in a small file beside its database: a database that was cut, or restored alone, is noticed.
//!
//! The file is never longer or shorter: two slots that are written in turn, in place, so that a write which a crash tears
//! leaves the other. It is written after the record that it counts is on stable storage, and not flushed: what a crash of the
//! machine takes from it makes the file say less, never more.

use crate::log::digest;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use wreimage_capability::lease::JournalMark;

/// Its name in the folder of a run.
pub(crate) const NAME: &str = "journal.mark";

/// Length of a slot in bytes.
const SLOT: usize = 64;

/// Stands for the sum of a journal without a durable record.
const NO_SUM: &str = "-";

/// Length of the file in bytes.
pub(crate) const LONGEST: u64 = 2 * SLOT as u64;

/// The file, open for the driver of the run.
pub(crate) struct MarkFile {
    file: File,
    /// Whether the second slot is written next.
    second: bool,
}

impl MarkFile {
    /// The marks of a run whose file this is.
    pub(crate) fn new(file: File) -> Self {
        MarkFile {
            file,
            second: false,
        }
    }

    /// Writes the next mark over the older of the two.
    pub(crate) fn write(&mut self, mark: &JournalMark) -> io::Result<()> {
        let offset = if self.second { SLOT as u64 } else { 0 };
        self.file.write_all_at(&slot(mark), offset)?;
        self.second = !self.second;
        Ok(())
    }
}

fn checked(length: &str, sum: &str) -> String {
    digest(format!("{length} {sum}").as_bytes())
        .chars()
        .take(8)
        .collect()
}

fn slot(mark: &JournalMark) -> [u8; SLOT] {
    let length = format!("{:020}", mark.length);
    let sum = if mark.sum.is_empty() {
        NO_SUM
    } else {
        &mark.sum
    };
    let check = checked(&length, sum);
    let mut bytes = [b' '; SLOT];
    let text = format!("{length} {sum} {check}");
    for (to, from) in bytes.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    if let Some(last) = bytes.last_mut() {
        *last = b'\n';
    }
    bytes
}

/// The mark that a file of marks has; `None` when no slot can be read.
pub(crate) fn read(bytes: &[u8]) -> Option<JournalMark> {
    bytes
        .chunks(SLOT)
        .take(2)
        .filter_map(|slot| {
            let text = std::str::from_utf8(slot).ok()?;
            let mut words = text.split_whitespace();
            let (length, sum, check) = (words.next()?, words.next()?, words.next()?);
            (checked(length, sum) == check).then_some(JournalMark {
                length: length.parse().ok()?,
                sum: if sum == NO_SUM { "" } else { sum }.to_owned(),
            })
        })
        .max_by_key(|mark| mark.length)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::{MarkFile, SLOT, read, slot};
    use std::io::{Read, Seek};
    use wreimage_capability::lease::JournalMark;

    fn mark(length: u64) -> JournalMark {
        JournalMark {
            length,
            sum: format!("{length:016x}"),
        }
    }

    #[test]
    fn the_last_mark_is_read_back_and_a_torn_one_leaves_the_one_before() {
        assert_eq!(
            read(&slot(&JournalMark::default())),
            Some(JournalMark::default())
        );
        let mut file = tempfile::tempfile().unwrap();
        let mut marks = MarkFile::new(file.try_clone().unwrap());
        for length in [1, 2, 30] {
            marks.write(&mark(length)).unwrap();
        }
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len(), 2 * SLOT);
        assert_eq!(read(&bytes), Some(mark(30)));
        // Half of the last write.
        bytes[25] = b'x';
        assert_eq!(read(&bytes), Some(mark(2)));
        for nothing in [&b""[..], b"cut", &[0; 128], &[0xff; 200]] {
            assert_eq!(read(nothing), None);
        }
    }
}
