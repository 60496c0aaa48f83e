//! What must hold whatever goes wrong, in files that are shipped with a guest.

use crate::context::Context;
use crate::error::ScenarioError;
use crate::expression::Expression;
use crate::fault::known;
use crate::scenario::Scenario;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use wreimage_capability::Function;

/// Invariants of a guest, and the scenario that its sweep begins with.
#[derive(Debug, Clone, Default)]
pub struct Invariants {
    all: Vec<Invariant>,
    base: Option<Scenario>,
    /// Whether the commands that a failed run prints are played in a sweep.
    next_commands: bool,
}

#[derive(Debug, Clone)]
struct Invariant {
    name: String,
    moment: Moment,
    when: Option<Expression>,
    must: Expression,
    why: String,
    /// How often it was judged, in all runs.
    judged: Arc<AtomicU64>,
}

#[derive(Debug, Clone)]
enum Moment {
    /// At the end of a run that is not to be gone on with.
    End,
    /// Before each change.
    Changes,
    /// Before calls of these functions.
    Calls(BTreeSet<String>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, rename = "next-commands")]
    next_commands: bool,
    #[serde(default)]
    invariant: Vec<InvariantFile>,
    sweep: Option<toml::Table>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct InvariantFile {
    name: String,
    #[serde(default)]
    before: Option<Before>,
    when: Option<String>,
    must: String,
    #[serde(default)]
    why: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Before {
    Word(String),
    Functions(Vec<String>),
}

impl Invariants {
    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        let wrong = |what: String| ScenarioError::new(path, what);
        let text = std::fs::read_to_string(path)
            .map_err(|error| wrong(format!("it cannot be read: {error}")))?;
        let file: File = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let all = file
            .invariant
            .into_iter()
            .map(|it| {
                let name = it.name.clone();
                Invariant::check(it).map_err(|what| wrong(format!("invariant `{name}`: {what}")))
            })
            .collect::<Result<Vec<_>, _>>()?;
        if all.is_empty() {
            return Err(wrong("there is no [[invariant]] in it".to_owned()));
        }
        let base = match file.sweep {
            None => None,
            Some(table) => Some(Scenario::base_of_sweep(path, table)?),
        };
        Ok(Invariants {
            all,
            base,
            next_commands: file.next_commands,
        })
    }

    /// These, and those of another file. Its scenario to begin a sweep with takes the place of the present one.
    #[must_use]
    pub fn and(mut self, other: Invariants) -> Self {
        self.all.extend(other.all);
        self.base = other.base.or(self.base);
        self.next_commands |= other.next_commands;
        self
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Names of those that were never judged: no run came to their moment, or their `when` never held.
    pub fn never_judged(&self) -> Vec<&str> {
        self.all
            .iter()
            .filter(|it| it.judged.load(Ordering::Relaxed) == 0)
            .map(|it| it.name.as_str())
            .collect()
    }

    /// The scenario that the guest's sweep begins with.
    pub fn base(&self) -> Option<&Scenario> {
        self.base.as_ref()
    }

    /// Whether the commands that a failed run prints are played in a sweep.
    pub(crate) fn follows_commands(&self) -> bool {
        self.next_commands
    }

    /// Whether any is judged before such a call.
    pub(crate) fn looks_at(&self, function: &Function) -> bool {
        self.all.iter().any(|it| it.moment.is(function))
    }

    /// Those that do not hold before this call.
    pub(crate) fn broken_before(&self, function: &Function, context: &Context<'_>) -> Vec<String> {
        let judged = self.all.iter().filter(|it| it.moment.is(function));
        judged
            .filter_map(|it| it.broken(context))
            .map(|broken| format!("before {function}: {broken}"))
            .collect()
    }

    /// Those that do not hold at the end.
    pub(crate) fn broken_at_end(&self, context: &Context<'_>) -> Vec<String> {
        let judged = self
            .all
            .iter()
            .filter(|it| matches!(it.moment, Moment::End));
        judged.filter_map(|it| it.broken(context)).collect()
    }
}

impl Moment {
    fn is(&self, function: &Function) -> bool {
        match self {
            Moment::End => false,
            Moment::Changes => function.effect.mutates(),
            Moment::Calls(names) => names.contains(&function.to_string()),
        }
    }
}

impl Invariant {
    fn check(file: InvariantFile) -> Result<Self, String> {
        let moment = match file.before {
            None => Moment::End,
            Some(Before::Word(word)) if word == "changes" => Moment::Changes,
            Some(Before::Word(word)) => {
                return Err(format!(
                    "before is `changes` or a list of functions, not `{word}`"
                ));
            }
            Some(Before::Functions(names)) if names.is_empty() => {
                return Err("before: no function is named, so it would never be judged".to_owned());
            }
            Some(Before::Functions(names)) => {
                let names: Result<BTreeSet<String>, String> = names
                    .iter()
                    .map(|name| known(name).map(ToString::to_string))
                    .collect();
                Moment::Calls(names?)
            }
        };
        Ok(Invariant {
            name: file.name,
            moment,
            when: file.when.as_deref().map(Expression::parse).transpose()?,
            must: Expression::parse(&file.must)?,
            why: file.why,
            judged: Arc::default(),
        })
    }

    /// What is wrong, if it does not hold.
    fn broken(&self, context: &Context<'_>) -> Option<String> {
        let applies = match &self.when {
            Some(when) => when.holds(context),
            None => Ok(true),
        };
        let holds = match applies {
            Ok(true) => {
                self.judged.fetch_add(1, Ordering::Relaxed);
                self.must.holds(context)
            }
            other => other.map(|_| true),
        };
        let why = if self.why.is_empty() {
            String::new()
        } else {
            format!(" ({})", self.why)
        };
        match holds {
            Ok(true) => None,
            Ok(false) => Some(format!(
                "invariant `{}` is broken: {}{why}",
                self.name, self.must
            )),
            Err(error) => Some(format!("invariant `{}`: {error}", self.name)),
        }
    }
}
