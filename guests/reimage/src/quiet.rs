//! What keeps monitoring quiet about the host, and the commands that end it: ours and nobody else's.

use crate::options::Asked;
use crate::policy::{self, millis};
use crate::todo::Todo;
use std::time::Duration;
use wreimage_sdk::{Fault, FaultKind, Step, clock, icinga, retry};

/// The code of the fault of a downtime that is not there.
const NO_DOWNTIME: &str = "reimage.no-downtime";

/// What this run has set, so far. Times are milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quiet {
    /// When this run's downtime in Icinga ends by itself, if there is one.
    pub downtime: Option<u64>,
    /// This run's silence on Alertmanager.
    pub silence: Option<Silence>,
}

/// A silence of this run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Its id on Alertmanager.
    pub id: String,
    /// When it ends by itself.
    pub ends_ms: u64,
}

impl Quiet {
    /// That it stays, and when the last of it ends by itself; nothing when there is neither downtime nor silence.
    pub fn stays(&self, fqdn: &str) -> Option<String> {
        let one = |what: &str, ends_ms: u64| {
            let end = time_of_day(ends_ms);
            format!("left as it is: {what} of {fqdn}; it ends by itself at {end}")
        };
        match (self.downtime, &self.silence) {
            (Some(downtime), Some(silence)) => {
                let end = time_of_day(downtime.max(silence.ends_ms));
                Some(format!(
                    "left as they are: downtime and silence of {fqdn}; they end by themselves at {end}"
                ))
            }
            (Some(ends_ms), None) => Some(one("downtime", ends_ms)),
            (None, Some(silence)) => Some(one("silence", silence.ends_ms)),
            (None, None) => None,
        }
    }

    /// How to end them.
    pub fn todos(&self, asked: &Asked) -> Vec<Todo> {
        let silence = self.silence.as_ref().map(|silence| silence.id.as_str());
        todos(asked, self.downtime.is_some(), silence)
    }
}

/// How to end a downtime and the silence of this id.
pub fn todos(asked: &Asked, downtimed: bool, silence: Option<&str>) -> Vec<Todo> {
    let host = &asked.host;
    let downtime = downtimed.then(|| Todo {
        text: format!(
            "{host} is in downtime; the command is for the Icinga server, once its checks are green"
        ),
        command: remove_downtime(asked),
    });
    let silence = silence.map(|id| Todo {
        text: format!("the alerts of {host} are silenced on Alertmanager"),
        command: expire_silence(id),
    });
    downtime.into_iter().chain(silence).collect()
}

/// Sets this run's downtime, and looks whether it holds: what is said to be set is not always there.
///
/// # Errors
/// When it cannot be set, or is not there afterwards.
pub fn set_downtime(asked: &Asked, duration: Duration, step: &mut Step) -> Result<(), Fault> {
    icinga::set_downtime(millis(duration), &asked.reason())?;
    let shown = retry(policy::DOWNTIME_SHOWS, |_| {
        if icinga::get_status()?.downtimed {
            return Ok(());
        }
        Err(Fault::new(
            FaultKind::Rejected,
            NO_DOWNTIME,
            "icinga",
            format!(
                "Icinga has taken a downtime of {}, and shows none.",
                asked.host
            ),
        ))
    });
    match shown {
        Err(fault) if fault.code == NO_DOWNTIME => Err(fault),
        asked => step
            .tolerates("whether the downtime holds could not be asked", asked)
            .map(drop),
    }
}

/// When something ends that is set now for so long.
///
/// # Errors
/// None but `cancelled`.
pub fn end_of(duration: Duration) -> Result<u64, Fault> {
    Ok(clock::now_ms()?.saturating_add(millis(duration)))
}

/// Such as `10:19 UTC`: what is set here ends within hours, so nobody needs the date.
pub fn time_of_day(ms: u64) -> String {
    let minutes = ms / 60_000;
    format!("{:02}:{:02} UTC", minutes / 60 % 24, minutes % 60)
}

/// The command that removes this run's downtimes of the host and its services.
fn remove_downtime(asked: &Asked) -> String {
    delete_downtime(
        &asked.host,
        &format!("{} [{}]", asked.reason(), asked.run_id()),
    )
}

/// The command that removes the downtimes of the host and its services that have this comment, which must be of characters that mean
/// nothing to a shell. For the command file, which Icinga 1 has and Icinga 2 can have: host, service, begin, comment, where an empty
/// field is any.
pub fn delete_downtime(host: &str, comment: &str) -> String {
    format!(
        "printf '[%s] DEL_DOWNTIME_BY_HOST_NAME;{host};;;{comment}\\n' \"$(date +%s)\" | sudo tee -a {}",
        policy::ICINGA_COMMAND_FILE
    )
}

/// The command that ends the silence of this id.
pub fn expire_silence(id: &str) -> String {
    format!("amtool silence expire {id}")
}

/// Whether this can be the id of a silence, and means nothing to a shell.
pub fn is_silence_id(id: &str) -> bool {
    !id.is_empty() && id.chars().all(is_of_silence_id)
}

fn is_of_silence_id(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

/// What a step says of a silence that it has made.
pub fn silenced(silence: &Silence) -> String {
    let until = time_of_day(silence.ends_ms);
    format!("until {until}, silence {}", silence.id)
}

/// The id of the silence in what a step has said; nothing that a shell would take for more than a word.
pub fn silence_of(said: &str) -> Option<String> {
    let (_, id) = said.split_once(", silence ")?;
    let id = id.split(|c| !is_of_silence_id(c)).next()?;
    (!id.is_empty()).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::request;

    /// 2026-01-05T08:00:00Z.
    const EIGHT: u64 = 1_767_600_000_000;

    fn silence() -> Silence {
        Silence {
            id: "6f1c-2".to_owned(),
            ends_ms: EIGHT + 4 * 3_600_000,
        }
    }

    #[test]
    fn a_time_is_hours_and_minutes() {
        assert_eq!(time_of_day(EIGHT), "08:00 UTC");
        let nine_past_midnight = EIGHT + (16 * 60 + 9) * 60_000 + 59_999;
        assert_eq!(time_of_day(nine_past_midnight), "00:09 UTC");
    }

    #[test]
    fn what_stays_says_when_the_last_of_it_ends() {
        let mut quiet = Quiet::default();
        assert_eq!(quiet.stays("h.x"), None);
        quiet.downtime = Some(EIGHT);
        assert_eq!(
            quiet.stays("h.x").as_deref(),
            Some("left as it is: downtime of h.x; it ends by itself at 08:00 UTC")
        );
        quiet.silence = Some(silence());
        assert_eq!(
            quiet.stays("h.x").as_deref(),
            Some(
                "left as they are: downtime and silence of h.x; they end by themselves at 12:00 UTC"
            )
        );
    }

    #[test]
    fn the_commands_end_what_this_run_has_set() {
        let asked = Asked::from_request(&request(&[("os", "bullseye")])).unwrap();
        let quiet = Quiet {
            downtime: Some(EIGHT),
            silence: Some(silence()),
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
            silenced(&silence())
        );
        assert_eq!(silence_of(&said).as_deref(), Some("6f1c-2"));
        assert_eq!(silence_of("until 12:00 UTC, silence $(reboot)"), None);
        assert_eq!(silence_of("Alertmanager did not answer"), None);
    }
}
