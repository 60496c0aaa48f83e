//! What keeps monitoring quiet about the host, and the commands that end it: ours and nobody else's.

use crate::options::Asked;
use crate::policy;
use crate::repool::Todo;

/// What this run has set, so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quiet {
    /// Icinga has a downtime of this run.
    pub downtimed: bool,
    /// Id of this run's silence on Alertmanager.
    pub silence: Option<String>,
}

impl Quiet {
    /// In words: downtime, silence, or both; nothing when there is neither.
    pub fn words(&self) -> Option<&'static str> {
        match (self.downtimed, &self.silence) {
            (true, Some(_)) => Some("downtime and silence"),
            (true, None) => Some("downtime"),
            (false, Some(_)) => Some("silence"),
            (false, None) => None,
        }
    }

    /// How to end them.
    pub fn todos(&self, asked: &Asked) -> Vec<Todo> {
        let host = &asked.host;
        let downtime = self.downtimed.then(|| Todo {
            text: format!(
                "{host} is in downtime; the command is for the Icinga server, once its checks are green"
            ),
            command: remove_downtime(asked),
        });
        let silence = self.silence.as_ref().map(|id| Todo {
            text: format!("the alerts of {host} are silenced on Alertmanager"),
            command: format!("amtool silence expire {id}"),
        });
        downtime.into_iter().chain(silence).collect()
    }
}

/// Removes the downtimes of the host and its services that have this run's comment. For the command file, which Icinga 1
/// has and Icinga 2 can have: host, service, begin, comment, where an empty field is any.
fn remove_downtime(asked: &Asked) -> String {
    format!(
        "printf '[%s] DEL_DOWNTIME_BY_HOST_NAME;{};;;{} [{}]\\n' \"$(date +%s)\" | sudo tee -a {}",
        asked.host,
        asked.reason(),
        asked.run_id(),
        policy::ICINGA_COMMAND_FILE
    )
}

/// What a step says of a silence that it has made.
pub fn silenced(hours: u64, id: &str) -> String {
    format!("for {hours} hours, silence {id}")
}

/// The id of the silence in what a step has said; nothing that a shell would take for more than a word.
pub fn silence_of(said: &str) -> Option<String> {
    let (_, id) = said.split_once(", silence ")?;
    let id = id
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .next()?;
    (!id.is_empty()).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::request;

    #[test]
    fn the_commands_end_what_this_run_has_set() {
        let asked = Asked::from_request(&request(&[("os", "bullseye")])).unwrap();
        let quiet = Quiet {
            downtimed: true,
            silence: Some("6f1c-2".to_owned()),
        };
        let commands: Vec<String> = quiet
            .todos(&asked)
            .into_iter()
            .map(|todo| todo.command)
            .collect();
        assert_eq!(
            commands,
            [
                "printf '[%s] DEL_DOWNTIME_BY_HOST_NAME;host1001;;;Host reimage - tester [run-1]\\n' \"$(date +%s)\" | sudo \
                 tee -a /var/lib/icinga/rw/icinga.cmd",
                "amtool silence expire 6f1c-2"
            ]
        );
    }

    #[test]
    fn a_silence_is_known_by_what_its_step_said() {
        let said = format!(
            "{}; removed the silence of the old OS",
            silenced(2, "6f1c-2")
        );
        assert_eq!(silence_of(&said).as_deref(), Some("6f1c-2"));
        assert_eq!(silence_of("for 2 hours, silence $(reboot)"), None);
        assert_eq!(silence_of("Alertmanager did not answer"), None);
    }
}
