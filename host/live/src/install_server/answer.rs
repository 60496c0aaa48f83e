//! What a script answers: lines KEY=VALUE, of which the last two are the status and `end=1`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A longer answer is not read.
pub(crate) const LIMIT: usize = 8 << 20;
/// An answer with more lines is not read: each is a key and a value in memory.
const LINES: usize = 1 << 19;
/// A longer line of progress is dropped.
const LINE: usize = 16 << 10;

/// The answer of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// What became of the request, in one word.
    pub(crate) status: String,
    /// The lines before the status, in their order.
    pub(crate) fields: Vec<(String, String)>,
}

fn field(line: &str) -> Option<(String, String)> {
    let (key, value) = line.split_once('=')?;
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c);
    (!key.is_empty() && key.chars().all(allowed)).then(|| (key.to_owned(), value.to_owned()))
}

/// A text that the script has encoded; what is not UTF-8 is replaced.
pub(crate) fn text(value: &str) -> Option<String> {
    let bytes = STANDARD.decode(value).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

impl Answer {
    /// Reads an answer.
    ///
    /// # Errors
    /// Why it is not one, for people.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let document = std::str::from_utf8(bytes).map_err(|_| "it is not text".to_owned())?;
        let document = document
            .strip_suffix("end=1\n")
            .ok_or("it does not reach its end")?;
        let mut fields = Vec::new();
        for line in document.lines() {
            if fields.len() >= LINES {
                return Err("it has too many lines".to_owned());
            }
            let line = field(line).ok_or("a line has not the form KEY=VALUE")?;
            fields.push(line);
        }
        match fields.pop() {
            Some((key, status)) if key == "status" && fields.iter().all(|it| it.0 != "status") => {
                Ok(Answer { status, fields })
            }
            _ => Err("its last line has not the status".to_owned()),
        }
    }

    /// The first value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields.find(|it| it.0 == key).map(|it| it.1.as_str())
    }

    /// The value of a key, or an empty text.
    pub(crate) fn word(&self, key: &str) -> &str {
        self.get(key).unwrap_or_default()
    }

    /// A number.
    pub(crate) fn number(&self, key: &str) -> Option<u64> {
        self.get(key)?.parse().ok()
    }

    /// A text in base64.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        text(self.get(key)?)
    }
}

/// Finds in the growing answer who holds the lock for which the script waits. A script waits once: what follows is not read.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    line: Vec<u8>,
    is_found: bool,
}

impl Waiting {
    /// Takes more of the answer; who is waited for, when that is in it.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Option<String> {
        for byte in bytes {
            if self.is_found {
                return None;
            }
            if *byte != b'\n' {
                if self.line.len() < LINE {
                    self.line.push(*byte);
                }
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let value = line.strip_prefix(b"waiting=");
            let value = value.and_then(|value| std::str::from_utf8(value).ok());
            let found = value.and_then(text);
            if found.is_some() {
                self.is_found = true;
                return found;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Waiting};

    #[test]
    fn only_a_whole_answer_is_read() {
        let answer = Answer::parse(b"a=1\nb.c=x=y\na=2\nstatus=ok\nend=1\n").unwrap();
        assert_eq!(answer.status, "ok");
        assert_eq!(answer.number("a"), Some(1));
        assert_eq!(answer.get("b.c"), Some("x=y"));
        for wrong in [
            "",
            "end=1\n",
            "status=ok\n",
            "status=ok\nend=1",
            "status=ok\nend=1\n\n",
            "status=ok\nmore=1\nend=1\n",
            "status=ok\nstatus=ok\nend=1\n",
            "Welcome\nstatus=ok\nend=1\n",
            "Key=1\nstatus=ok\nend=1\n",
            "=1\nstatus=ok\nend=1\n",
        ] {
            assert!(Answer::parse(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
        assert!(Answer::parse(b"a=\xff\nstatus=ok\nend=1\n").is_err());
        let many = "a=\n".repeat(super::LINES + 1) + "status=ok\nend=1\n";
        let why = Answer::parse(many.as_bytes()).unwrap_err();
        assert_eq!(why, "it has too many lines");
    }

    #[test]
    fn who_is_waited_for_is_found_in_pieces_of_the_answer() {
        let mut waiting = Waiting::default();
        assert_eq!(waiting.push(b"other=1\nwait"), None);
        assert_eq!(waiting.push(b"ing=cnVuIHIx"), None);
        assert_eq!(waiting.push(b"\nx"), Some("run r1".to_owned()));
        assert_eq!(waiting.push(b"\nwaiting=cnVuIHIx\n"), None, "once");
        let mut waiting = Waiting::default();
        assert_eq!(waiting.push(&[b'x'; 100_000]), None);
        assert!(waiting.line.len() <= super::LINE);
    }
}
