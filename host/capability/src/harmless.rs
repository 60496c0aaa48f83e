//! Text from guests, machines and servers, made harmless before a person sees it.
//!
//! Such text can hold control characters, which move the cursor, set the title or fill the clipboard; bidirectional and
//! invisible characters, which show another text than is there; and line ends, behind which it can look like a line of the
//! host. Whatever prints for people takes a [`Harmless`], and the only ways to one go through here.

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};
use std::fmt;

/// What stands before each line but the first of a text: no line of the host begins so.
pub const CONTINUED: &str = "        | ";

/// Text that a terminal shows as it is, of which only the first line can be taken for a line of the host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Harmless(String);

impl Harmless {
    /// A line for people. Characters that a terminal obeys or hides are shown as escapes; each further line of the text
    /// begins with [`CONTINUED`].
    pub fn line(text: &str) -> Self {
        Harmless::joined(text, &format!("\n{CONTINUED}"))
    }

    /// The same on a single line: its lines are joined by spaces.
    pub fn one_line(text: &str) -> Self {
        Harmless::joined(text, " ")
    }

    fn joined(text: &str, joint: &str) -> Self {
        let mut shown = String::with_capacity(text.len());
        for (index, line) in text.trim_end_matches(['\r', '\n']).split('\n').enumerate() {
            if index > 0 {
                shown.push_str(joint);
            }
            escape(line.strip_suffix('\r').unwrap_or(line), &mut shown);
        }
        Harmless(shown)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Harmless {
    /// Obeys a width, as a column of a table needs it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<str> for Harmless {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Appends a line with an escape for each character that is not shown as it is.
fn escape(line: &str, shown: &mut String) {
    if line.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        shown.push_str(line);
        return;
    }
    for c in line.chars() {
        if is_shown(c) {
            shown.push(c);
        } else {
            shown.extend(c.escape_default());
        }
    }
}

/// Whether a terminal shows this character as it is: it is no control or format character (general categories `Cc` and `Cf`,
/// which hold bidirectional controls and tags), ends no line (`Zl`, `Zp`), and is not invisible (the property
/// `Default_Ignorable_Code_Point`).
pub fn is_shown(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    let is_obeyed = matches!(
        category,
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
    );
    !is_obeyed && !CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// JSON in which each character that a terminal obeys or hides is an escape: the same data, harmless on a terminal too. Line
/// ends between values stay.
pub fn harmless_json(json: String) -> String {
    let is_kept = |c: char| c == '\n' || is_shown(c);
    if json.chars().all(is_kept) {
        return json;
    }
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if is_kept(c) {
            escaped.push(c);
            continue;
        }
        // Behind what `serde_json` escapes itself, such a character stands only within a string.
        let mut units = [0; 2];
        for unit in c.encode_utf16(&mut units) {
            escaped.push_str(&format!("\\u{unit:04x}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::{CONTINUED, Harmless, harmless_json, is_shown};

    #[test]
    fn what_a_terminal_obeys_or_hides_is_an_escape() {
        let line = |text| Harmless::line(text).as_str().to_owned();
        assert_eq!(line("a\u{1b}[2Jb\r\u{7}c\td"), "a\\u{1b}[2Jb\\r\\u{7}c\\td");
        // C1: the introducer of a control sequence in a single character, and "next line".
        assert_eq!(line("a\u{9b}2Jb\u{85}c"), "a\\u{9b}2Jb\\u{85}c");
        // Overrides and isolates of the direction, and marks of it.
        for c in "\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}\u{200e}\u{200f}\u{61c}".chars() {
            assert!(!is_shown(c), "{c:?}");
        }
        // Of no width, separators of lines and paragraphs, tags, variation selectors, fillers, the byte order mark.
        for c in "\u{200b}\u{200d}\u{2060}\u{2028}\u{2029}\u{e0001}\u{e0041}\u{fe0f}\u{e0100}\u{3164}\u{feff}\u{ad}".chars() {
            assert!(!is_shown(c), "{c:?}");
        }
        assert_eq!(line("ab\u{202e}dc"), "ab\\u{202e}dc");
        let plain = "Größe 5 µs – naïve Ελλάδα 中文 العربية 🙂 …";
        assert_eq!(line(plain), plain);
    }

    #[test]
    fn a_further_line_cannot_pass_for_one_of_the_host() {
        assert_eq!(
            Harmless::line("note\nok   validate: all is well\r\n\n").as_str(),
            format!("note\n{CONTINUED}ok   validate: all is well")
        );
        assert_eq!(Harmless::one_line("a\nhost: b").as_str(), "a host: b");
    }

    #[test]
    fn json_stays_the_same_data() {
        let value = serde_json::json!({ "text": "a\u{9b}b\u{202e}c\u{e0041}d\n\u{1b}ö" });
        let shown = harmless_json(format!("{value:#}\n"));
        assert!(shown.chars().all(|c| c == '\n' || is_shown(c)), "{shown:?}");
        let read: serde_json::Value = serde_json::from_str(&shown).unwrap_or_default();
        assert_eq!(read, value);
    }
}
