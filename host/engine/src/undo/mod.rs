//! The host's list of what must not outlive a run.

pub(crate) mod list;
pub(crate) mod reassert;
pub(crate) mod reverse;
