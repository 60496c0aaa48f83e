//! Continues a run from its records.

pub(crate) mod cursor;
pub(crate) mod replayer;
pub(crate) mod resume;
pub(crate) mod verify;
