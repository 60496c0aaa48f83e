//! What a run that has failed leaves in the systems around the machine, and what ends it.

use crate::options::Asked;
use crate::quiet::{self, silence_of};
use crate::repool::Todo;
use crate::steps;
use wreimage_sdk::{Cause, Ending};

/// Options that the command to go on does not carry over: those that it decides itself, and `--force`, because doubts
/// are to be judged anew.
const NOT_CARRIED_OVER: [&str; 4] = ["os", "new", "no-pxe", "force"];

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
    let succeeded =
        |phase: &str, name: &str| find(phase, name).is_some_and(|step| step.level == "success");
    let silence = |phase: &str, name: &str| find(phase, name).and_then(|it| silence_of(&it.text));
    let mut left = Vec::new();
    if !done(steps::settle::PHASE, steps::settle::REMOVE_DOWNTIME) {
        let downtimed = done(steps::drain::PHASE, steps::drain::DOWNTIME)
            || done(steps::populate::PHASE, steps::populate::DOWNTIME);
        // The second takes the place of the first.
        let silence = silence(steps::populate::PHASE, steps::populate::SILENCE)
            .or_else(|| silence(steps::drain::PHASE, steps::drain::SILENCE));
        left.extend(quiet::todos(asked, downtimed, silence.as_deref()));
    }
    let removed = done(steps::forget::PHASE, steps::forget::PUPPETDB);
    // A catalogue makes the host known again; a noop run that failed may have got none.
    let known_again = succeeded(steps::populate::PHASE, steps::populate::NOOP)
        || done(steps::populate::PHASE, steps::populate::RESOURCE);
    let forgotten = removed && !known_again;
    let installed = done(steps::install::PHASE, steps::install::RELEASE)
        || (removed && done(steps::validate::PHASE, steps::validate::PRESENT_OS));
    let what = match (forgotten, installed) {
        (true, true) => "is out of PuppetDB, and the new OS is installed",
        (true, false) => "is out of PuppetDB",
        (false, true) => "has the new OS, and was not finished",
        (false, false) => return left,
    };
    left.push(Todo {
        text: format!("{} {what}", asked.host),
        command: go_on(asked, forgotten, installed),
    });
    left
}

/// The command that goes on where this run has stopped, with its options. None of their values needs quotes.
fn go_on(asked: &Asked, is_new: bool, no_pxe: bool) -> String {
    let mut words = vec![format!(
        "wreimage run reimage --host {} --os {}",
        asked.host, asked.os
    )];
    if is_new {
        words.push("--new".to_owned());
    }
    if no_pxe {
        words.push("--no-pxe".to_owned());
    }
    let given = asked.given();
    let kept = given.into_iter().filter(|(name, _)| {
        // Nothing is booted with `--no-pxe`, so the two contradict each other.
        let boots_nothing = no_pxe && name == "pxe-media";
        !NOT_CARRIED_OVER.contains(&name.as_str()) && !boots_nothing
    });
    words.extend(kept.map(|(name, value)| match value {
        Some(value) => format!("--{name}={value}"),
        None => format!("--{name}"),
    }));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::request;
    use wreimage_sdk::{Fault, FaultKind, Outcome, PastStep, Verdict};

    fn asked(given: &[(&str, &str)]) -> Asked {
        let os = [("os", "bullseye")];
        Asked::from_request(&request(&[&os, given].concat())).unwrap()
    }

    fn step(phase: &str, name: &str, level: &str) -> PastStep {
        PastStep {
            phase: phase.to_owned(),
            name: name.to_owned(),
            level: level.to_owned(),
            text: String::new(),
        }
    }

    fn left_of(cause: Cause, steps: Vec<PastStep>) -> Vec<String> {
        let ending = Ending {
            cause,
            steps,
            reminders: Vec::new(),
            undone: Vec::new(),
            extra: Vec::new(),
        };
        let left = of(&asked(&[]), &ending).into_iter();
        left.map(|todo| format!("{}: {}", todo.text, todo.command))
            .collect()
    }

    fn left(cause: Cause, steps: &[(&str, &str)]) -> Vec<String> {
        let done = |(phase, name): &(&str, &str)| step(phase, name, "success");
        left_of(cause, steps.iter().map(done).collect())
    }

    fn failed() -> Cause {
        Cause::Faulted(Fault::new(FaultKind::Timeout, "c", "s", "never"))
    }

    #[test]
    fn a_failure_leaves_what_the_next_run_has_to_know() {
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
    fn a_catalogue_makes_the_host_known_again() {
        use steps::{forget, install, populate, validate};
        for (level, ends_with) in [
            ("success", "--os bullseye --no-pxe"),
            ("warning", "--os bullseye --new --no-pxe"),
            ("failure", "--os bullseye --new --no-pxe"),
        ] {
            let steps = vec![
                step(forget::PHASE, forget::PUPPETDB, "success"),
                step(install::PHASE, install::RELEASE, "success"),
                step(populate::PHASE, populate::NOOP, level),
            ];
            let left = left_of(failed(), steps);
            assert!(left[0].ends_with(ends_with), "{level}: {left:?}");
        }
        // A run with --no-pxe has installed nothing itself.
        let steps = vec![
            step(validate::PHASE, validate::PRESENT_OS, "success"),
            step(forget::PHASE, forget::PUPPETDB, "success"),
            step(install::PHASE, install::DHCP, "skipped"),
            step(populate::PHASE, populate::NOOP, "success"),
        ];
        assert!(left_of(failed(), steps)[0].ends_with("--os bullseye --no-pxe"));
    }

    #[test]
    fn the_command_to_go_on_has_the_options_of_the_run() {
        let given = asked(&[
            ("task", "T12345"),
            ("conftool", "true"),
            ("conftool-value", "no"),
            ("httpbb", "true"),
            ("httpbb-suite", "parsoid"),
            ("no-downtime", "true"),
            ("mask", "a,b.service"),
            ("no-check-icinga", "true"),
            ("pxe-media", "rescue"),
            ("force", "true"),
        ]);
        let options = "--task=T12345 --conftool --conftool-value=no --httpbb --httpbb-suite=parsoid --no-downtime \
                       --mask=a,b.service --no-check-icinga";
        assert_eq!(
            go_on(&given, true, false),
            format!(
                "wreimage run reimage --host host1001 --os bullseye --new {options} --pxe-media=rescue"
            )
        );
        assert_eq!(
            go_on(&given, false, true),
            format!("wreimage run reimage --host host1001 --os bullseye --no-pxe {options}")
        );
        let resumed = asked(&[("new", "true"), ("no-pxe", "true"), ("conftool", "true")]);
        assert_eq!(
            go_on(&resumed, false, true),
            "wreimage run reimage --host host1001 --os bullseye --no-pxe --conftool"
        );
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
