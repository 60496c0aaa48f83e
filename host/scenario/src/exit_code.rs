//! The exit code of `wreimage run`, which scenarios and conditions name.

use serde::Serializer;
use wreimage_journal::{Ending, RunOutcome};

/// The exit code with which `wreimage run`, without `--strict`, reports such an end. The program has a table of its own, and a
/// test of the program compares the two.
pub fn exit_code(ending: &Ending) -> u8 {
    match ending.outcome {
        RunOutcome::Success | RunOutcome::Warnings => 0,
        RunOutcome::Failed if ending.left.is_empty() => 20,
        RunOutcome::Failed => 21,
        RunOutcome::Cancelled => 30,
        RunOutcome::Refused if ending.invalid_options => 64,
        RunOutcome::Refused => 40,
        RunOutcome::Paused => 50,
    }
}

/// An outcome as conditions compare it: a word, empty for a run that has none.
pub(crate) fn serialize_outcome<S: Serializer>(
    outcome: &Option<RunOutcome>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(word(*outcome))
}

/// The word of an outcome, empty where there is none.
pub(crate) fn word(outcome: Option<RunOutcome>) -> &'static str {
    outcome.map_or("", RunOutcome::word)
}
