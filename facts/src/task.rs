//! Tasks of Phabricator and Phorge.

/// Digits of the longest id. The tools of the reference site take six; larger installations have more tasks.
const DIGITS: usize = 8;

/// Whether this is the id of a task: `T` and a number.
pub fn is_task_id(text: &str) -> bool {
    text.strip_prefix('T').is_some_and(|digits| {
        (1..=DIGITS).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::is_task_id;

    #[test]
    fn a_task_is_a_t_and_a_number() {
        for task in ["T1", "T12345", "T123456", "T12345678"] {
            assert!(is_task_id(task), "{task}");
        }
        for other in [
            "",
            "T",
            "12345",
            "t1",
            "T123456789",
            "T1 2",
            "T1;x",
            "T1\n",
            "D123",
            "T\u{661}",
        ] {
            assert!(!is_task_id(other), "{other}");
        }
    }
}
