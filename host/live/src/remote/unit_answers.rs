//! What the scripts about a transient unit print: how far it is, how it ended, its output.

use super::answers;
use crate::ssh::{Ended, Output};
use wreimage_capability::remote::Exit;

/// How far a unit is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// The machine has no units for us.
    Plain,
    Absent,
    Running,
    /// How systemd says that it ended: `CODE STATUS RESULT`.
    Ended(String),
    /// It has begun, it does not run, and nothing says how it ended.
    Lost,
    /// It arrived there after the run's claim on the host had run out, and was not begun.
    Late,
}

/// Reads how far a unit is; `None` for an answer that is none.
pub(super) fn seen(answer: &str) -> Option<Seen> {
    Some(match answer.split_once(' ').unwrap_or((answer, "")) {
        ("plain", _) => Seen::Plain,
        ("absent", _) => Seen::Absent,
        ("running", _) => Seen::Running,
        ("ended", how) => Seen::Ended(how.to_owned()),
        ("lost", _) => Seen::Lost,
        ("late", _) => Seen::Late,
        _ => return None,
    })
}

/// Reads how a unit ended: `exited 3 exit-code`, `killed TERM signal`, `killed KILL timeout`.
pub(super) fn exit(how: &str) -> Exit {
    let mut words = how.split_whitespace();
    let (code, status, result) = (words.next(), words.next(), words.next());
    match (code, status.unwrap_or_default(), result) {
        (_, _, Some("timeout")) => Exit::Other("killed at its timeout".to_owned()),
        (Some("exited"), status, _) => status
            .parse()
            .map_or_else(|_| Exit::Other(how.to_owned()), Exit::Status),
        (Some("killed" | "dumped"), signal, _) => Exit::Signal(signal.to_owned()),
        _ => Exit::Other(how.to_owned()),
    }
}

/// Reads what the script that follows a unit printed: what it says of the unit, and of the end of one that ended.
pub(crate) fn read_answer(answer: &str) {
    if let Some(Seen::Ended(how)) = seen(answer) {
        exit(&how);
    }
}

/// One stream of a command.
#[derive(Default)]
pub(super) struct Part {
    pub(super) whole: Vec<u8>,
    pub(super) tail: Output,
    pub(super) cut: bool,
}

impl Part {
    /// What stands behind the mark: a login shell's start files may print before it.
    pub(super) fn of(ended: &Ended) -> Self {
        let mark = format!("{}\n", answers::MARK);
        let bytes = &ended.whole_stdout;
        let at = bytes
            .windows(mark.len())
            .position(|it| it == mark.as_bytes());
        let whole = at.and_then(|at| bytes.get(at + mark.len()..));
        let whole = whole.unwrap_or_default().to_vec();
        Part {
            tail: if ended.truncated {
                ended.stdout.clone()
            } else {
                Output::of(&whole)
            },
            whole,
            cut: ended.truncated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemd_says_of_an_end() {
        assert_eq!(exit("exited 3 exit-code"), Exit::Status(3));
        assert_eq!(
            exit("killed KILL oom-kill"),
            Exit::Signal("KILL".to_owned())
        );
        assert!(matches!(exit("exited 0 timeout"), Exit::Other(_)));
        assert!(matches!(exit("killed TERM timeout"), Exit::Other(_)));
        assert!(matches!(exit("  "), Exit::Other(_)));
        assert_eq!(
            seen("ended exited 0 success"),
            Some(Seen::Ended("exited 0 success".to_owned()))
        );
        assert_eq!(seen("late"), Some(Seen::Late));
        assert_eq!(seen("System is going down"), None);
    }
}
