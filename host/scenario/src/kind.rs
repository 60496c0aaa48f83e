//! The kinds of cases in a sweep.

use crate::error::suggestion;
use std::fmt;
use std::str::FromStr;

/// What the cases of a sweep do to a run, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The process dies around one call.
    Crash,
    /// One call fails, its effect is lost or doubtful, or the operator cancels during it.
    Fault,
    /// Something changes in the world between two calls, and the process dies, pauses or lives on.
    Changed,
    /// A second controller begins a run on the same host, while the process has died, is paused or lives on.
    Rival,
    /// A call has half of its effect; what the host itself answers (the clock, the operator) is disturbed.
    Partial,
    /// The controller loses power: records that were not synced are lost.
    Power,
}

impl Kind {
    /// All kinds, in the order in which a sweep plays them.
    pub const ALL: [Kind; 6] = [
        Kind::Crash,
        Kind::Fault,
        Kind::Changed,
        Kind::Rival,
        Kind::Partial,
        Kind::Power,
    ];

    /// The words for all kinds, in the same order.
    pub const WORDS: [&str; 6] = ["crash", "fault", "changed", "rival", "partial", "power"];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Crash => "crash",
            Kind::Fault => "fault",
            Kind::Changed => "changed",
            Kind::Rival => "rival",
            Kind::Partial => "partial",
            Kind::Power => "power",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let known = Kind::ALL.iter().find(|kind| kind.word() == word);
        known.copied().ok_or_else(|| {
            format!(
                "there is no kind of case `{word}`; {}",
                suggestion(word, Kind::WORDS)
            )
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_kind_is_found_by_its_word() {
        assert_eq!(Kind::WORDS, Kind::ALL.map(Kind::word));
        for kind in Kind::ALL {
            assert_eq!(kind.word().parse(), Ok(kind));
        }
        let error = "cras".parse::<Kind>().unwrap_err();
        assert!(error.ends_with("did you mean `crash`?"), "{error}");
    }
}
