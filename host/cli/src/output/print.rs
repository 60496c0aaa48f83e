//! Text for people: each line of it is made harmless where it is printed, so that nothing from outside can redraw the screen
//! or pass for a line of the host.

use crate::failure::Failure;
use std::fmt;
use std::io::{self, Write};
use wreimage_capability::{Harmless, harmless_json};
use wreimage_site::without_secrets;

/// Prints a line on stderr. A stderr that went away (a closed terminal, a dead pipe) must not stop a run: its record goes on.
pub fn line(text: &str) {
    let _ = writeln!(io::stderr(), "{}", shown(text));
}

/// A line as it is printed: without secrets and harmless, in this order, as escapes would hide a secret.
pub fn shown(text: &str) -> Harmless {
    Harmless::line(&without_secrets(text))
}

/// The same on a single line.
pub fn one_line(text: &str) -> Harmless {
    Harmless::one_line(&without_secrets(text))
}

fn shown_json(json: &str) -> String {
    harmless_json(without_secrets(json).into_owned())
}

/// Lines that are printed together. A line end within one is not the host's: what follows it is marked as its continuation.
#[derive(Debug, Default)]
pub struct Page(String);

impl Page {
    /// Adds a line.
    pub fn line(&mut self, text: impl AsRef<str>) {
        self.0.push_str(shown(text.as_ref()).as_str());
        self.0.push('\n');
    }

    /// Adds JSON as a line.
    pub fn json(&mut self, value: &serde_json::Value) {
        self.0.push_str(&shown_json(&format!("{value}\n")));
    }

    /// Adds an empty line.
    pub fn gap(&mut self) {
        self.0.push('\n');
    }

    /// Adds the lines of another page.
    pub fn append(&mut self, other: &Page) {
        self.0.push_str(&other.0);
    }

    /// Whether it has no line.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Prints a page on stderr, as [`line`] does.
pub fn lines(page: &Page) {
    let _ = write!(io::stderr(), "{page}");
}

/// Prints a page on stdout.
pub fn page(page: &Page) -> Result<(), Failure> {
    print(&page.0)
}

/// Prints JSON on stdout, with a line end behind it.
pub fn json(value: &serde_json::Value) -> Result<(), Failure> {
    print(&shown_json(&format!("{value}\n")))
}

/// Prints JSON on several lines on stdout.
pub fn pretty_json(value: &serde_json::Value) -> Result<(), Failure> {
    print(&shown_json(&format!("{value:#}\n")))
}

/// Prints text of this program on stdout, such as a script for a shell. A reader that went away is no error.
pub fn own(text: &str) -> Result<(), Failure> {
    print(text)
}

fn print(text: &str) -> Result<(), Failure> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::part("stdout", error))
        }
        _ => Ok(()),
    }
}

/// What is shown before an answer is typed.
#[derive(Debug)]
pub struct Prompt {
    /// The lines above.
    pub above: Page,
    /// The answer is typed behind it.
    pub last: Harmless,
}

impl Prompt {
    /// Shows it on stderr.
    pub fn show(&self) {
        let mut err = io::stderr().lock();
        let _ = write!(err, "{}{} ", self.above, self.last).and_then(|()| err.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::{Page, one_line};

    #[test]
    fn a_line_of_a_page_stays_one() {
        let mut page = Page::default();
        page.line("  WARN it says\nSUCCESS: host1001");
        page.line(format!("  {:<4}|", one_line("\u{7}")));
        assert_eq!(
            page.to_string(),
            "  WARN it says\n        | SUCCESS: host1001\n  \\u{7}|\n"
        );
    }
}
