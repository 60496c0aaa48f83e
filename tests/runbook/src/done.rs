//! What became of a run.

use crate::case::block_on;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use wreimage_capability::{Call, Fault, Polled, function};
use wreimage_engine::{PastStep, Report};
use wreimage_journal::{Entry, Level, Origin, Record};
use wreimage_lab::{Lab, Machine};
use wreimage_scenario::{exit_code, told};

/// A run that has ended, with the lab in which it did.
pub struct Done {
    pub entries: Vec<Entry>,
    pub report: Report,
    pub lab: Lab,
    pub host: String,
    pub task: Option<String>,
}

impl Done {
    /// The whole run, for people to read and to compare.
    pub fn told(&self) -> String {
        told::run(&self.entries)
    }

    /// The run ended so.
    #[track_caller]
    pub fn ends(&self, outcome: &str, code: u8) -> &Self {
        let ending = &self.report.ending;
        assert_eq!(
            (ending.outcome.word(), exit_code(ending)),
            (outcome, code),
            "{}\n{}",
            ending.summary,
            self.told()
        );
        self
    }

    /// Its summary has these words.
    #[track_caller]
    pub fn because(&self, words: &[&str]) -> &Self {
        for word in words {
            let summary = &self.report.ending.summary;
            assert!(summary.contains(word), "`{word}` is not in: {summary}");
        }
        self
    }

    /// Nothing was changed by it.
    #[track_caller]
    pub fn touched_nothing(&self) -> &Self {
        assert!(!self.report.ending.touched, "{}", self.told());
        assert_eq!(self.mutations(), Vec::<String>::new());
        self
    }

    /// The last step of this name, as it ended.
    #[track_caller]
    pub fn step(&self, name: &str) -> &PastStep {
        let mut steps = self.report.steps.iter().rev();
        steps
            .find(|step| step.name.starts_with(name))
            .unwrap_or_else(|| panic!("no step `{name}`:\n{}", self.told()))
    }

    /// The step ended so, and said these words.
    #[track_caller]
    pub fn has(&self, name: &str, level: Level, words: &[&str]) -> &Self {
        let step = self.step(name);
        assert_eq!(step.level, level, "{name}: {}", step.text);
        let said = format!("{} {:?}", step.text, step.evidence);
        for word in words {
            assert!(said.contains(word), "{name}: `{word}` is not in: {said}");
        }
        self
    }

    /// No step of this name was begun.
    #[track_caller]
    pub fn never(&self, name: &str) -> &Self {
        let found = self
            .report
            .steps
            .iter()
            .find(|step| step.name.starts_with(name));
        assert!(found.is_none(), "{found:?}");
        self
    }

    /// Functions of the mutations that the guest made and that succeeded, in order.
    pub fn mutations(&self) -> Vec<String> {
        let made = self
            .report
            .mutations
            .iter()
            .filter(|it| !it.undo && it.result.is_ok());
        made.map(|it| it.function.clone()).collect()
    }

    /// How often the guest called this function.
    pub fn calls(&self, name: &str) -> usize {
        self.answers(name).len()
    }

    /// Arguments and answers of the guest's calls of this function.
    pub fn answers(&self, name: &str) -> Vec<(Value, Result<Value, Fault>)> {
        let outcome = |entry: &Entry| match &entry.record {
            Record::Outcome(it) if it.function == name && it.origin == Origin::Guest => {
                Some((it.arguments.clone(), it.result.clone()))
            }
            _ => None,
        };
        self.entries.iter().filter_map(outcome).collect()
    }

    /// The questions that were asked.
    pub fn questions(&self) -> Vec<String> {
        let question = |entry: &Entry| match &entry.record {
            Record::Question(question) => Some(question.question.clone()),
            _ => None,
        };
        self.entries.iter().filter_map(question).collect()
    }

    /// Commands of the reminders.
    pub fn commands(&self) -> Vec<String> {
        let command = |entry: &Entry| match &entry.record {
            Record::Reminder { command, .. } => Some(command.clone()),
            _ => None,
        };
        self.entries.iter().filter_map(command).collect()
    }

    /// Comments of the task, as they are in the lab.
    pub fn comments(&self) -> Vec<String> {
        self.answers("phabricator.comment")
            .into_iter()
            .filter(|(_, answer)| answer.is_ok())
            .filter_map(|(arguments, _)| Some(arguments.get("text")?.as_str()?.to_owned()))
            .collect()
    }

    /// Asks a system of the lab, after the run.
    #[track_caller]
    pub fn ask<T: DeserializeOwned>(&self, name: &str) -> Result<T, Fault> {
        self.ask_with(name, json!({}))
    }

    /// The same with arguments.
    #[track_caller]
    pub fn ask_with<T: DeserializeOwned>(&self, name: &str, arguments: Value) -> Result<T, Fault> {
        let function = function(name).unwrap_or_else(|| panic!("no function {name}"));
        let providers = self.lab.providers_for(&self.host, self.task.as_deref());
        let provider = providers.get(function.capability).unwrap();
        let call = Call::alone();
        match block_on(provider.perform(&call, function, &arguments))? {
            Polled::Ready(value) => Ok(serde_json::from_value(value).unwrap()),
            Polled::Pending { why, .. } => panic!("{name} is pending: {why}"),
        }
    }

    /// The machine as it is now.
    pub fn machine(&self) -> Machine {
        self.lab
            .look(|world| world.machine(&self.host).cloned())
            .unwrap()
    }

    /// Nothing that could hurt later is left: no DHCP entry, no boot override.
    #[track_caller]
    pub fn is_safe(&self) -> &Self {
        let published: Value = self.ask("dhcp.get-published").unwrap();
        assert_eq!(published, Value::Null, "a DHCP entry is left");
        let flags: Value = self.ask("ipmi.get-boot-flags").unwrap();
        assert_eq!(flags.get("device"), Some(&json!("None")), "{flags}");
        self
    }
}
