//! Writes the record of a run, without secrets.

pub(crate) mod recorder;
pub(crate) mod redact;
