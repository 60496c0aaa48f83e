//! Text for people, on stderr.

use std::borrow::Cow;
use std::io::Write;

/// Prints a line. A stderr that went away (a closed terminal, a dead pipe) must not stop a run: its record goes on.
pub fn line(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", plain(text));
}

/// Prints a prompt; the answer is typed behind it.
pub fn prompt(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = write!(err, "{text}").and_then(|()| err.flush());
}

/// Text from guests, machines and servers without control characters, which could redraw the screen; line ends stay.
pub fn plain(text: &str) -> Cow<'_, str> {
    let bad = |c: char| c.is_control() && c != '\n';
    if text.contains(bad) {
        text.replace(bad, "\u{fffd}").into()
    } else {
        text.into()
    }
}

/// The same, on one line.
pub fn one_line(text: &str) -> String {
    plain(text).replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::{one_line, plain};

    #[test]
    fn nothing_from_outside_can_redraw_the_screen() {
        assert_eq!(
            plain("a\u{1b}[2Jb\r\u{7}c\nd"),
            "a\u{fffd}[2Jb\u{fffd}\u{fffd}c\nd"
        );
        assert_eq!(plain("plain"), "plain");
        assert_eq!(one_line("a\nhost: b"), "a host: b");
    }
}
