//! What earlier runs have left on other systems, and the commands that end it. A run removes only what is its own.

use crate::options::Asked;
use crate::quiet;
use crate::repool::Todo;
use wreimage_sdk::{Fault, FaultKind, alertmanager, icinga, text};

/// What the reason of every reimage begins with.
pub const REASON: &str = "Host reimage - ";

/// Bytes of a comment that another run has written: a reason and the id of a run.
const COMMENT_LIMIT: usize = 300;

/// What is found of others.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// What earlier reimages have left, each with the command that ends it.
    pub todos: Vec<Todo>,
    /// Comments of downtimes that are no reimage's.
    pub foreign: Vec<String>,
}

/// The downtimes and silences of the host that hold and are not this run's. `silence` is the id of this run's silence.
///
/// # Errors
/// That one of the two systems cannot be asked. A host that monitoring does not know has no downtimes.
pub fn quiet(asked: &Asked, silence: Option<&str>) -> Result<Found, Fault> {
    let mut found = Found::default();
    if asked.lacks(&["icinga"]).is_none() {
        let downtimes = match icinga::get_downtimes() {
            Err(fault) if fault.is(FaultKind::NotFound) => Vec::new(),
            asked => asked?,
        };
        for downtime in downtimes {
            found.add_downtime(asked, &downtime.comment);
        }
    }
    if asked.lacks(&["alertmanager"]).is_none() {
        for held in alertmanager::get_silences()? {
            found.add_silence(asked, silence, &held.id, &held.comment);
        }
    }
    Ok(found)
}

impl Found {
    fn add_downtime(&mut self, asked: &Asked, comment: &str) {
        if comment.ends_with(&format!("[{}]", asked.run_id())) {
            return;
        }
        let Some(comment) = ours(comment) else {
            self.foreign.push(text::line(comment, COMMENT_LIMIT));
            return;
        };
        self.todos.push(Todo {
            text: format!(
                "{} is in the downtime of an earlier run ({comment}); the command is for the Icinga server",
                asked.host
            ),
            command: quiet::delete_downtime(&asked.host, comment),
        });
    }

    fn add_silence(&mut self, asked: &Asked, own: Option<&str>, id: &str, comment: &str) {
        let is_id = !id.is_empty()
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if own == Some(id) || !is_id || !comment.starts_with(REASON) {
            return;
        }
        self.todos.push(Todo {
            text: format!(
                "the alerts of {} are silenced by an earlier run ({})",
                asked.host,
                text::line(comment, COMMENT_LIMIT)
            ),
            command: format!("amtool silence expire {id}"),
        });
    }
}

/// The comment of a reimage, if it is one, and of characters that mean nothing to a shell or a command file.
fn ours(comment: &str) -> Option<&str> {
    let is_plain = comment.len() <= COMMENT_LIMIT
        && comment.chars().all(|c| {
            c.is_ascii_alphanumeric()
                || matches!(c, ' ' | '.' | ',' | ':' | '@' | '-' | '_' | '/' | '[' | ']')
        });
    (is_plain && comment.starts_with(REASON)).then_some(comment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::request;

    fn asked() -> Asked {
        Asked::from_request(&request(&[("os", "bullseye")])).unwrap()
    }

    #[test]
    fn only_what_an_earlier_reimage_has_set_gets_a_command_that_ends_it() {
        let mut found = Found::default();
        for comment in [
            "Host reimage - tester [run-1]",
            "Host reimage - tester - T1 [run-0]",
            "disk replaced; rack A3",
            "Host reimage - '; reboot [run-0]",
        ] {
            found.add_downtime(&asked(), comment);
        }
        for (id, comment) in [
            ("a-1", "Host reimage - tester"),
            ("b-2", "Host reimage - tester"),
            ("c-3", "maintenance"),
            ("$(x)", "Host reimage - tester"),
        ] {
            found.add_silence(&asked(), Some("b-2"), id, comment);
        }
        let commands: Vec<&str> = found.todos.iter().map(|it| it.command.as_str()).collect();
        assert_eq!(
            commands,
            [
                "printf '[%s] DEL_DOWNTIME_BY_HOST_NAME;host1001;;;Host reimage - tester - T1 [run-0]\\n' \"$(date +%s)\" | sudo tee \
                 -a /var/lib/icinga/rw/icinga.cmd",
                "amtool silence expire a-1",
            ]
        );
        assert_eq!(
            found.foreign,
            ["disk replaced; rack A3", "Host reimage - '; reboot [run-0]"]
        );
    }
}
