//! The command that a run prints for the operator to type next.

use crate::context::RunFacts;
use crate::error::PlayError;
use crate::exit_code::word;
use crate::inject::SECRET;
use crate::journals::Journals;
use crate::one_run::OneRun;
use crate::play::Subject;
use crate::scenario::Scenario;
use jiff::{SignedDuration, Timestamp};
use wreimage_journal::{Record, RunOutcome};
use wreimage_lab::Lab;

/// How long the operator takes to type one, in minutes: to read the report and to look at the console.
const READS: i64 = 15;

/// So many printed commands are typed in, one after the other.
const MOST: usize = 3;

/// How a note about it begins.
const NEXT: &str = "Next: ";

/// How a command for this program begins.
const PROGRAM: &str = "wreimage ";

/// A command that begins a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NextRun {
    /// As it was printed.
    pub command: String,
    /// Short name of the host.
    pub host: String,
    /// Options of the guest.
    pub options: Vec<(String, String)>,
}

/// The command for this program that a record prints, or why there is none.
pub(crate) fn printed(record: &Record) -> Option<&str> {
    match record {
        Record::Reminder { command, .. } if command.starts_with(PROGRAM) => Some(command),
        Record::Note { text, .. } => text.strip_prefix(NEXT),
        _ => None,
    }
}

/// The last printed command that begins a run.
///
/// # Errors
/// When one cannot be read.
pub(crate) fn next_run(run: &RunFacts) -> Result<Option<NextRun>, String> {
    let begins = |command: &&String| command.starts_with("wreimage run ");
    run.next
        .iter()
        .rev()
        .find(begins)
        .map(|command| NextRun::read(command))
        .transpose()
}

/// Types in what a run that did not succeed prints, with nothing in its way any more, and what the run prints that begins by
/// it. What is wrong with that: one of them must succeed.
pub(crate) async fn follow(
    subject: &Subject,
    scenario: &Scenario,
    lab: &Lab,
    journals: &Journals,
    failed: &RunFacts,
) -> Result<Vec<String>, PlayError> {
    let mut run = failed.clone();
    for _ in 0..MOST {
        let next = match next_run(&run) {
            Ok(Some(next)) => next,
            // Nothing was touched, and the host says why: the same command is typed in once more.
            Ok(None)
                if run.next.is_empty()
                    && run.outcome == Some(RunOutcome::Refused)
                    && !run.touched =>
            {
                NextRun {
                    command: "the same command".to_owned(),
                    host: scenario.host.clone(),
                    options: scenario.options.clone(),
                }
            }
            Ok(None) if run.next.is_empty() => {
                return Ok(vec![format!(
                    "no next command: the run ended as `{}` ({}) and prints neither a `wreimage` command nor why there is none",
                    word(run.outcome),
                    run.summary
                )]);
            }
            // It says why there is none, or names a command that begins no run.
            Ok(None) => return Ok(Vec::new()),
            Err(why) => return Ok(vec![format!("next command: {why}")]),
        };
        if next.host != scenario.host {
            return Ok(vec![format!(
                "next command: `{}` is for another host",
                next.command
            )]);
        }
        let clock = lab.clock();
        let then = clock.now().saturating_add(SignedDuration::from_mins(READS));
        clock.sleep_until(then.unwrap_or(Timestamp::MAX)).await;
        let typed = OneRun {
            journals: journals.clone(),
            is_attended: true,
            ..OneRun::new(subject, scenario, lab, &next.options)
        };
        let done = match typed.whole().await {
            Ok(done) => done,
            Err(PlayError::File(error)) => {
                return Ok(vec![format!(
                    "next command: `{}`: {}",
                    next.command, error.what
                )]);
            }
            Err(PlayError::NoEnd(why)) => {
                return Ok(vec![format!("next command: `{}`: {why}", next.command)]);
            }
        };
        run = RunFacts::at_end(&done.stage.journal.entries(), &done.report, SECRET);
        if run.outcome.is_some_and(RunOutcome::is_success) {
            return Ok(Vec::new());
        }
        run.summary = format!("of `{}`: {}", next.command, run.summary);
    }
    Ok(vec![format!(
        "next command: after {MOST} printed commands the run ends as `{}`: {}",
        word(run.outcome),
        run.summary
    )])
}

/// What the other printed commands name that does not exist. Of a call whose effect is unknown, nothing is known to exist.
pub(crate) fn name_nothing(lab: &Lab, host: &str, fault: &str, run: &RunFacts) -> Vec<String> {
    if ["lie", "timeout-after", "cancel"].contains(&fault) {
        return Vec::new();
    }
    let others = run.commands.iter().filter(|it| !it.starts_with(PROGRAM));
    let named = others.map(|it| lab.look(|world| world.names_what_exists(host, it)));
    named.filter_map(Result::err).collect()
}

impl NextRun {
    /// Reads `wreimage run GUEST --host HOST --OPTION[=VALUE]…`. No value has blanks or quotes.
    fn read(command: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("the printed command `{command}` cannot be read: {why}");
        let mut words = command.split_whitespace().skip(3).peekable();
        let mut next = NextRun {
            command: command.to_owned(),
            host: String::new(),
            options: Vec::new(),
        };
        while let Some(word) = words.next() {
            let name = word
                .strip_prefix("--")
                .ok_or_else(|| wrong("a value without an option"))?;
            let (name, value) = match name.split_once('=') {
                Some((name, value)) => (name, value.to_owned()),
                None => match words.next_if(|word| !word.starts_with("--")) {
                    Some(value) => (name, value.to_owned()),
                    None => (name, "true".to_owned()),
                },
            };
            match name {
                "host" => next.host = value,
                name => next.options.push((name.to_owned(), value)),
            }
        }
        if next.host.is_empty() {
            return Err(wrong("it names no host"));
        }
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_last_command_that_begins_a_run_is_the_next() {
        let run = RunFacts {
            next: vec![
                "wreimage run reimage --host host1001 --os buster".to_owned(),
                "wreimage run reimage --host host1001 --os bullseye --new --no-pxe --task=T1"
                    .to_owned(),
                "wreimage cleanup run-1".to_owned(),
            ],
            ..RunFacts::default()
        };
        let next = next_run(&run).unwrap().unwrap();
        assert_eq!(next.host, "host1001");
        let options = [
            ("os", "bullseye"),
            ("new", "true"),
            ("no-pxe", "true"),
            ("task", "T1"),
        ];
        let options = options.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(next.options, options);
        assert_eq!(next_run(&RunFacts::default()), Ok(None));
        assert!(NextRun::read("wreimage run reimage host1001").is_err());
        assert!(NextRun::read("wreimage run reimage --os a").is_err());
    }
}
