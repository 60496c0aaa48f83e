pub(crate) mod apply;
pub(crate) mod restarts;
pub(crate) mod state;
