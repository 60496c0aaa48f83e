//! Whole runs of the default guest in the lab, in process: a world that is the built-in one with changes, options, answers
//! to questions, and what became of it all.
#![allow(
    missing_docs,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

pub mod case;
pub mod done;

pub use case::{Answers, Case};
pub use done::Done;
