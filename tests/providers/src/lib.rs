//! Real servers on loopback for the tests of the live providers: each test starts its own and stops them. A program that
//! is not installed is a failure that says which package has it, never a skipped test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub mod bmc;
pub mod call;
pub mod dhcp;
pub mod hostile_ssh;
pub mod install_server;
pub mod lease;
pub mod process;
pub mod remote;
pub mod site;
pub mod sshd;
pub mod systemd;
pub mod tools;
pub mod udp;
pub mod wire;
