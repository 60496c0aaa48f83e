//! What a run leaves, and the command that ends it: registered when it is made, by a key, and ended by that key.

use crate::bindings::wreimage::run::run;
use crate::{EndedBy, FollowUp};

impl FollowUp {
    /// Something that the operator ends with this command.
    pub fn new(key: &str, text: impl Into<String>, command: impl Into<String>) -> Self {
        FollowUp {
            key: key.to_owned(),
            text: text.into(),
            command: command.into(),
            ended_by: EndedBy::Operator,
            extra: Vec::new(),
        }
    }

    /// The run ends it later: it is printed only if the run ends before that.
    #[must_use]
    pub fn by_the_run(self) -> Self {
        FollowUp {
            ended_by: EndedBy::Run,
            ..self
        }
    }

    /// With something that the guest has to know of it when the run has ended.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.extra.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What stands under this name in its extras.
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.extra.iter().find(|(it, _)| it == name)?;
        Some(value)
    }

    /// Registers it, in the place of one with the same key. The host prints it at every end, even when the guest is dead:
    /// register it when it is made. A cancel does not prevent it; the next call is answered `cancelled`.
    pub fn add(&self) {
        let _cancelled = run::add_follow_up(self);
    }
}

/// What was registered under this key has ended. A cancel does not prevent that; the next call is answered `cancelled`.
pub fn end_follow_up(key: &str) {
    let _cancelled = run::end_follow_up(key);
}
