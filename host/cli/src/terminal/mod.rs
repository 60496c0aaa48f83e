//! The session of a process at a terminal: keyboard, questions, consent, signals, and the end of its runs.

pub mod batch_end;
pub mod conclude;
mod consent;
mod frontend;
pub mod prompt;
pub mod session;
