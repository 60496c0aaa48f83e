//! What a run that has failed leaves in the systems around the machine, and what ends it.

use crate::held::Held;
use crate::next_command::continuing;
use crate::options::Asked;
use crate::past::Past;
use crate::todo::Todo;
use crate::{quiet, steps};
use wreimage_sdk::{Cause, Ending};

/// What the systems around the machine report when the run has ended; `None` when one cannot be asked. Each is asked only where
/// its answer matters.
pub trait Look {
    /// Whether PuppetDB knows the host.
    fn is_known(&self) -> Option<bool>;

    /// The downtimes that hold.
    fn downtimes(&self) -> Option<Held>;

    /// The silences that hold. `own` is the id of this run's.
    fn silences(&self, own: Option<&str>) -> Option<Held>;
}

/// What is left, each with the command that ends it. Nothing after a run that was done to its last step, and nothing twice: what the run
/// has registered itself is not in it.
pub fn of(asked: &Asked, ending: &Ending, look: &impl Look) -> Vec<Todo> {
    if matches!(&ending.cause, Cause::Finished(_)) {
        return Vec::new();
    }
    let past = Past(ending);
    let mut left = Vec::new();
    if past.began(steps::drain::PHASE) {
        left.extend(quiet_about(asked, &past, look));
    }
    left.extend(half_way(asked, &past, look));
    let is_registered = |todo: &Todo| ending.reminders.iter().any(|it| it.command == todo.command);
    left.retain(|todo| !is_registered(todo));
    left
}

/// The downtimes and silences that hold, of this run and of earlier ones. What a system reports counts more than the steps: one may
/// have been set or ended although its step was not.
fn quiet_about(asked: &Asked, past: &Past<'_>, look: &impl Look) -> Vec<Todo> {
    let own = past.silence();
    let downtimes = look.downtimes();
    let silences = look.silences(own.as_deref());
    let downtimed = downtimes
        .as_ref()
        .map_or_else(|| past.is_downtimed(), |held| held.is_own);
    let silenced = silences
        .as_ref()
        .map_or_else(|| !past.speaks_again(), |held| held.is_own);
    let mut left = quiet::todos(asked, downtimed, own.as_deref().filter(|_| silenced));
    for held in [downtimes, silences].into_iter().flatten() {
        left.extend(held.earlier);
    }
    left
}

