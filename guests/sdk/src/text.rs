//! Text that other systems and people can take: of bounded length, without control characters.

/// Marks what was cut.
const CUT: &str = "…";

/// At most `limit` bytes; what is longer is cut between two characters and marked.
pub fn bounded(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let mut end = limit.saturating_sub(CUT.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{CUT}", text.get(..end).unwrap_or_default())
}

/// One line: control characters (line breaks, terminal sequences) become spaces, runs of spaces one. At most `limit` bytes.
pub fn line(text: &str, limit: usize) -> String {
    let words: Vec<&str> = text
        .split(|c: char| c.is_control() || c.is_whitespace())
        .filter(|word| !word.is_empty())
        .collect();
    bounded(&words.join(" "), limit)
}

/// A reason that any system can carry in a field of its own: letters, digits and a few marks that neither a shell, nor
/// the fields of a command file, nor quotes give a meaning to. Anything else becomes `_`. At most `limit` bytes.
pub fn reason(text: &str, limit: usize) -> String {
    let plain: String = line(text, usize::MAX)
        .chars()
        .map(|c| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | ' ' | '.' | ',' | ':' | '@' | '-' | '_' | '/' => c,
            _ => '_',
        })
        .take(limit)
        .collect();
    plain.trim_end().to_owned()
}

/// The last `count` lines that are not empty, as one line with ` / ` between them.
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<String> = text
        .lines()
        .map(|part| line(part, 300))
        .filter(|part| !part.is_empty())
        .collect();
    let from = lines.len().saturating_sub(count);
    lines.get(from..).unwrap_or_default().join(" / ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(bounded("short", 5), "short");
        let cut = bounded(&"ä".repeat(100), 20);
        assert!(cut.len() <= 20 && cut.ends_with(CUT), "{cut}");
    }

    #[test]
    fn a_line_has_no_breaks_and_no_terminal_sequences() {
        assert_eq!(line("a\n\tb\u{1b}[31m  c\r\n", 100), "a b [31m c");
    }

    #[test]
    fn a_reason_means_nothing_to_a_shell_or_a_command_file() {
        assert_eq!(
            reason("Host reimage - a@b; $(rm -rf /)\n`x` 'q' \"d\" | T1", 100),
            "Host reimage - a@b_ __rm -rf /_ _x_ _q_ _d_ _ T1"
        );
        assert_eq!(reason(&"x".repeat(10_000), 120).len(), 120);
    }

    #[test]
    fn the_end_of_an_output_is_what_tells() {
        assert_eq!(last_lines("one\n\ntwo\nthree\n", 2), "two / three");
        assert_eq!(last_lines("", 3), "");
    }
}
