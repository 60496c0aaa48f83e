//! Bytes become lines.

use std::collections::VecDeque;

/// Bytes of a line; what is longer is cut into several.
const LONGEST: usize = 4096;

/// Lines that are remembered as last words.
const REMEMBERED: usize = 60;

/// What was written to one stream.
#[derive(Debug, Default)]
pub(super) struct Lines {
    begun: Vec<u8>,
    last: VecDeque<String>,
}

impl Lines {
    /// Takes bytes and returns the lines that they complete.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut whole = Vec::new();
        for &byte in bytes {
            if byte == b'\n' {
                whole.push(self.end());
                continue;
            }
            // Not in the middle of a character.
            if self.begun.len() >= LONGEST && byte & 0xc0 != 0x80 {
                whole.push(self.end());
            }
            self.begun.push(byte);
        }
        whole
    }

    /// The line that was begun and not ended.
    pub(super) fn rest(&mut self) -> Option<String> {
        (!self.begun.is_empty()).then(|| self.end())
    }

    fn end(&mut self) -> String {
        let bytes = std::mem::take(&mut self.begun);
        let text = String::from_utf8_lossy(&bytes);
        let line = text.strip_suffix('\r').unwrap_or(&text).to_owned();
        if self.last.len() == REMEMBERED {
            self.last.pop_front();
        }
        self.last.push_back(line.clone());
        line
    }

    /// The last lines.
    pub(super) fn last(&self) -> Vec<&str> {
        self.last.iter().map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, Lines, REMEMBERED};

    #[test]
    fn bytes_become_lines_wherever_they_are_cut() {
        let mut lines = Lines::default();
        assert_eq!(lines.take(b"one\r\ntw"), ["one"]);
        assert!(lines.take("o \u{fc}".as_bytes()).is_empty());
        assert_eq!(lines.take(b"\n\nthr\xffee"), ["two \u{fc}", ""]);
        assert_eq!(lines.rest().as_deref(), Some("thr\u{fffd}ee"));
        assert_eq!(lines.rest(), None);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let mut lines = Lines::default();
        let cut = lines.take("\u{fc}".repeat(LONGEST).as_bytes());
        assert_eq!(cut.len(), 1);
        assert!(cut.iter().all(|line| !line.contains('\u{fffd}')));
    }

    #[test]
    fn only_the_last_lines_are_remembered() {
        let mut lines = Lines::default();
        lines.take("x\n".repeat(REMEMBERED).as_bytes());
        lines.take(b"last\n");
        let last = lines.last();
        assert_eq!((last.len(), last.last()), (REMEMBERED, Some(&"last")));
    }
}
