//! A run from its beginning to its end, and what it is given to work with.

pub(crate) mod cancel;
pub(crate) mod closing;
pub(crate) mod consent;
pub(crate) mod drive;
pub(crate) mod judge;
pub(crate) mod operator;
pub(crate) mod report;
pub(crate) mod request;
pub(crate) mod services;
pub(crate) mod stop;
