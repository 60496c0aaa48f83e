//! What a run that has not come to its end leaves around the machine, and the commands that end it: what the run has registered,
//! compared with what the systems report now.

use crate::held::Held;
use crate::options::Asked;
use crate::progress::{self, Progress};
use crate::suppression::{self, DOWNTIME, SILENCE};
use crate::{deregister, drain};
use wreimage_sdk::{Cause, EndedBy, Ending, FollowUp, end_follow_up};

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

/// Registers what is left, and ends what is not, at the host and in `ending`. Returns what it has registered. Nothing is left after
/// a run that was done to its last step but what it has registered itself.
pub fn register(asked: &Asked, ending: &mut Ending, look: &impl Look) -> Vec<FollowUp> {
    if matches!(&ending.cause, Cause::Finished(_)) {
        return Vec::new();
    }
    let left = of(asked, ending, look);
    for key in [DOWNTIME, SILENCE, progress::KEY] {
        let is_open = |it: &FollowUp| it.key == key && it.ended_by == EndedBy::Run;
        if ending.follow_ups.iter().any(is_open) && left.iter().all(|it| it.key != key) {
            ending.follow_ups.retain(|it| it.key != key);
            end_follow_up(key);
        }
    }
    for follow_up in &left {
        ending.follow_ups.retain(|it| it.key != follow_up.key);
        ending.follow_ups.push(follow_up.clone());
        follow_up.add();
    }
    left
}

/// What is left beside that which the run has left to the operator already.
fn of(asked: &Asked, ending: &Ending, look: &impl Look) -> Vec<FollowUp> {
    let mut left = Vec::new();
    if began(ending, drain::PHASE) {
        left.extend(suppressed(asked, ending, look));
    }
    left.extend(half_way(asked, ending, look));
    let is_registered = |it: &FollowUp| ending.follow_ups.contains(it);
    left.retain(|it| !is_registered(it));
    left
}

/// Whether a phase has begun.
fn began(ending: &Ending, phase: &str) -> bool {
    ending.steps.iter().any(|step| step.phase == phase)
}

/// The downtimes and silences that hold, of this run and of earlier ones. What a system reports counts more than what was registered:
/// an answer may have been lost.
fn suppressed(asked: &Asked, ending: &Ending, look: &impl Look) -> Vec<FollowUp> {
    let is_open = |key: &str| ending.follow_ups.iter().any(|it| it.key == key);
    let own = suppression::silence_of(ending);
    let downtimes = look.downtimes();
    let silences = look.silences(own);
    let holds = |held: &Option<Held>, key| {
        let held = held.as_ref();
        held.map_or_else(|| is_open(key), |held| held.is_own)
    };
    let mut left = Vec::new();
    if holds(&downtimes, DOWNTIME) {
        left.push(suppression::downtime(asked));
    }
    if let Some(id) = own
        && holds(&silences, SILENCE)
    {
        left.push(suppression::silence(asked, id));
    }
    for held in [downtimes, silences].into_iter().flatten() {
        left.extend(held.earlier);
    }
    left
}

