//! What a guest may use.

use wasmtime::{StoreLimits, StoreLimitsBuilder};

/// Bounds on one instance of a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory, all memories of the guest together.
    pub memory: usize,
    /// Units of fuel (about one per instruction) between two calls to the host.
    pub fuel: u64,
}

impl Default for Limits {
    /// 256 MiB, and 10^10 units: some seconds of computing.
    fn default() -> Self {
        Limits {
            memory: 256 << 20,
            fuel: 10_000_000_000,
        }
    }
}

impl Limits {
    /// For `describe`, which only says a few words: a tenth of a second.
    pub(crate) fn for_describe(self) -> Self {
        Limits {
            memory: self.memory,
            fuel: self.fuel.min(200_000_000),
        }
    }

    pub(crate) fn store_limits(self) -> StoreLimits {
        StoreLimitsBuilder::new()
            .memory_size(self.memory)
            // A guest must never see a failed growth: that would depend on the machine.
            .trap_on_grow_failure(true)
            .build()
    }
}
