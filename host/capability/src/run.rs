//! The run itself: what was asked for, and what the guest tells of it. The engine answers.

pub use crate::bindings::wreimage::run::run::{Level, OptionValue, Request, Severity};
pub use crate::bindings::wreimage::types::types::{EndedBy, FollowUp};

crate::table::effects! {
    /// Takes the guest's notes.
    run "wreimage:run/run@0.1.0" served by Engine in crate::bindings::wreimage::run::run;
    read get_request() -> Request;
    note step_begin(phase: String, name: String, expected_ms: Option<u64>) -> ();
    note step_end(level: Level, text: String, evidence: Vec<(String, String)>) -> ();
    note note(level: Level, text: String) -> ();
    note add_follow_up(follow_up: FollowUp) -> ();
    note end_follow_up(key: String) -> ();
    note log(severity: Severity, text: String) -> ();
}
