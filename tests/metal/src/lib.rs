//! The metal rig: one real machine with everything that a reimage touches.
//!
//! A QEMU machine behind a BMC, a switch whose relay inserts option 82, an
//! install server with ISC dhcpd, TFTP, HTTP and SSH, and a small installer
//! that writes a Debian to the disk. Everything lives in network namespaces
//! that the rig makes and that go away with its process.
//!
//! Start with [`Rig::start`].
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used))]
#![warn(missing_docs)]
#![deny(unsafe_code)]

pub mod bmc;
pub mod boot;
pub mod clock;
pub mod console;
mod control;
pub mod dhcp;
pub mod disk;
pub mod image;
pub mod install;
pub mod keys;
pub mod machine;
pub mod mirror;
pub mod namespaces;
pub mod network;
pub mod port;
pub mod preflight;
pub mod process;
pub mod relay;
pub mod rig;
pub mod ssh;
mod sync;
mod template;
mod workdir;

pub use bmc::BmcKind;
pub use install::Fault;
pub use rig::{Options, Rig};
pub use ssh::Identity;
