//! What a run leaves for the operator to do.

use wreimage_sdk::{Fault, leave};

/// Something for the operator to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Todo {
    /// What it is about.
    pub text: String,
    /// What does it.
    pub command: String,
}

/// Registers all of them. After a cancel each is recorded and answered `cancelled`: the first answer must not keep the others out
/// of the report.
///
/// # Errors
/// `cancelled`, when all are registered.
pub fn leave_all<'a>(todos: impl IntoIterator<Item = &'a Todo>) -> Result<(), Fault> {
    let mut registered = Ok(());
    for todo in todos {
        registered = registered.and(leave(&todo.text, &todo.command));
    }
    registered
}
