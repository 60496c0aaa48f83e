//! The stages of the one path on which a run is launched.

/// The stages that a launch goes through, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaunchStage {
    /// The systems are bound to its host.
    Bound,
    /// The request is complete: what the run may do here is checked.
    Requested,
    /// No other run of this state folder is on its host.
    Locked,
    /// Its journal is open, and its guest is kept.
    Recorded,
    /// It is driven.
    Driven,
}
