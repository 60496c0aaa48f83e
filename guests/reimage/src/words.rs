//! What the values of options may be: each is then a word to every system that gets it, and to a shell.

use crate::mask::unit_name;
use wreimage_facts::task::is_task_id;
use wreimage_sdk::{Fault, FaultKind, text};

/// The id of a Phabricator task: `T` and a number.
///
/// # Errors
/// `rejected` when the text is none.
pub fn task_id(task: &str) -> Result<String, Fault> {
    if is_task_id(task) {
        Ok(task.to_owned())
    } else {
        Err(wrong(&format!(
            "--task takes the id of a Phabricator task such as T12345, not `{}`.",
            text::line(task, 80)
        )))
    }
}

/// Names of systemd services, separated by commas, each once and with its suffix.
///
/// # Errors
/// `rejected` when one of them cannot be a name.
pub fn units(words: &str) -> Result<Vec<String>, Fault> {
    let mut units = Vec::new();
    for word in words.split(',') {
        let Some(unit) = unit_name(word) else {
            return Err(wrong(&format!(
                "--mask takes names of systemd services separated by commas, and `{}` is none.",
                text::line(word, 80)
            )));
        };
        if !units.contains(&unit) {
            units.push(unit);
        }
    }
    Ok(units)
}

/// Release and media become a folder name on the install server.
///
/// # Errors
/// `rejected` when the word cannot be one.
pub fn boot_path_word(option: &str, word: &str) -> Result<String, Fault> {
    let is_word = !word.is_empty()
        && word.len() <= 64
        && word
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-'));
    if !is_word {
        return Err(wrong(&format!(
            "--{option} takes lower-case letters, digits, dots and dashes, not `{}`.",
            text::line(word, 80)
        )));
    }
    Ok(word.to_owned())
}

/// A name that another system knows.
///
/// # Errors
/// `rejected` when the word cannot be one.
pub fn service_word(option: &str, word: &str) -> Result<String, Fault> {
    let is_word = !word.is_empty()
        && word.len() <= 64
        && !word.starts_with(['-', '.'])
        && word
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    if !is_word {
        return Err(wrong(&format!(
            "--{option} takes letters, digits, dots, dashes and underscores, not `{}`.",
            text::line(word, 80)
        )));
    }
    Ok(word.to_owned())
}

/// The fault of an option whose value cannot be used.
pub fn wrong(message: &str) -> Fault {
    Fault::new(
        FaultKind::Rejected,
        wreimage_sdk::OPTION_WRONG,
        "options",
        format!("{message} Nothing was touched."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_a_word_of_a_path() {
        assert_eq!(
            boot_path_word("os", "bookworm-12.1").unwrap(),
            "bookworm-12.1"
        );
        for wrong in ["", "Bullseye", "../x", "a b", "a/b", "a\"b"] {
            assert!(boot_path_word("os", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_task_is_a_t_and_a_number() {
        assert_eq!(task_id("T12345").unwrap(), "T12345");
        for wrong in ["12345", "T123456789"] {
            assert!(task_id(wrong).is_err(), "{wrong}");
        }
    }
}
