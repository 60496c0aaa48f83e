//! An argument list as the one string that SSH carries to the far shell.

/// Joins arguments so that a POSIX shell gives back exactly these.
pub(crate) fn quote<S: AsRef<str>>(argv: &[S]) -> String {
    let words: Vec<String> = argv.iter().map(|word| quote_word(word.as_ref())).collect();
    words.join(" ")
}

fn quote_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,=".contains(c);
    // An equals sign in the first word would make it an assignment.
    if !word.is_empty() && word.chars().all(|c| plain(c) && c != '=') {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words that a careless join would let the shell act on; the real sshd test sends the same ones.
    const NASTY: [&str; 12] = [
        "",
        " ",
        "a b",
        "'",
        "\"",
        "$(touch x)",
        "`id`",
        "a;b",
        "a\nb",
        "\\",
        "*",
        "ü=1",
    ];

    #[test]
    fn a_shell_gives_the_words_back() {
        let mut argv = vec!["printf", "%s\\0"];
        argv.extend(NASTY);
        let output = std::process::Command::new("sh")
            .args(["-c", &quote(&argv)])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let words: Vec<&str> = text.split_terminator('\0').collect();
        assert_eq!(words, NASTY);
    }

    #[test]
    fn plain_words_stay_readable() {
        assert_eq!(
            quote(&["systemctl", "mask", "a@b.service"]),
            "systemctl mask a@b.service"
        );
        assert_eq!(quote(&["A=1", "x"]), "'A=1' x");
    }
}
