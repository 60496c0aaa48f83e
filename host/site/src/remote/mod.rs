//! `remote`: the run's host itself.

mod answers;
mod boots;
mod command;
mod lost;
mod machine;
mod russh;
mod unit;
mod unit_scripts;

pub(crate) use boots::{BootIds, BySsh};
pub(crate) use machine::Ways;
pub(crate) use russh::Remote;
