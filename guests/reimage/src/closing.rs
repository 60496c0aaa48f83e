//! The closing words. By now the host has undone what must not stay; nothing is changed here.

use crate::held::{self, Held};
use crate::options::Asked;
use crate::{cleanup_hints, close, comment, next_command, validate};
use wreimage_sdk::{
    Actions, Cause, Ending, Fault, Level, Request, Severity, Verdict, log, note, phabricator,
    puppetdb,
};

/// Reports what happened, what was undone, and what is left; and closes the task with the one comment that a run ends
/// with, good or bad.
///
/// # Errors
/// None but what [`log`] ends with.
pub fn words(request: &Request, ending: &Ending) -> Result<(), Fault> {
    let asked = Asked::from_request(request).ok();
    let mut ending = ending.clone();
    let next = match &asked {
        Some(asked) => {
            let left = cleanup_hints::register(asked, &mut ending, &Systems(asked));
            next_command::after(asked, &ending, &left)
        }
        None => Some("no wreimage command: correct the options".to_owned()),
    };
    let not_installed = asked.as_ref().map_or("", comment::not_installed);
    for (severity, line) in lines(&request.host, not_installed, &ending) {
        log(severity, &line)?;
    }
    if let Some(next) = next {
        note(Level::Success, &format!("Next: {next}"))?;
    }
    // A run whose options were refused has touched nothing, and has commented on no task.
    let Some(asked) = asked else {
        return Ok(());
    };
    let Some(text) = comment::ended(&asked, &ending) else {
        return Ok(());
    };
    let mut actions = Actions::new();
    actions.phase(close::PHASE).step(
        "Update the Phabricator task with the result of all the actions performed",
        |step| {
            let told = phabricator::comment(&text);
            if step.tolerates("the task was not updated", told)?.is_some() {
                step.says(asked.task.as_deref().unwrap_or_default());
            }
            Ok(())
        },
    )
}

/// The systems around the machine, after the run. One that does not answer is no reason for the closing words to fail.
struct Systems<'a>(&'a Asked);

impl cleanup_hints::Look for Systems<'_> {
    fn is_known(&self) -> Option<bool> {
        let lacks = self.0.lacks(&["puppetdb"]).is_some();
        (!lacks).then(puppetdb::is_known)?.ok()
    }

    fn downtimes(&self) -> Option<Held> {
        held::downtimes(self.0).ok()
    }

    fn silences(&self, own: Option<&str>) -> Option<Held> {
        held::silences(self.0, own).ok()
    }
}

fn lines(host: &str, not_installed: &str, ending: &Ending) -> Vec<(Severity, String)> {
    let mut lines = vec![headline(host, not_installed, ending)];
    if !came_through(&ending.cause)
        && let Some(step) = ending
            .steps
            .iter()
            .rev()
            .find(|step| step.level == "failure" || step.level == "unfinished")
    {
        let line = format!("It stopped in the phase {}: {}.", step.phase, step.name);
        lines.push((Severity::Error, line));
    }
    for undone in &ending.undone {
        lines.push(match undone.state.as_str() {
            // In a good run the guest has done it itself.
            "done" if came_through(&ending.cause) => continue,
            "done" => (Severity::Info, format!("Taken back: {}.", undone.thing)),
            "not-needed" => continue,
            _ => (
                Severity::Warn,
                format!(
                    "Not taken back: {} ({}): {}",
                    undone.thing, undone.state, undone.text
                ),
            ),
        });
    }
    for left in &ending.follow_ups {
        let line = format!("Left: {}. To end it: {}", left.text, left.command);
        lines.push((Severity::Warn, line));
    }
    lines
}

/// Whether the guest came to its end, well or not.
fn came_through(cause: &Cause) -> bool {
    matches!(cause, Cause::Finished(_))
}

/// Whether it ended before anything but the validation had begun: that only looks.
fn only_looked(ending: &Ending) -> bool {
    let mut steps = ending.steps.iter();
    steps.all(|step| step.phase == validate::PHASE)
}

