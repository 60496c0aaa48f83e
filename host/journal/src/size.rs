//! How long a record is.

use crate::record::Record;
use std::io::{self, Write};

/// Bytes of a record as the journal keeps it.
pub fn size(record: &Record) -> u64 {
    let mut counter = Counter(0);
    // The counter takes everything, and a record that cannot be written is refused by the journal.
    let _ = serde_json::to_writer(&mut counter, record);
    counter.0
}

/// Counts what is written and keeps nothing.
struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len() as u64);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::size;
    use crate::record::Record;

    #[test]
    fn a_record_is_as_long_as_its_line() {
        let record = Record::Log {
            severity: "info".to_owned(),
            text: "a \"quoted\" line\n".to_owned(),
        };
        let line = serde_json::to_string(&record).unwrap();
        assert_eq!(size(&record), line.len() as u64);
    }
}
