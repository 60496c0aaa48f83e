//! Patterns with `*`, for host names and for the words of commands.

/// Whether `text` fits `pattern`, in which `*` stands for any text, also for none.
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Whether a command fits a pattern of words; a last word `**` stands for any further words.
pub(crate) fn command_matches(pattern: &[String], argv: &[String]) -> bool {
    let (words, open) = match pattern.split_last() {
        Some((last, words)) if last == "**" => (words, true),
        _ => (pattern, false),
    };
    let enough = if open {
        argv.len() >= words.len()
    } else {
        argv.len() == words.len()
    };
    enough
        && words
            .iter()
            .zip(argv)
            .all(|(word, argument)| matches(word, argument))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, fits) in [
            ("host1001", "host1001", true),
            ("host1001", "host10011", false),
            ("host*", "host1001", true),
            ("*", "", true),
            ("db*-test", "db1-test", true),
            ("db*-test", "db1-tes", false),
            ("a*b*c", "axbxc", true),
            ("a*b*c", "acb", false),
            ("aa*aa", "aaa", false),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn a_command_fits_word_by_word() {
        let words = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
        let fits = |pattern: &str, argv: &str| command_matches(&words(pattern), &words(argv));
        assert!(fits("systemctl mask *.service", "systemctl mask x.service"));
        assert!(!fits(
            "systemctl mask *.service",
            "systemctl mask x.service y.service"
        ));
        assert!(!fits("systemctl mask *", "systemctl"));
        assert!(fits("ls **", "ls"));
        assert!(fits("ls **", "ls a b"));
        assert!(!fits("ls **", "rm a"));
    }
}