fn headline(host: &str, not_installed: &str, ending: &Ending) -> (Severity, String) {
    match &ending.cause {
        Cause::Finished(outcome) if outcome.verdict == Verdict::Success => (
            Severity::Info,
            format!("The reimage of {host} has succeeded{not_installed}."),
        ),
        Cause::Finished(outcome) => (
            Severity::Warn,
            format!(
                "The reimage of {host} has ended: {}{not_installed}.",
                outcome.verdict
            ),
        ),
        // The host shows the fault's message itself.
        Cause::Faulted(_) if only_looked(ending) => (
            Severity::Error,
            format!("The reimage of {host} was refused; nothing was touched."),
        ),
        Cause::Faulted(_) => (
            Severity::Error,
            format!("The reimage of {host} has failed{not_installed}."),
        ),
        Cause::Trapped(place) => (
            Severity::Error,
            format!("The reimage of {host} has died of an error of its own: {place}"),
        ),
        Cause::Cancelled(why) => (
            Severity::Warn,
            format!("The reimage of {host} was stopped: {why}."),
        ),
        Cause::Other(why) => (
            Severity::Error,
            format!("The reimage of {host} has ended: {why}."),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wreimage_sdk::{FaultKind, FollowUp, PastStep, Undone};

    fn told(ending: &Ending) -> Vec<String> {
        lines("host1001", "", ending)
            .into_iter()
            .map(|(severity, line)| format!("{severity}: {line}"))
            .collect()
    }

    #[test]
    fn a_fault_of_the_validation_is_a_refusal() {
        let mut ending = Ending {
            cause: Cause::Faulted(Fault::new(FaultKind::Conflict, "c", "s", "It is not new.")),
            steps: Vec::new(),
            follow_ups: Vec::new(),
            undone: Vec::new(),
            extra: Vec::new(),
        };
        let refused = "error: The reimage of host1001 was refused; nothing was touched.";
        // The options were wrong.
        assert_eq!(told(&ending), [refused]);
        ending.steps.push(PastStep {
            phase: validate::PHASE.to_owned(),
            name: "Look".to_owned(),
            level: "failure".to_owned(),
            text: String::new(),
        });
        assert_eq!(
            told(&ending),
            [refused, "error: It stopped in the phase validate: Look."]
        );
        let no_pxe = " (--no-pxe: nothing was installed)";
        ending.steps[0].phase = "drain".to_owned();
        assert_eq!(
            headline("host1001", no_pxe, &ending).1,
            "The reimage of host1001 has failed (--no-pxe: nothing was installed)."
        );
    }

    #[test]
    fn a_failure_names_the_step_and_what_is_left() {
        let undone = |thing: &str, state: &str| Undone {
            function: "f".to_owned(),
            thing: thing.to_owned(),
            state: state.to_owned(),
            text: "no answer".to_owned(),
        };
        let ending = Ending {
            cause: Cause::Faulted(Fault::new(FaultKind::Timeout, "c", "s", "It never came.")),
            steps: vec![PastStep {
                phase: "install".to_owned(),
                name: "Poll".to_owned(),
                level: "failure".to_owned(),
                text: String::new(),
            }],
            follow_ups: vec![FollowUp::new(
                "mask/a.service",
                "units are masked",
                "systemctl unmask a",
            )],
            undone: vec![
                undone("the DHCP entry", "done"),
                undone("the boot override", "failed"),
            ],
            extra: Vec::new(),
        };
        assert_eq!(
            told(&ending),
            [
                "error: The reimage of host1001 has failed.",
                "error: It stopped in the phase install: Poll.",
                "info: Taken back: the DHCP entry.",
                "warn: Not taken back: the boot override (failed): no answer",
                "warn: Left: units are masked. To end it: systemctl unmask a",
            ]
        );
    }
}
