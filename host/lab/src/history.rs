//! What happened, in words, with the virtual time.

use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fmt;
use wreimage_capability::from_millis;

/// More lines than any run makes; what is older is forgotten, so that a machine that loops for ever costs no memory.
const KEPT: usize = 10_000;

/// One line of history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// When, in milliseconds since the epoch.
    pub at: Millis,
    /// To which machine.
    pub host: String,
    /// What happened.
    pub text: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", from_millis(self.at), self.host, self.text)
    }
}

/// The last lines, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct History {
    pub(crate) lines: VecDeque<Line>,
}

impl History {
    pub(crate) fn add(&mut self, at: Millis, host: &str, text: impl Into<String>) {
        if self.lines.len() >= KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back(Line {
            at,
            host: host.to_owned(),
            text: text.into(),
        });
    }
}
