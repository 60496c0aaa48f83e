//! `remote`: the run's host itself.

pub(crate) mod answers;
mod boots;
mod command;
mod lost;
mod machine;
mod russh;
mod unit;
pub(crate) mod unit_answers;
mod unit_scripts;

pub(crate) use boots::{BootIds, BySsh};
pub(crate) use machine::Ways;
pub(crate) use russh::Remote;
