//! What a run that has failed leaves in the systems around the machine, and what ends it.

use crate::options::Asked;
use crate::quiet::{Quiet, silence_of};
use crate::repool::Todo;
use crate::steps;
use wreimage_sdk::{Cause, Ending};

/// None after a run that came to its end: it has registered what it leaves.
pub fn of(asked: &Asked, ending: &Ending) -> Vec<Todo> {
    if matches!(&ending.cause, Cause::Finished(_)) {
        return Vec::new();
    }
    let find = |phase: &str, name: &str| {
        ending.steps.iter().find(|step| {
            step.phase == phase
                && step.name == name
                && matches!(step.level.as_str(), "success" | "warning")
        })
    };
    let done = |phase: &str, name: &str| find(phase, name).is_some();
    let silence = |phase: &str, name: &str| find(phase, name).and_then(|it| silence_of(&it.text));
    let mut left = Vec::new();
    if !done(steps::settle::PHASE, steps::settle::REMOVE_DOWNTIME) {
        let quiet = Quiet {
            downtimed: done(steps::drain::PHASE, steps::drain::DOWNTIME)
                || done(steps::populate::PHASE, steps::populate::DOWNTIME),
            // The second takes the place of the first.
            silence: silence(steps::populate::PHASE, steps::populate::SILENCE)
                .or_else(|| silence(steps::drain::PHASE, steps::drain::SILENCE)),
        };
        left.extend(quiet.todos(asked));
    }
    let forgotten = done(steps::forget::PHASE, steps::forget::PUPPETDB)
        && !done(steps::populate::PHASE, steps::populate::RESOURCE);
    let installed = done(steps::install::PHASE, steps::install::RELEASE)
        || (forgotten && done(steps::validate::PHASE, steps::validate::PRESENT_OS));
    let host = &asked.host;
    let (what, options) = match (forgotten, installed) {
        (true, true) => (
            "is out of PuppetDB, and the new OS is installed",
            " --new --no-pxe",
        ),
        (true, false) => ("is out of PuppetDB", " --new"),
        (false, true) => ("has the new OS, and was not finished", " --no-pxe"),
        (false, false) => return left,
    };
    left.push(Todo {
        text: format!("{host} {what}"),
        command: format!(
            "wreimage run reimage --host {host} --os {}{options}",
            asked.os
        ),
    });
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::request;
    use wreimage_sdk::{Fault, FaultKind, Outcome, PastStep, Verdict};

    fn left(cause: Cause, steps: &[(&str, &str)]) -> Vec<String> {
        let asked = Asked::from_request(&request(&[("os", "bullseye")])).unwrap();
        let step = |(phase, name): &(&str, &str)| PastStep {
            phase: (*phase).to_owned(),
            name: (*name).to_owned(),
            level: "success".to_owned(),
            text: String::new(),
        };
        let ending = Ending {
            cause,
            steps: steps.iter().map(step).collect(),
            reminders: Vec::new(),
            undone: Vec::new(),
            extra: Vec::new(),
        };
        let left = of(&asked, &ending).into_iter();
        left.map(|todo| format!("{}: {}", todo.text, todo.command))
            .collect()
    }

    #[test]
    fn a_failure_leaves_what_the_next_run_has_to_know() {
        let failed = || Cause::Faulted(Fault::new(FaultKind::Timeout, "c", "s", "never"));
        let forgotten = (steps::forget::PHASE, steps::forget::PUPPETDB);
        let installed = (steps::install::PHASE, steps::install::RELEASE);
        let known_again = (steps::populate::PHASE, steps::populate::RESOURCE);
        assert_eq!(left(failed(), &[]), Vec::<String>::new());
        assert_eq!(
            left(failed(), &[forgotten]),
            [
                "host1001 is out of PuppetDB: wreimage run reimage --host host1001 --os bullseye --new"
            ]
        );
        assert!(left(failed(), &[forgotten, installed])[0].ends_with(" --new --no-pxe"));
        assert!(left(failed(), &[forgotten, installed, known_again])[0].ends_with("seye --no-pxe"));
        let downtimed = (steps::drain::PHASE, steps::drain::DOWNTIME);
        assert!(left(failed(), &[downtimed])[0].starts_with("host1001 is in downtime"));
        let removed = (steps::settle::PHASE, steps::settle::REMOVE_DOWNTIME);
        assert_eq!(left(failed(), &[downtimed, removed]), Vec::<String>::new());
    }

    #[test]
    fn a_run_that_came_to_its_end_has_said_what_it_leaves() {
        let done = Cause::Finished(Outcome {
            verdict: Verdict::Failed,
            summary: String::new(),
            extra: Vec::new(),
        });
        let forgotten = (steps::forget::PHASE, steps::forget::PUPPETDB);
        assert_eq!(left(done, &[forgotten]), Vec::<String>::new());
    }
}
