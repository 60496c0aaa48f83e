pub(crate) mod apply;
pub(crate) mod follow_ups;
pub(crate) mod restarts;
pub(crate) mod state;
