//! `remote`: the run's host itself.

mod answers;
mod boots;
mod lost;
mod machine;
mod russh;

pub(crate) use boots::BootIds;
pub(crate) use machine::Machine;
pub(crate) use russh::Remote;
