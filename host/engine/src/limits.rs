//! What a guest may use.

use wasmtime::{ResourceLimiter, Store};

/// Bounds on one instance of a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory, all memories and tables of the guest together.
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

/// Bytes that an element of a table takes on the host.
const TABLE_ELEMENT: usize = 16;

/// After so many units of fuel, about a millisecond, a guest that computes steps aside: other runs go on, and deadlines hold.
const TURN: u64 = 1_000_000;

impl Limits {
    /// The first fuel of a fresh instance.
    pub(crate) fn fill<T: 'static>(self, store: &mut Store<T>) -> wasmtime::Result<()> {
        store.fuel_async_yield_interval(Some(TURN))?;
        store.set_fuel(self.fuel)
    }

    /// For `describe`, which only says a few words: a tenth of a second.
    pub(crate) fn for_describe(self) -> Self {
        Limits {
            memory: self.memory,
            fuel: self.fuel.min(200_000_000),
        }
    }

    pub(crate) fn bounds(self) -> Bounds {
        Bounds {
            limit: self.memory,
            used: 0,
        }
    }
}

/// A guest wants more memory than it may use. It traps: a growth that fails would let it see the machine it runs on.
#[derive(Debug, thiserror::Error)]
#[error("it wanted more memory than the {} MiB that it may use", limit >> 20)]
pub(crate) struct TooMuchMemory {
    limit: usize,
}

/// Keeps count of one instance.
pub(crate) struct Bounds {
    limit: usize,
    used: usize,
}

impl Bounds {
    fn grow(&mut self, current: usize, desired: usize) -> wasmtime::Result<bool> {
        let used = self.used.saturating_add(desired.saturating_sub(current));
        if used > self.limit {
            return Err(wasmtime::Error::new(TooMuchMemory { limit: self.limit }));
        }
        self.used = used;
        Ok(true)
    }
}

impl ResourceLimiter for Bounds {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.grow(current, desired)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.grow(
            current.saturating_mul(TABLE_ELEMENT),
            desired.saturating_mul(TABLE_ELEMENT),
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn memories_and_tables_count_together() {
        let mut bounds = Limits {
            memory: 1000,
            fuel: 1,
        }
        .bounds();
        assert!(bounds.memory_growing(0, 400, None).unwrap());
        assert!(bounds.memory_growing(0, 400, None).unwrap());
        assert!(bounds.table_growing(0, 12, None).unwrap());
        let error = bounds.memory_growing(400, 410, None).unwrap_err();
        assert!(error.downcast_ref::<TooMuchMemory>().is_some());
        let error = bounds.table_growing(0, usize::MAX, None).unwrap_err();
        assert!(error.downcast_ref::<TooMuchMemory>().is_some());
    }
}
