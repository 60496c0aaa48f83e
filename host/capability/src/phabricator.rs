//! The task that the run was started for.

pub use crate::bindings::wreimage::phabricator::phabricator::Task;

crate::table::effects! {
    /// Speaks to the ticket system about the run's task.
    phabricator "wreimage:phabricator/phabricator@0.1.0" served by Provider in crate::bindings::wreimage::phabricator::phabricator,
        acts on crate::Subject::Task;
    read get_task() -> Task;
    once comment(text: String) -> (), doubt told;
}
