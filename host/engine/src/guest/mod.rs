//! Loads, inspects, links, limits and runs guests.

pub(crate) mod blame;
pub(crate) mod compile;
pub(crate) mod compiler;
pub(crate) mod describe;
pub(crate) mod effects;
pub(crate) mod engine;
pub(crate) mod error;
pub(crate) mod grants;
pub(crate) mod imports;
pub(crate) mod instance;
pub(crate) mod limits;
pub(crate) mod load;
pub(crate) mod measure;
pub(crate) mod options;
pub(crate) mod trap;
pub(crate) mod wrap;
