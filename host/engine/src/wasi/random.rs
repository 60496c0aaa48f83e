//! Randomness that is the same in every process of a run.

use sha2::{Digest, Sha256};

/// Blocks of SHA-256 over a seed and a counter. Fit for hash seeds and identifiers, not for keys: whoever reads the journal
/// knows it. A guest has no business with keys.
#[derive(Debug)]
pub(super) struct Random {
    seed: [u8; 32],
    blocks: u64,
    rest: Vec<u8>,
}

impl Random {
    pub(super) fn new(seed: &str) -> Self {
        Random {
            seed: Sha256::digest(seed.as_bytes()).into(),
            blocks: 0,
            rest: Vec::new(),
        }
    }

    /// So many bytes.
    pub(super) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.rest);
        while bytes.len() < length {
            let mut hash = Sha256::new();
            hash.update(self.seed);
            hash.update(self.blocks.to_le_bytes());
            self.blocks = self.blocks.wrapping_add(1);
            bytes.extend(hash.finalize());
        }
        self.rest = bytes.split_off(length);
        bytes
    }

    /// A number.
    pub(super) fn number(&mut self) -> u64 {
        let mut number = [0; 8];
        for (to, from) in number.iter_mut().zip(self.bytes(8)) {
            *to = from;
        }
        u64::from_le_bytes(number)
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn the_same_seed_gives_the_same_bytes_however_they_are_asked_for() {
        let whole = Random::new("run 1").bytes(100);
        let mut parts = Random::new("run 1");
        let mut joined = parts.bytes(3);
        joined.extend(parts.bytes(90));
        joined.extend(parts.bytes(7));
        assert_eq!(whole, joined);
        assert_ne!(whole, Random::new("run 2").bytes(100));
        let mut numbers = Random::new("run 1");
        assert_ne!(numbers.number(), numbers.number());
    }
}
