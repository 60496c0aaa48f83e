//! From arguments to an engine, a guest, a backend and a launcher.

pub mod actor;
pub mod backend;
pub mod choices;
pub mod compiler;
pub mod continuing;
pub mod detach;
pub mod files;
pub mod guest_options;
pub mod launching;
pub mod leases;
pub mod load_guest;
pub mod watcher;