/// The host itself, when it is neither as it was nor done. The answer to its removal from PuppetDB may have been lost, and an agent
/// may have made it known again.
fn half_way(asked: &Asked, ending: &Ending, look: &impl Look) -> Option<FollowUp> {
    let registered = Progress::registered(ending);
    let is_known = began(ending, deregister::PHASE).then(|| look.is_known());
    let is_removed = match is_known.flatten() {
        Some(is_known) => !is_known,
        None => registered.is_removed,
    };
    let progress = Progress {
        is_removed,
        ..registered
    };
    progress.follow_up(asked)
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::options::tests::request;
    use wreimage_sdk::{Fault, FaultKind, Outcome, PastStep, Verdict};

    /// The end of a run.
    pub fn ending(cause: Cause, steps: Vec<PastStep>) -> Ending {
        Ending {
            cause,
            steps,
            follow_ups: Vec::new(),
            undone: Vec::new(),
            extra: Vec::new(),
        }
    }

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

    fn failed() -> Cause {
        Cause::Faulted(Fault::new(FaultKind::Timeout, "c", "s", "never"))
    }

    /// A run that has failed after these phases, with this progress.
    fn run(phases: &[&str], progress: Progress) -> Ending {
        let step = |phase: &&str| PastStep {
            phase: (*phase).to_owned(),
            name: "Work".to_owned(),
            level: "failure".to_owned(),
            text: String::new(),
        };
        let mut ending = ending(failed(), phases.iter().map(step).collect());
        let follow_up = progress.follow_up(&asked());
        ending
            .follow_ups
            .extend(follow_up.map(FollowUp::by_the_run));
        ending
    }

    fn left(ending: &Ending, report: &Report) -> Vec<String> {
        let left = of(&asked(), ending, report).into_iter();
        left.map(|it| format!("{}: {}", it.text, it.command))
            .collect()
    }

    const NOTHING: Progress = Progress {
        is_removed: false,
        is_installed: false,
        is_monitored: false,
    };
    const REMOVED: Progress = Progress {
        is_removed: true,
        ..NOTHING
    };
    const INSTALLED: Progress = Progress {
        is_installed: true,
        ..NOTHING
    };
    const BOTH: Progress = Progress {
        is_installed: true,
        ..REMOVED
    };

    #[test]
    fn a_failure_leaves_what_the_next_run_has_to_know() {
        let left = |progress| left(&run(&["deregister"], progress), &Report::default());
        assert_eq!(left(NOTHING), Vec::<String>::new());
        assert_eq!(
            left(REMOVED),
            [
                "host1001 is out of PuppetDB: wreimage run reimage --host host1001 --os bullseye --new"
            ]
        );
        assert!(left(BOTH)[0].ends_with(" --new --no-pxe"));
        assert!(left(INSTALLED)[0].ends_with("seye --no-pxe"));
    }

    #[test]
    fn what_puppetdb_reports_counts_more_than_what_was_registered() {
        for (registered, is_known, is_removed) in [
            (NOTHING, Some(false), true),
            (REMOVED, Some(true), false),
            (REMOVED, None, true),
            (NOTHING, None, false),
        ] {
            let report = Report {
                is_known,
                ..Report::default()
            };
            let left = left(&run(&["deregister"], registered), &report);
            assert_eq!(!left.is_empty(), is_removed, "{registered:?} {is_known:?}");
        }
        // Before the removal the host may be new.
        let unknown = Report {
            is_known: Some(false),
            ..Report::default()
        };
        assert_eq!(
            left(&run(&["validate"], NOTHING), &unknown),
            Vec::<String>::new()
        );
    }

    #[test]
    fn what_earlier_runs_have_left_is_named_once_this_one_has_begun() {
        let earlier = FollowUp::new("downtime/old", "an old downtime", "end it");
        let report = Report {
            downtimes: Some(Held {
                earlier: vec![earlier.clone()],
                ..Held::default()
            }),
            ..Report::default()
        };
        let mut drained = run(&["drain"], NOTHING);
        assert_eq!(left(&drained, &report), ["an old downtime: end it"]);
        let validated = run(&["validate"], NOTHING);
        assert_eq!(left(&validated, &report), Vec::<String>::new());
        // The run has registered it itself before it was stopped.
        drained.follow_ups.push(earlier);
        assert_eq!(of(&asked(), &drained, &report), []);
    }

    /// The step that ends downtime and silence can be stopped between the two, and an answer can be lost.
    #[test]
    fn what_monitoring_reports_counts_more_than_what_was_registered() {
        let own = |is_own| {
            Some(Held {
                is_own,
                ..Held::default()
            })
        };
        for (is_downtimed, downtimes, silences, count) in [
            (true, None, None, 2),
            (true, own(false), None, 1),
            (true, own(false), own(false), 0),
            (true, own(false), own(true), 1),
            (false, None, own(false), 0),
            (false, own(true), own(false), 1),
        ] {
            let mut ending = run(&["drain"], NOTHING);
            if is_downtimed {
                let downtime = suppression::downtime(&asked());
                ending.follow_ups.push(downtime.by_the_run());
            }
            let silence = suppression::silence(&asked(), "6f1c-2");
            ending.follow_ups.push(silence.by_the_run());
            let report = Report {
                is_known: None,
                downtimes: downtimes.clone(),
                silences: silences.clone(),
            };
            let found = left(&ending, &report);
            assert_eq!(
                found.len(),
                count,
                "{is_downtimed} {downtimes:?} {silences:?}: {found:?}"
            );
        }
    }

    #[test]
    fn a_run_that_was_done_to_its_last_step_has_registered_what_it_leaves() {
        let done = Cause::Finished(Outcome {
            verdict: Verdict::Failed,
            summary: String::new(),
            extra: Vec::new(),
        });
        let mut ending = Ending {
            cause: done,
            ..run(&["deregister"], REMOVED)
        };
        assert_eq!(register(&asked(), &mut ending, &Report::default()), []);
    }

    #[test]
    fn a_new_host_that_monitoring_does_not_know_yet_continues_without_a_downtime() {
        let new = [("os", "bullseye"), ("new", "true")];
        let asked = Asked::from_request(&request(&new)).unwrap();
        let command = |is_monitored| {
            let progress = Progress {
                is_monitored,
                ..INSTALLED
            };
            progress.follow_up(&asked).unwrap().command
        };
        assert!(command(false).ends_with("--no-pxe --no-downtime"));
        assert!(command(true).ends_with("--no-pxe"));
    }
}
