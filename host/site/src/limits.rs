//! `[limits]`: what a guest may consume.

use serde::Deserialize;
use wreimage_live::{Period, Size};

/// What a guest may consume. What exceeds one of these is ended with a message that names the key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Limits {
    /// Memory of the guest.
    pub guest_memory: Size,
    /// Units of fuel between two calls of the host.
    pub fuel: u64,
    /// The longest text that it passes to the host.
    pub text: Size,
    /// The most elements of a list that it passes to the host.
    pub list: u32,
    /// The most that it passes to the host in one call.
    pub call: Size,
    /// The most records of a run.
    pub records: u64,
    /// The most bytes of all records of a run.
    pub journal: Size,
    /// The largest component file.
    pub component: Size,
    /// Memory of its compilation.
    pub compile_memory: Size,
    /// Processor time of its compilation, on all cores together.
    pub compile_cpu: Period,
    /// How long its compilation may take.
    pub compile_time: Period,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            guest_memory: Size(256 << 20),
            fuel: 10_000_000_000,
            text: Size(256 << 10),
            list: 10_000,
            call: Size(4 << 20),
            records: 200_000,
            journal: Size(64 << 20),
            component: Size(64 << 20),
            compile_memory: Size(2 << 30),
            compile_cpu: Period::secs(120),
            compile_time: Period::secs(120),
        }
    }
}
