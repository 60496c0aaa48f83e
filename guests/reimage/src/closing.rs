//! The closing words. By now the host has taken back what had to be; nothing is changed here.

use crate::options::Asked;
use crate::steps::close as steps;
use crate::{comment, leftovers};
use wreimage_sdk::{
    Actions, Cause, Ending, Fault, Reminder, Request, Severity, Verdict, leave, log, phabricator,
};

/// Says what happened, what was taken back, and what is left; and closes the task with the one comment that a run ends
/// with, good or bad.
///
/// # Errors
/// None but what [`log`] ends with.
pub fn words(request: &Request, ending: &Ending) -> Result<(), Fault> {
    let asked = Asked::from_request(request).ok();
    let mut ending = ending.clone();
    if let Some(asked) = &asked {
        for todo in leftovers::of(asked, &ending) {
            leave(&todo.text, &todo.command)?;
            ending.reminders.push(Reminder {
                text: todo.text,
                command: todo.command,
            });
        }
    }
    for (severity, line) in lines(&request.host, &ending) {
        log(severity, &line)?;
    }
    // A run whose options were refused has touched nothing, and told nobody.
    let Some(asked) = asked else {
        return Ok(());
    };
    let Some(text) = comment::ended(&asked, &ending) else {
        return Ok(());
    };
    let mut actions = Actions::new();
    actions
        .phase(steps::PHASE)
        .step(steps::END_COMMENT, |step| {
            let told = phabricator::comment(&text);
            if step.tolerates("the task was not updated", told)?.is_some() {
                step.says(asked.task.as_deref().unwrap_or_default());
            }
            Ok(())
        })
}

fn lines(host: &str, ending: &Ending) -> Vec<(Severity, String)> {
    let mut lines = vec![headline(host, &ending.cause)];
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
            "done" => (Severity::Info, format!("Taken back: {}.", undone.function)),
            "not-needed" => continue,
            _ => (
                Severity::Warn,
                format!(
                    "Not taken back: {} ({}): {}",
                    undone.function, undone.state, undone.text
                ),
            ),
        });
    }
    for reminder in &ending.reminders {
        let line = format!("Left: {}. To end it: {}", reminder.text, reminder.command);
        lines.push((Severity::Warn, line));
    }
    lines
}

/// Whether the guest came to its end, well or not.
fn came_through(cause: &Cause) -> bool {
    matches!(cause, Cause::Finished(_))
}

fn headline(host: &str, cause: &Cause) -> (Severity, String) {
    match cause {
        Cause::Finished(outcome) if outcome.verdict == Verdict::Success => (
            Severity::Info,
            format!("The reimage of {host} has succeeded."),
        ),
        Cause::Finished(outcome) => (
            Severity::Warn,
            format!("The reimage of {host} has ended: {}.", outcome.verdict),
        ),
        // The host shows the fault's message itself.
        Cause::Faulted(_) => (
            Severity::Error,
            format!("The reimage of {host} has failed."),
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
    use wreimage_sdk::{FaultKind, PastStep, Undone};

    #[test]
    fn a_failure_names_the_step_and_what_is_left() {
        let undone = |function: &str, state: &str| Undone {
            function: function.to_owned(),
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
            reminders: vec![Reminder {
                text: "units are masked".to_owned(),
                command: "systemctl unmask a".to_owned(),
            }],
            undone: vec![
                undone("dhcp.withdraw", "done"),
                undone("ipmi.clear-boot-device", "failed"),
            ],
            extra: Vec::new(),
        };
        let told: Vec<String> = lines("host1001", &ending)
            .into_iter()
            .map(|(severity, line)| format!("{severity}: {line}"))
            .collect();
        assert_eq!(
            told,
            [
                "error: The reimage of host1001 has failed.",
                "error: It stopped in the phase install: Poll.",
                "info: Taken back: dhcp.withdraw.",
                "warn: Not taken back: ipmi.clear-boot-device (failed): no answer",
                "warn: Left: units are masked. To end it: systemctl unmask a",
            ]
        );
    }
}