/// The host itself, when it is neither as it was nor done.
fn half_way(asked: &Asked, past: &Past<'_>, look: &impl Look) -> Option<Todo> {
    let forgotten = past.is_forgotten(|| look.is_known());
    let installed = past.is_installed();
    let what = match (forgotten, installed) {
        (true, true) => "is out of PuppetDB, and the new OS is installed",
        (true, false) => "is out of PuppetDB",
        (false, true) => "has the new OS, and was not finished",
        (false, false) => return None,
    };
    let is_new = match asked.lacks(&["puppetdb"]) {
        Some(_) => asked.new,
        None => forgotten,
    };
    let mut command = continuing(asked, is_new, installed);
    // PuppetDB knows a host by now that was new, and monitoring does not: no downtime could be set for it.
    if asked.new && !is_new && !past.is_monitored() && !asked.no_downtime {
        command.push_str(" --no-downtime");
    }
    Some(Todo {
        text: format!("{} {what}", asked.host),
        command,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::request;
    use crate::past::tests::{ending, step};
    use wreimage_sdk::{Fault, FaultKind, Outcome, PastStep, Reminder, Verdict};

    /// Systems that report this.
    #[derive(Default)]
    struct Report {
        is_known: Option<bool>,
        downtimes: Option<Held>,
        silences: Option<Held>,
    }

    impl Look for Report {
        fn is_known(&self) -> Option<bool> {
            self.is_known
        }

        fn downtimes(&self) -> Option<Held> {
            self.downtimes.clone()
        }

        fn silences(&self, _: Option<&str>) -> Option<Held> {
            self.silences.clone()
        }
    }

    fn asked() -> Asked {
        Asked::from_request(&request(&[("os", "bullseye")])).unwrap()
    }

    fn left_of(cause: Cause, steps: Vec<PastStep>) -> Vec<String> {
        reported(cause, steps, &Report::default())
    }

    fn reported(cause: Cause, steps: Vec<PastStep>, report: &Report) -> Vec<String> {
        let left = of(&asked(), &ending(cause, steps), report).into_iter();
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
        let installed = (steps::install::PHASE, steps::install::NOT_INSTALLER);
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
                step(install::PHASE, install::NOT_INSTALLER, "success"),
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
    fn what_earlier_runs_have_left_is_named_once_this_one_has_begun() {
        let todo = Todo {
            text: "an old downtime".to_owned(),
            command: "end it".to_owned(),
        };
        let report = Report {
            downtimes: Some(Held {
                earlier: vec![todo],
                ..Held::default()
            }),
            ..Report::default()
        };
        let drained = vec![step(steps::drain::PHASE, steps::drain::DEPOOL, "failure")];
        assert_eq!(
            reported(failed(), drained.clone(), &report),
            ["an old downtime: end it"]
        );
        assert_eq!(
            reported(failed(), Vec::new(), &report),
            Vec::<String>::new()
        );
        // The run has registered it itself before it was stopped.
        let mut ending = ending(failed(), drained);
        ending.reminders.push(Reminder {
            text: "an old downtime".to_owned(),
            command: "end it".to_owned(),
        });
        assert_eq!(of(&asked(), &ending, &report), []);
    }

    /// The step that ends downtime and silence can be stopped between the two, and an answer can be lost.
    #[test]
    fn what_monitoring_reports_counts_more_than_the_steps() {
        use steps::{drain, settle};
        let mut silence = step(drain::PHASE, drain::SILENCE, "success");
        silence.text = "until 12:00 UTC, silence 6f1c-2".to_owned();
        let own = |is_own| {
            Some(Held {
                is_own,
                ..Held::default()
            })
        };
        let steps = |downtime: &str| {
            vec![
                step(drain::PHASE, drain::DOWNTIME, downtime),
                silence.clone(),
                step(settle::PHASE, settle::REMOVE_DOWNTIME, "failure"),
            ]
        };
        for (downtime, downtimes, silences, left) in [
            ("success", None, None, 2),
            ("success", own(false), None, 1),
            ("success", own(false), own(false), 0),
            ("success", own(false), own(true), 1),
            ("failure", None, own(false), 0),
            ("failure", own(true), own(false), 1),
        ] {
            let report = Report {
                is_known: None,
                downtimes: downtimes.clone(),
                silences: silences.clone(),
            };
            let found = reported(failed(), steps(downtime), &report);
            assert_eq!(
                found.len(),
                left,
                "{downtime} {downtimes:?} {silences:?}: {found:?}"
            );
        }
    }

    #[test]
    fn a_system_that_could_not_be_asked_for_its_release_is_not_wiped_for_it() {
        use steps::{forget, install};
        let steps = |level: &str| {
            vec![
                step(forget::PHASE, forget::PUPPETDB, "success"),
                step(install::PHASE, install::NOT_INSTALLER, "success"),
                step(install::PHASE, install::RELEASE, level),
            ]
        };
        assert!(left_of(failed(), steps("failure"))[0].ends_with("--new --no-pxe"));
        let wrong = Fault::new(FaultKind::Rejected, "reimage.wrong-release", "s", "trixie");
        assert!(left_of(Cause::Faulted(wrong), steps("failure"))[0].ends_with("bullseye --new"));
    }

    #[test]
    fn a_run_that_was_done_to_its_last_step_has_registered_what_it_leaves() {
        let done = Cause::Finished(Outcome {
            verdict: Verdict::Failed,
            summary: String::new(),
            extra: Vec::new(),
        });
        let forgotten = (steps::forget::PHASE, steps::forget::PUPPETDB);
        assert_eq!(left(done, &[forgotten]), Vec::<String>::new());
    }

    #[test]
    fn a_new_host_that_monitoring_does_not_know_yet_continues_without_a_downtime() {
        let new = [("os", "bullseye"), ("new", "true")];
        let asked = Asked::from_request(&request(&new)).unwrap();
        let command = |knows: &str| {
            let steps = vec![
                step(
                    steps::install::PHASE,
                    steps::install::NOT_INSTALLER,
                    "success",
                ),
                step(steps::populate::PHASE, steps::populate::ICINGA_KNOWS, knows),
            ];
            let left = of(&asked, &ending(failed(), steps), &Report::default());
            left[0].command.clone()
        };
        assert!(command("warning").ends_with("--no-pxe --no-downtime"));
        assert!(command("success").ends_with("--no-pxe"));
    }
}
