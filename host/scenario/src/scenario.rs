//! A scenario that has been read and checked, as far as that is possible without the guest.

use crate::error::ScenarioError;
use crate::expect::Expect;
use crate::fault::Rule;
use crate::file::{AnswerFile, EarlierFile, FaultFile, File, OnFailureFile, RunFile};
use crate::find::{name_of, snapshot_of};
use std::path::{Path, PathBuf};
use toml::{Table, Value};
use wreimage_capability::capability;
use wreimage_engine::Absent;
use wreimage_journal::{OnFailure, RunOutcome, UnknownOutcome};
use wreimage_lab::{BUILTIN, World};

/// Something to play.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its file.
    pub path: PathBuf,
    /// Its name: that of its folder or file.
    pub name: String,
    /// What it is about, in one sentence.
    pub summary: String,
    /// The host.
    pub host: String,
    /// What must hold.
    pub expect: Expect,
    pub(crate) world: World,
    pub(crate) options: Vec<(String, String)>,
    pub(crate) dry_run: bool,
    pub(crate) on_failure: OnFailure,
    pub(crate) actor: String,
    pub(crate) consent: bool,
    pub(crate) absent: Absent,
    pub(crate) earlier: Vec<Earlier>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) answers: Vec<AnswerFile>,
}

/// A run that is made before, in the same world.
#[derive(Debug, Clone)]
pub(crate) struct Earlier {
    pub options: Vec<(String, String)>,
    pub rules: Vec<Rule>,
    pub answers: Vec<AnswerFile>,
    pub outcome: RunOutcome,
}

impl Scenario {
    /// Reads a scenario file.
    ///
    /// # Errors
    /// What is wrong with it. One that expects nothing is wrong: it would prove nothing.
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ScenarioError::new(path, format!("it cannot be read: {error}")))?;
        let scenario = Self::parse(path, &text)?;
        if scenario.expect.is_empty() && !scenario.snapshot().exists() {
            return Err(ScenarioError::new(
                path,
                "it expects nothing, so it would prove nothing: give an [expect]",
            ));
        }
        Ok(scenario)
    }

    /// Checks the text of a scenario file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ScenarioError> {
        let file: File =
            toml::from_str(text).map_err(|error| ScenarioError::new(path, error.to_string()))?;
        Self::check(path, file)
    }

    /// The scenario of a sweep, which expects nothing itself.
    pub(crate) fn base_of_sweep(path: &Path, table: Table) -> Result<Self, ScenarioError> {
        let file: File = table
            .try_into()
            .map_err(|error| ScenarioError::new(path, format!("[sweep]: {error}")))?;
        let mut scenario = Self::check(path, file)?;
        "defaults".clone_into(&mut scenario.name);
        Ok(scenario)
    }

    /// Where the snapshot of its journal is, if it has one.
    pub fn snapshot(&self) -> PathBuf {
        snapshot_of(&self.path)
    }

    fn check(path: &Path, file: File) -> Result<Self, ScenarioError> {
        let wrong = |what: String| ScenarioError::new(path, what);
        let world = world(path, file.base_world.as_deref(), file.world)?;
        let host = world.situation(&file.host, None).ok_or_else(|| {
            let hosts = world.machines().map(|it| it.name.as_str());
            wrong(format!(
                "there is no host `{}` in its world; {}",
                file.host,
                crate::error::suggestion(&file.host, hosts)
            ))
        })?;
        file.expect.check(&host).map_err(wrong)?;
        let RunFile {
            dry_run,
            on_failure,
            actor,
            consent,
            absent,
        } = file.run;
        for name in &absent {
            if capability(name).is_none() {
                return Err(wrong(format!(
                    "absent: there is no capability `{name}`; {}",
                    crate::error::suggestion(
                        name,
                        wreimage_capability::ALL.iter().map(|it| it.name)
                    )
                )));
            }
        }
        Ok(Scenario {
            name: name_of(path),
            path: path.to_owned(),
            summary: file.summary,
            host: file.host,
            expect: file.expect,
            world,
            options: options(&file.options).map_err(wrong)?,
            dry_run,
            on_failure: match on_failure {
                OnFailureFile::Undo => OnFailure::Undo,
                OnFailureFile::Ask => OnFailure::Ask,
                OnFailureFile::Pause => OnFailure::Pause,
            },
            actor,
            consent,
            absent: absent.into_iter().collect(),
            earlier: file
                .earlier
                .iter()
                .map(|it| Earlier::check(it).map_err(wrong))
                .collect::<Result<_, _>>()?,
            rules: rules(&file.fault).map_err(wrong)?,
            answers: file.answer,
        })
    }
}

impl Earlier {
    fn check(file: &EarlierFile) -> Result<Self, String> {
        Ok(Earlier {
            options: options(&file.options)?,
            rules: rules(&file.fault)?,
            answers: file.answer.clone(),
            outcome: outcome(&file.outcome)?,
        })
    }
}

/// An outcome by word.
pub(crate) fn outcome(word: &str) -> Result<RunOutcome, String> {
    word.parse().map_err(|error: UnknownOutcome| {
        let all = RunOutcome::ALL.map(RunOutcome::word);
        format!("{error}; {}", crate::error::suggestion(word, all))
    })
}

fn rules(files: &[FaultFile]) -> Result<Vec<Rule>, String> {
    files.iter().map(Rule::check).collect()
}

/// The world of the file, or the built-in one, with tables laid over it.
fn world(path: &Path, base: Option<&Path>, changes: Table) -> Result<World, ScenarioError> {
    let wrong = |what: String| ScenarioError::new(path, what);
    let text = match base {
        None => BUILTIN.to_owned(),
        Some(base) => {
            let beside = path.parent().unwrap_or(Path::new("")).join(base);
            std::fs::read_to_string(&beside).map_err(|error| {
                wrong(format!(
                    "base-world: {} cannot be read: {error}",
                    beside.display()
                ))
            })?
        }
    };
    let mut table: Table = text
        .parse()
        .map_err(|error| wrong(format!("base-world: {error}")))?;
    merge(&mut table, changes);
    World::parse(&table.to_string()).map_err(|error| {
        wrong(match error {
            // The line would be that of the two together.
            wreimage_lab::WorldError::File { key, message, .. } => {
                format!("world: {key}: {message}")
            }
            other => format!("world: {other}"),
        })
    })
}

/// Tables are laid over tables, everything else takes the place of what is there.
fn merge(onto: &mut Table, changes: Table) {
    for (key, value) in changes {
        match (onto.get_mut(&key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => merge(under, over),
            (_, value) => {
                onto.insert(key, value);
            }
        }
    }
}

/// Options of the guest, as a person would give them.
fn options(table: &Table) -> Result<Vec<(String, String)>, String> {
    let text = |name: &str, value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Boolean(toggle) => Ok(toggle.to_string()),
        _ => Err(format!(
            "options.{name}: a text, a number, true or false, or a list of texts"
        )),
    };
    table
        .iter()
        .map(|(name, value)| {
            let given = match value {
                Value::Array(list) => list
                    .iter()
                    .map(|item| text(name, item))
                    .collect::<Result<Vec<_>, _>>()?
                    .join(","),
                other => text(name, other)?,
            };
            Ok((name.clone(), given))
        })
        .collect()
}
