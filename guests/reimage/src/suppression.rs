//! The downtime and the silence that this run has set, and the commands that end them: its own and no others.

use crate::options::Asked;
use crate::policy::{self, millis};
use std::time::Duration;
use wreimage_sdk::{
    Ending, Fault, FaultKind, FollowUp, Step, alertmanager, clock, end_follow_up, icinga, retry,
};

/// The key under which this run's downtime is registered.
pub const DOWNTIME: &str = "downtime";

/// The key under which this run's silence is registered, with its id.
pub const SILENCE: &str = "silence";

/// The name of the silence's id in its follow-up.
const ID: &str = "id";

/// The code of the fault of a downtime that is not there.
const NO_DOWNTIME: &str = "reimage.no-downtime";

/// What this run has set, so far. Times are milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Suppression {
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

impl Suppression {
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
    pub fn follow_ups(&self, asked: &Asked) -> Vec<FollowUp> {
        let downtime = self.downtime.map(|_| downtime(asked));
        let silence = self.silence.as_ref().map(|it| silence(asked, &it.id));
        downtime.into_iter().chain(silence).collect()
    }
}

/// How to end this run's downtime.
pub fn downtime(asked: &Asked) -> FollowUp {
    let host = &asked.host;
    let text = format!(
        "{host} is in downtime; the command is for the Icinga server, once its checks are green"
    );
    FollowUp::new(DOWNTIME, text, remove_downtime(asked))
}

/// How to end this run's silence, which has this id.
pub fn silence(asked: &Asked, id: &str) -> FollowUp {
    let text = format!("the alerts of {} are silenced on Alertmanager", asked.host);
    FollowUp::new(SILENCE, text, expire_silence(id)).with(ID, id)
}

/// The id of this run's silence, if a run that has ended has left one.
pub fn silence_of(ending: &Ending) -> Option<&str> {
    let mut follow_ups = ending.follow_ups.iter();
    follow_ups.find(|it| it.key == SILENCE)?.get(ID)
}

/// Sets this run's downtime, and reads whether it holds: what is reported as set is not always there.
///
/// # Errors
/// When it cannot be set, or is not there afterwards.
pub fn set_downtime(asked: &Asked, duration: Duration, step: &mut Step) -> Result<(), Fault> {
    icinga::set_downtime(millis(duration), &asked.reason())?;
    downtime(asked).by_the_run().add();
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

/// Removes this run's downtime: whether there was one.
///
/// # Errors
/// When Icinga does not take it.
pub fn remove(step: &mut Step) -> Result<Option<bool>, Fault> {
    let removed = icinga::remove_downtime();
    let removed = step.tolerates("the downtime could not be removed", removed)?;
    if removed.is_some() {
        end_follow_up(DOWNTIME);
    }
    Ok(removed)
}

/// Sets this run's silence, in the place of one that it has, and returns its id.
///
/// # Errors
/// When Alertmanager does not take it.
pub fn set_silence(asked: &Asked, duration: Duration) -> Result<String, Fault> {
    let id = alertmanager::silence(millis(duration), &asked.reason())?;
    silence(asked, &id).by_the_run().add();
    Ok(id)
}

/// Ends this run's silence: whether there was one.
///
/// # Errors
/// When Alertmanager does not take it.
pub fn expire(step: &mut Step) -> Result<Option<bool>, Fault> {
    let expired = alertmanager::expire();
    let expired = step.tolerates("the silence could not be ended", expired)?;
    if expired.is_some() {
        end_follow_up(SILENCE);
    }
    Ok(expired)
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
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    !id.is_empty() && id.chars().all(is_part)
}

/// What a step says of a silence that it has made.
pub fn silenced(silence: &Silence) -> String {
    let until = time_of_day(silence.ends_ms);
    format!("until {until}, silence {}", silence.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cleanup_hints::tests::ending;
    use crate::options::tests::request;
    use wreimage_sdk::Cause;

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
        let mut suppression = Suppression::default();
        assert_eq!(suppression.stays("h.x"), None);
        suppression.downtime = Some(EIGHT);
        assert_eq!(
            suppression.stays("h.x").as_deref(),
            Some("left as it is: downtime of h.x; it ends by itself at 08:00 UTC")
        );
        suppression.silence = Some(silence());
        assert_eq!(
            suppression.stays("h.x").as_deref(),
            Some(
                "left as they are: downtime and silence of h.x; they end by themselves at 12:00 UTC"
            )
        );
    }

    #[test]
    fn the_commands_end_what_this_run_has_set() {
        let asked = Asked::from_request(&request(&[("os", "bullseye")])).unwrap();
        let suppression = Suppression {
            downtime: Some(EIGHT),
            silence: Some(silence()),
        };
        let commands: Vec<String> = suppression
            .follow_ups(&asked)
            .into_iter()
            .map(|it| it.command)
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
    fn the_id_of_the_silence_is_read_back_by_its_key() {
        let asked = Asked::from_request(&request(&[("os", "bullseye")])).unwrap();
        let mut ending = ending(Cause::Other(String::new()), Vec::new());
        assert_eq!(silence_of(&ending), None);
        ending.follow_ups.push(downtime(&asked));
        ending.follow_ups.push(super::silence(&asked, "6f1c-2"));
        assert_eq!(silence_of(&ending), Some("6f1c-2"));
    }
}
