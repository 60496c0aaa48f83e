//! The hooks of `reimage` as the guest calls them: where a site's component can be plugged in.

use crate::bindings::hook_calls::wreimage::hooks as calls;
use crate::{Action, Actions, Fault, Level};

pub use crate::bindings::hook_types::wreimage::hooks::hook_types::{
    BootMedia, Finding, Level as FindingLevel, Phase,
};

/// What the site does before a phase.
///
/// # Errors
/// What the site's component says ends the run.
pub fn before_phase(phase: &Phase) -> Result<Vec<Finding>, Fault> {
    calls::before_phase::before_phase(phase)
}

/// What the site does after a phase.
///
/// # Errors
/// What the site's component says ends the run.
pub fn after_phase(phase: &Phase) -> Result<Vec<Finding>, Fault> {
    calls::after_phase::after_phase(phase)
}

/// The boot media that the site chooses.
///
/// # Errors
/// What the site's component says ends the run.
pub fn choose_media(proposed: &BootMedia) -> Result<String, Fault> {
    calls::partitioning::choose_media(proposed)
}

/// What the site finds in the new system.
///
/// # Errors
/// What the site's component says ends the run.
pub fn check_installed() -> Result<Vec<Finding>, Fault> {
    calls::post_install::check_installed()
}

impl Actions {
    /// Takes what a hook has found into the log and the verdict. Its steps and notes the hook has made itself.
    pub fn adopt(&mut self, phase: &str, findings: Vec<Finding>) {
        for finding in findings {
            let level = match finding.level {
                FindingLevel::Success => Level::Success,
                FindingLevel::Warning => Level::Warning,
                FindingLevel::Failure => Level::Failure,
                FindingLevel::Skipped => Level::Skipped,
                FindingLevel::Other(word) => Level::Other(word),
            };
            self.remember(phase, &finding.name, level, finding.text);
        }
    }

    /// What a hook says of the steps and notes that it has made.
    pub fn findings(&self) -> Vec<Finding> {
        self.done().iter().map(finding).collect()
    }
}

fn finding(action: &Action) -> Finding {
    Finding {
        name: action.name.clone(),
        level: match &action.level {
            Level::Success => FindingLevel::Success,
            Level::Warning => FindingLevel::Warning,
            Level::Failure => FindingLevel::Failure,
            Level::Skipped => FindingLevel::Skipped,
            Level::Other(word) => FindingLevel::Other(word.clone()),
        },
        text: action.text.clone(),
        extra: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;

    fn found(level: FindingLevel) -> Finding {
        Finding {
            name: "Look".to_owned(),
            level,
            text: "broken".to_owned(),
            extra: Vec::new(),
        }
    }

    #[test]
    fn what_a_hook_finds_counts_for_the_verdict() {
        let mut actions = Actions::new();
        actions.adopt("install", vec![found(FindingLevel::Success)]);
        assert_eq!(actions.verdict(), Verdict::Success);
        actions.adopt("install", vec![found(FindingLevel::Failure)]);
        assert_eq!(actions.verdict(), Verdict::Failed);
        assert_eq!(
            actions.outcome("Done.").summary,
            "Done. Look at: \"Look\": broken."
        );
        assert_eq!(
            actions.findings(),
            [found(FindingLevel::Success), found(FindingLevel::Failure)]
        );
    }
}
