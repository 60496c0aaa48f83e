//! What the program and the tests that start it agree on.

/// The run that is killed.
pub const RUN: &str = "20260105T080000-sweep-00000001";

/// Exit code of a change that makes no difference.
pub const NO_DIFFERENCE: i32 = 4;

/// Exit code of a resume of which nothing was recorded.
pub const NO_RECORD: i32 = 3;
