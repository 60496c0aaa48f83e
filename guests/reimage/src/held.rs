//! The downtimes and silences of the host that hold now, as Icinga and Alertmanager report them: of this run, of earlier runs and
//! of others. A run removes only what is its own.

use crate::options::Asked;
use crate::suppression;
use wreimage_sdk::{Fault, FaultKind, FollowUp, alertmanager, icinga, text};

/// What the reason of every reimage begins with.
pub const REASON: &str = "Host reimage - ";

/// Bytes of a comment that another run has written: a reason and the id of a run.
const COMMENT_LIMIT: usize = 300;

/// The downtimes of the host, or its silences, that hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// Whether one of them is this run's.
    pub is_own: bool,
    /// Those of earlier reimages, each with the command that ends it.
    pub earlier: Vec<FollowUp>,
    /// Comments of downtimes that no reimage has set.
    pub foreign: Vec<String>,
}

/// The downtimes of the host. A host that Icinga does not know has none, and a site without Icinga neither.
///
/// # Errors
/// That Icinga cannot be asked.
pub fn downtimes(asked: &Asked) -> Result<Held, Fault> {
    let mut held = Held::default();
    if asked.lacks(&["icinga"]).is_some() {
        return Ok(held);
    }
    let downtimes = match icinga::get_downtimes() {
        Err(fault) if fault.is(FaultKind::NotFound) => Vec::new(),
        found => found?,
    };
    for downtime in downtimes {
        held.add_downtime(asked, &downtime.comment);
    }
    Ok(held)
}

/// The silences of the host. `own` is the id of this run's.
///
/// # Errors
/// That Alertmanager cannot be asked.
pub fn silences(asked: &Asked, own: Option<&str>) -> Result<Held, Fault> {
    let mut held = Held::default();
    if asked.lacks(&["alertmanager"]).is_some() {
        return Ok(held);
    }
    for silence in alertmanager::get_silences()? {
        held.add_silence(asked, own, &silence.id, &silence.comment);
    }
    Ok(held)
}

impl Held {
    fn add_downtime(&mut self, asked: &Asked, comment: &str) {
        if comment.ends_with(&format!("[{}]", asked.run_id())) {
            self.is_own = true;
            return;
        }
        let Some(comment) = of_a_reimage(comment) else {
            self.foreign.push(text::line(comment, COMMENT_LIMIT));
            return;
        };
        let text = format!(
            "{} is in the downtime of an earlier run ({comment}); the command is for the Icinga server",
            asked.host
        );
        let command = suppression::delete_downtime(&asked.host, comment);
        let key = format!("{}/{comment}", suppression::DOWNTIME);
        self.earlier.push(FollowUp::new(&key, text, command));
    }

    fn add_silence(&mut self, asked: &Asked, own: Option<&str>, id: &str, comment: &str) {
        if own == Some(id) {
            self.is_own = true;
            return;
        }
        if !suppression::is_silence_id(id) || !comment.starts_with(REASON) {
            return;
        }
        let text = format!(
            "the alerts of {} are silenced by an earlier run ({})",
            asked.host,
            text::line(comment, COMMENT_LIMIT)
        );
        let key = format!("{}/{id}", suppression::SILENCE);
        self.earlier
            .push(FollowUp::new(&key, text, suppression::expire_silence(id)));
    }
}

/// The comment of a reimage, if it is one, and of characters that mean nothing to a shell or a command file.
fn of_a_reimage(comment: &str) -> Option<&str> {
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
        let (mut downtimes, mut silences) = (Held::default(), Held::default());
        for comment in [
            "Host reimage - tester [run-1]",
            "Host reimage - tester - T1 [run-0]",
            "disk replaced; rack A3",
            "Host reimage - '; reboot [run-0]",
        ] {
            downtimes.add_downtime(&asked(), comment);
        }
        for (id, comment) in [
            ("a-1", "Host reimage - tester"),
            ("b-2", "Host reimage - tester"),
            ("c-3", "maintenance"),
            ("$(x)", "Host reimage - tester"),
        ] {
            silences.add_silence(&asked(), Some("b-2"), id, comment);
        }
        assert!(downtimes.is_own && silences.is_own);
        let earlier = downtimes.earlier.iter().chain(&silences.earlier);
        let commands: Vec<&str> = earlier.map(|it| it.command.as_str()).collect();
        assert_eq!(
            commands,
            [
                "printf '[%s] DEL_DOWNTIME_BY_HOST_NAME;host1001;;;Host reimage - tester - T1 [run-0]\\n' \"$(date +%s)\" | sudo tee \
                 -a /var/lib/icinga/rw/icinga.cmd",
                "amtool silence expire a-1",
            ]
        );
        assert_eq!(
            downtimes.foreign,
            ["disk replaced; rack A3", "Host reimage - '; reboot [run-0]"]
        );
    }
}
