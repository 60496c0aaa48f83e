//! The journal of a scenario as a text that is kept beside it.

use crate::error::ScenarioError;
use crate::play::Played;
use crate::scenario::Scenario;
use crate::told;
use similar::TextDiff;

/// How a run compares with the text that was kept of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Snapshot {
    /// None is kept.
    None,
    /// It is the same.
    Same,
    /// It is another; the text says where.
    Differs(String),
}

impl Snapshot {
    /// Compares.
    ///
    /// # Errors
    /// When a snapshot is there that cannot be read.
    pub fn compare(scenario: &Scenario, played: &Played) -> Result<Self, ScenarioError> {
        let path = scenario.snapshot();
        if !path.exists() {
            return Ok(Snapshot::None);
        }
        let kept = std::fs::read_to_string(&path)
            .map_err(|error| ScenarioError::new(&path, error.to_string()))?;
        let now = told::run(&played.entries);
        if kept == now {
            return Ok(Snapshot::Same);
        }
        let diff = TextDiff::from_lines(&kept, &now);
        let mut unified = diff.unified_diff();
        let text = unified.context_radius(3).header("kept", "now").to_string();
        Ok(Snapshot::Differs(text))
    }

    /// Keeps the run's text.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(scenario: &Scenario, played: &Played) -> Result<(), ScenarioError> {
        let path = scenario.snapshot();
        std::fs::write(&path, told::run(&played.entries))
            .map_err(|error| ScenarioError::new(&path, format!("it cannot be written: {error}")))
    }
}
