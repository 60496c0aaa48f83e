//! What a guest may use.

use wasmtime::{ResourceLimiter, Store};

/// Bounds on one instance of a guest, and on what it leaves in the record of its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory, all memories and tables of the guest together.
    pub memory: usize,
    /// Units of fuel (about one per instruction) between two calls to the host.
    pub fuel: u64,
    /// Bytes of one text that it passes to the host.
    pub text: usize,
    /// Elements of one list that it passes to the host.
    pub list: usize,
    /// Bytes of everything that it passes to the host in one call.
    pub call: usize,
    /// Records of the run.
    pub records: u64,
    /// Bytes of all records of the run.
    pub journal: u64,
}

impl Default for Limits {
    /// 256 MiB of memory, 10^10 units of fuel (some seconds of computing), 256 KiB a text, 10,000 elements a list, 4 MiB a
    /// call, 200,000 records and 64 MiB a run.
    fn default() -> Self {
        Limits {
            memory: 256 << 20,
            fuel: 10_000_000_000,
            text: 256 << 10,
            list: 10_000,
            call: 4 << 20,
            records: 200_000,
            journal: 64 << 20,
        }
    }
}

/// What the closing words may add to a record that is full: an eighth of its bound.
const RESERVE: u64 = 8;

/// A guest exceeds a bound other than those of its memory and its fuel: it is ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Exceeded {
    #[error(
        "it passed a text of {length} bytes to the host ({what}), and `limits.text` allows {limit}"
    )]
    Text {
        what: String,
        length: usize,
        limit: usize,
    },
    #[error(
        "it passed a list of {length} elements to the host ({what}), and `limits.list` allows {limit}"
    )]
    List {
        what: String,
        length: usize,
        limit: usize,
    },
    #[error("its run has {limit} records, and `limits.records` allows no more")]
    Records { limit: u64 },
    #[error("the records of its run have {limit} bytes, and `limits.journal` allows no more")]
    Journal { limit: u64 },
}

impl Exceeded {
    /// The key of the site file that sets the bound.
    pub(crate) fn key(&self) -> &'static str {
        match self {
            Exceeded::Text { .. } => "limits.text",
            Exceeded::List { .. } => "limits.list",
            Exceeded::Records { .. } => "limits.records",
            Exceeded::Journal { .. } => "limits.journal",
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
        // What exceeds it is not even copied into the memory of the host.
        store.set_hostcall_fuel(self.call);
        store.set_fuel(self.fuel)
    }

    /// For `describe`, which only says a few words: a tenth of a second.
    pub(crate) fn for_describe(self) -> Self {
        Limits {
            fuel: self.fuel.min(200_000_000),
            call: self.call.min(1 << 20),
            ..self
        }
    }

    /// For the closing words, which must be kept when the record is full.
    pub(crate) fn for_closing_words(self) -> Self {
        Limits {
            records: self.records.saturating_add(self.records / RESERVE),
            journal: self.journal.saturating_add(self.journal / RESERVE),
            ..self
        }
    }

    /// Whether a record of so many entries and bytes is full.
    pub(crate) fn check_record(&self, records: u64, bytes: u64) -> Result<(), Exceeded> {
        if records >= self.records {
            return Err(Exceeded::Records {
                limit: self.records,
            });
        }
        if bytes >= self.journal {
            return Err(Exceeded::Journal {
                limit: self.journal,
            });
        }
        Ok(())
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
            ..Limits::default()
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

    #[test]
    fn a_full_record_takes_closing_words_and_no_more() {
        let limits = Limits {
            records: 80,
            journal: 800,
            ..Limits::default()
        };
        assert_eq!(limits.check_record(79, 799), Ok(()));
        assert_eq!(
            limits.check_record(80, 0),
            Err(Exceeded::Records { limit: 80 })
        );
        assert_eq!(
            limits.check_record(0, 800),
            Err(Exceeded::Journal { limit: 800 })
        );
        let closing = limits.for_closing_words();
        assert_eq!(closing.check_record(89, 899), Ok(()));
        assert!(closing.check_record(90, 0).is_err());
    }
}
