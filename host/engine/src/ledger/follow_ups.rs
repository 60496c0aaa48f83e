//! What the run leaves so far, each with the command that ends it.

use crate::run::report::Reminder;
use wreimage_capability::run::{EndedBy, FollowUp};
use wreimage_journal::Record;

/// Those that have not ended, in the order in which they were registered.
#[derive(Debug, Clone, Default)]
pub(crate) struct FollowUps(Vec<FollowUp>);

impl FollowUps {
    /// All that have not ended.
    pub(crate) fn open(&self) -> &[FollowUp] {
        &self.0
    }

    /// Those that are left to the operator.
    pub(crate) fn reminders(&self) -> Vec<Reminder> {
        let left = self.0.iter().filter(|it| it.ended_by == EndedBy::Operator);
        left.map(|it| Reminder {
            text: it.text.clone(),
            command: it.command.clone(),
        })
        .collect()
    }

    /// The records that leave to the operator what the run meant to end itself.
    pub(crate) fn of_the_run(&self) -> Vec<Record> {
        let left = self.0.iter().filter(|it| it.ended_by == EndedBy::Run);
        left.map(|it| {
            record(FollowUp {
                ended_by: EndedBy::Operator,
                ..it.clone()
            })
        })
        .collect()
    }

    /// Takes a record into account that adds or ends one.
    pub(crate) fn apply(&mut self, record: &Record) {
        let (added, ended_by) = match record {
            Record::FollowUpEnded { key } => return self.end(key),
            Record::FollowUp {
                key,
                text,
                command,
                extra,
            } => ((Some(key), text, command, extra), EndedBy::Run),
            Record::Reminder {
                key,
                text,
                command,
                extra,
            } => ((key.as_ref(), text, command, extra), EndedBy::Operator),
            _ => return,
        };
        let (key, text, command, extra) = added;
        if let Some(key) = key {
            self.end(key);
        }
        self.0.push(FollowUp {
            key: key.cloned().unwrap_or_default(),
            text: text.clone(),
            command: command.clone(),
            ended_by,
            extra: extra.clone(),
        });
    }

    fn end(&mut self, key: &str) {
        self.0.retain(|it| it.key != key);
    }
}

/// The record that adds it.
pub(crate) fn record(added: FollowUp) -> Record {
    let FollowUp {
        key,
        text,
        command,
        ended_by,
        extra,
    } = added;
    match ended_by {
        EndedBy::Run => Record::FollowUp {
            key,
            text,
            command,
            extra,
        },
        EndedBy::Operator => Record::Reminder {
            key: Some(key),
            text,
            command,
            extra,
        },
    }
}

/// The key as it is recorded: a component that is plugged in has names of its own.
pub(crate) fn key_of(key: String, component: Option<String>) -> String {
    match component {
        Some(component) => format!("{component}/{key}"),
        None => key,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow_up(key: &str, text: &str, ended_by: EndedBy) -> Record {
        record(FollowUp {
            key: key.to_owned(),
            text: text.to_owned(),
            command: "end it".to_owned(),
            ended_by,
            extra: Vec::new(),
        })
    }

    fn texts(all: &FollowUps) -> Vec<&str> {
        all.open().iter().map(|it| it.text.as_str()).collect()
    }

    #[test]
    fn one_with_the_same_key_takes_its_place_and_one_that_has_ended_is_not_left() {
        let mut all = FollowUps::default();
        all.apply(&follow_up("a", "a lamp", EndedBy::Run));
        all.apply(&follow_up("b", "a door", EndedBy::Operator));
        all.apply(&follow_up("a", "a lamp, red", EndedBy::Run));
        assert_eq!(texts(&all), ["a door", "a lamp, red"]);
        let key = "b".to_owned();
        all.apply(&Record::FollowUpEnded { key });
        assert_eq!(texts(&all), ["a lamp, red"]);
        assert!(all.reminders().is_empty());
    }

    #[test]
    fn what_the_run_has_not_ended_is_left_to_the_operator_once() {
        let mut all = FollowUps::default();
        all.apply(&follow_up("a", "a lamp", EndedBy::Run));
        for record in all.of_the_run() {
            all.apply(&record);
        }
        assert_eq!(all.reminders().len(), 1);
        assert!(all.of_the_run().is_empty());
    }

    #[test]
    fn journals_without_keys_keep_all_that_they_have() {
        let mut all = FollowUps::default();
        for text in ["one", "two"] {
            all.apply(&Record::Reminder {
                key: None,
                text: text.to_owned(),
                command: String::new(),
                extra: Vec::new(),
            });
        }
        assert_eq!(texts(&all), ["one", "two"]);
    }

    #[test]
    fn a_component_ends_only_what_it_has_added() {
        let component = Some("site-checks".to_owned());
        assert_eq!(key_of("a".to_owned(), component), "site-checks/a");
        assert_eq!(key_of("a".to_owned(), None), "a");
    }
}
