//! What the steps of a run that has ended show.

use crate::quiet::silence_of;
use crate::steps;
use wreimage_sdk::{Cause, Ending, PastStep};

/// The steps of a run that has ended.
pub struct Past<'a>(pub &'a Ending);

impl Past<'_> {
    fn find(&self, phase: &str, name: &str) -> Option<&PastStep> {
        let mut steps = self.0.steps.iter().rev();
        steps.find(|step| step.phase == phase && step.name == name)
    }

    /// Whether a step was done, with a warning or without.
    pub fn done(&self, phase: &str, name: &str) -> bool {
        let step = self.find(phase, name);
        step.is_some_and(|step| matches!(step.level.as_str(), "success" | "warning"))
    }

    fn succeeded(&self, phase: &str, name: &str) -> bool {
        let step = self.find(phase, name);
        step.is_some_and(|step| step.level == "success")
    }

    /// The id of this run's silence: the second takes the place of the first.
    pub fn silence(&self) -> Option<String> {
        let made = |phase: &str, name: &str| {
            let step = self.find(phase, name)?;
            silence_of(&step.text)
        };
        made(steps::populate::PHASE, steps::populate::SILENCE)
            .or_else(|| made(steps::drain::PHASE, steps::drain::SILENCE))
    }

    /// Whether this run has set a downtime that it has not ended since.
    pub fn is_downtimed(&self) -> bool {
        let set = self.done(steps::drain::PHASE, steps::drain::DOWNTIME)
            || self.done(steps::populate::PHASE, steps::populate::DOWNTIME);
        set && !self.speaks_again()
    }

    /// Whether this run has ended its downtime and its silence.
    pub fn speaks_again(&self) -> bool {
        self.done(steps::settle::PHASE, steps::settle::REMOVE_DOWNTIME)
    }

    /// Whether monitoring was seen to know the new system.
    pub fn is_monitored(&self) -> bool {
        self.succeeded(steps::populate::PHASE, steps::populate::ICINGA_KNOWS)
    }

    /// Whether a phase has begun.
    pub fn began(&self, phase: &str) -> bool {
        self.0.steps.iter().any(|step| step.phase == phase)
    }

    /// Whether the next run will not find the host in PuppetDB. `is_known` is what PuppetDB reports; `None` when it cannot be
    /// asked. The answer to the removal may have been lost, and an agent may have made the host known again.
    pub fn is_forgotten(&self, is_known: impl FnOnce() -> Option<bool>) -> bool {
        let removal = self.find(steps::forget::PHASE, steps::forget::PUPPETDB);
        if removal.is_none_or(|step| step.level == "skipped") {
            return false;
        }
        let Some(is_known) = is_known() else {
            // A catalogue makes the host known again; a noop run that failed may have got none.
            let known_again = self.succeeded(steps::populate::PHASE, steps::populate::NOOP)
                || self.done(steps::populate::PHASE, steps::populate::RESOURCE);
            return self.done(steps::forget::PHASE, steps::forget::PUPPETDB) && !known_again;
        };
        !is_known
    }

    /// Whether the host has the OS that was asked for, so that the next run need not wipe it.
    pub fn is_installed(&self) -> bool {
        let wrong =
            matches!(&self.0.cause, Cause::Faulted(fault) if fault.code == "reimage.wrong-release");
        if self.done(steps::install::PHASE, steps::install::NOT_INSTALLER) {
            return !wrong;
        }
        self.find(steps::forget::PHASE, steps::forget::PUPPETDB)
            .is_some_and(|step| step.level != "skipped")
            && self.done(steps::validate::PHASE, steps::validate::PRESENT_OS)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn step(phase: &str, name: &str, level: &str) -> PastStep {
        PastStep {
            phase: phase.to_owned(),
            name: name.to_owned(),
            level: level.to_owned(),
            text: String::new(),
        }
    }

    pub fn ending(cause: Cause, steps: Vec<PastStep>) -> Ending {
        Ending {
            cause,
            steps,
            reminders: Vec::new(),
            undone: Vec::new(),
            extra: Vec::new(),
        }
    }

    #[test]
    fn what_puppetdb_reports_counts_more_than_the_steps() {
        use steps::forget;
        for (level, is_known, forgotten) in [
            ("failure", Some(false), true),
            ("unfinished", Some(false), true),
            ("success", Some(true), false),
            ("success", None, true),
            ("failure", None, false),
            ("skipped", Some(false), false),
        ] {
            let steps = vec![step(forget::PHASE, forget::PUPPETDB, level)];
            let ending = ending(Cause::Other(String::new()), steps);
            assert_eq!(
                Past(&ending).is_forgotten(|| is_known),
                forgotten,
                "{level} {is_known:?}"
            );
        }
    }
}
