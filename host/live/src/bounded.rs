//! Text files, read with a bound: a wrong path must not fill the memory.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// The most bytes of a file that people write and that describes one site: 4 MiB.
pub const DESCRIPTION: u64 = 4 << 20;
/// The most bytes of a file that has a line for each host or key: 64 MiB.
pub(crate) const TABLE: u64 = 64 << 20;
/// The most bytes of a secret or a key: 64 KiB.
pub(crate) const SECRET: u64 = 64 << 10;

/// Returns the text of a file.
///
/// # Errors
/// When it cannot be read, is not UTF-8, or has more than `most` bytes, which are not read then.
pub fn read(path: &Path, most: u64) -> Result<String> {
    read_open(File::open(path)?, most)
}

/// Returns the text of a file that is open.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_open(file: File, most: u64) -> Result<String> {
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let why = format!(
            "it has more than {} KiB; is this the right file?",
            most >> 10
        );
        return Err(Error::new(ErrorKind::FileTooLarge, why));
    }
    String::from_utf8(bytes).map_err(|_| Error::new(ErrorKind::InvalidData, "it is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_bound_and_one_without_end_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "\u{e4}bc").unwrap();
        assert_eq!(read(&file, 4).unwrap(), "\u{e4}bc");
        // The bound is inside of a character.
        for most in [0, 1, 3] {
            let error = read(&file, most).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::FileTooLarge, "{most}");
        }
        let endless = read(Path::new("/dev/zero"), SECRET).unwrap_err();
        assert!(
            endless.to_string().contains("more than 64 KiB"),
            "{endless}"
        );
        std::fs::write(&file, [0xff]).unwrap();
        assert_eq!(read(&file, 9).unwrap_err().kind(), ErrorKind::InvalidData);
    }
}
