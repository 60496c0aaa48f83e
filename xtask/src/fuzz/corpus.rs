//! The corpus of the repository: text only. Bytes that are no text are kept as hexadecimal digits.

use super::listing;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};

/// Ends the name of a file that holds hexadecimal digits.
const HEX: &str = ".hex";
/// Digits of a line.
const LINE: usize = 100;

/// The inputs that the repository keeps for a target.
pub struct Corpus {
    /// Text, and hexadecimal digits.
    kept: PathBuf,
    /// The same as bytes, for the program.
    bytes: PathBuf,
}

impl Corpus {
    /// Reads the files in `kept`, and writes what they mean to `bytes`, in place of what is there.
    ///
    /// # Errors
    /// When a file cannot be read or written, or has no hexadecimal digits although its name says so.
    pub fn decode(kept: PathBuf, bytes: PathBuf) -> Result<Self> {
        if bytes.exists() {
            fs::remove_dir_all(&bytes)
                .with_context(|| format!("cannot remove {}", bytes.display()))?;
        }
        fs::create_dir_all(&bytes).with_context(|| format!("cannot create {}", bytes.display()))?;
        for file in listing(&kept)? {
            let data =
                fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let (name, data) = decoded(&name_of(&file), data)
                .with_context(|| format!("cannot decode {}", file.display()))?;
            let decoded = bytes.join(name);
            ensure!(
                !decoded.exists(),
                "{} and another file mean the input {}: rename one of them",
                file.display(),
                name_of(&decoded)
            );
            write(&decoded, &data)?;
        }
        Ok(Corpus { kept, bytes })
    }

    /// Where the bytes are.
    pub fn bytes(&self) -> &Path {
        &self.bytes
    }

    /// Adds what `work` adds to the bytes.
    ///
    /// # Errors
    /// As `work`, or when a file cannot be read or written.
    pub fn add(&self, work: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let before = listing(&self.bytes)?;
        work(&self.bytes)?;
        for file in listing(&self.bytes)? {
            if before.contains(&file) {
                continue;
            }
            let data =
                fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let (name, text) = encoded(&name_of(&file), &data);
            write(&self.kept.join(name), text.as_bytes())?;
        }
        Ok(())
    }
}

fn name_of(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn write(file: &Path, data: &[u8]) -> Result<()> {
    fs::write(file, data).with_context(|| format!("cannot write {}", file.display()))
}

/// The name and the bytes of an input.
fn decoded(name: &str, data: Vec<u8>) -> Result<(String, Vec<u8>)> {
    let Some(stem) = name.strip_suffix(HEX) else {
        return Ok((name.to_owned(), data));
    };
    let mut digits = data;
    digits.retain(|byte| !byte.is_ascii_whitespace());
    Ok((stem.to_owned(), hex::decode(digits)?))
}

/// The name and the text of a file that keeps an input.
fn encoded(name: &str, data: &[u8]) -> (String, String) {
    let is_text = |text: &&str| {
        let control = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
        !text.contains(control)
    };
    if let Some(text) = std::str::from_utf8(data).ok().filter(is_text) {
        return (name.to_owned(), text.to_owned());
    }
    let mut text = String::new();
    for line in data.chunks(LINE / 2) {
        text.push_str(&hex::encode(line));
        text.push('\n');
    }
    (format!("{name}{HEX}"), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_kept_as_digits_and_read_back() {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        for (data, name) in [
            ("a text\nof two lines, ä".as_bytes(), "x"),
            (b"", "x"),
            (b"\x1b[2J", "x.hex"),
            (b"\xff\0", "x.hex"),
            (all.as_slice(), "x.hex"),
        ] {
            let (kept_as, text) = encoded("x", data);
            assert_eq!(kept_as, name);
            let back = decoded(&kept_as, text.into_bytes()).unwrap();
            assert_eq!(back, ("x".to_owned(), data.to_owned()));
        }
        assert!(decoded("x.hex", b"no digits".to_vec()).is_err());
    }

    #[test]
    fn what_is_added_to_the_bytes_is_added_to_what_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("kept");
        fs::create_dir(&kept).unwrap();
        fs::write(kept.join("a.hex"), "00ff\n").unwrap();
        let corpus = Corpus::decode(kept.clone(), folder.path().join("bytes")).unwrap();
        assert_eq!(fs::read(corpus.bytes().join("a")).unwrap(), [0, 0xff]);
        corpus
            .add(|bytes| Ok(fs::write(bytes.join("b"), [1])?))
            .unwrap();
        assert_eq!(fs::read_to_string(kept.join("b.hex")).unwrap(), "01\n");
        assert_eq!(fs::read_to_string(kept.join("a.hex")).unwrap(), "00ff\n");
    }
}
