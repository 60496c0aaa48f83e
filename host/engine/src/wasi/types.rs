//! Types of WASI 0.2 that its functions here take and return.

use wasmtime::component::{ComponentType, Lift, Lower, Resource};

/// `wasi:io/poll.pollable`.
pub(super) enum Pollable {}

/// `wasi:io/error.error`. None is ever made.
pub(super) enum IoError {}

/// `wasi:io/streams.input-stream`.
pub(super) enum Input {}

/// `wasi:io/streams.output-stream`.
pub(super) enum Output {}

/// `wasi:sockets/network.network`.
pub(super) enum Network {}

/// Everything else that a guest could hold, and that nothing here ever gives it: files, sockets, terminals.
pub(super) enum Never {}

/// `wasi:io/streams.stream-error`.
#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
pub(super) enum StreamError {
    /// Never happens: what is written is logged or the guest is stopped.
    #[component(name = "last-operation-failed")]
    LastOperationFailed(Resource<IoError>),
    /// The stream has ended.
    #[component(name = "closed")]
    Closed,
}

/// `wasi:clocks/wall-clock.datetime`.
#[derive(ComponentType, Lift, Lower)]
#[component(record)]
pub(super) struct Datetime {
    pub(super) seconds: u64,
    pub(super) nanoseconds: u32,
}
