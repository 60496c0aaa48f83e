//! `remote`: the run's host itself.

pub(crate) mod answers;
mod boots;
mod command;
mod lost;
mod machine;
mod russh;
pub(crate) mod unit;
mod unit_scripts;

pub(crate) use boots::{BootIds, BySsh};
pub(crate) use machine::Ways;
pub(crate) use russh::Remote;
