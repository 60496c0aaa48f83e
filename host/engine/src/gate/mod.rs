//! The one place that every call passes, in eight stages.

pub(crate) mod call_context;
pub(crate) mod context;
pub(crate) mod once;
pub(crate) mod perform;
pub(crate) mod permission;
pub(crate) mod preview;
pub(crate) mod record;
pub(crate) mod run_gate;
pub(crate) mod served;
pub(crate) mod stages;
pub(crate) mod twin;
pub(crate) mod wait;
