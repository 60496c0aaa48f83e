//! What notices a mutant: scenarios that fail, and invariants that a case of a sweep breaks.

use super::mutant::{Broken, By, Mutant, OF_KIND};
use crate::repository;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Exit code of `wreimage test` when scenarios did not pass. Others say that nothing was shown.
const DID_NOT_PASS: i32 = 1;

/// A program and the guest that it plays, one of them with a mutation or neither. The guest has no invariants beside it,
/// so that a scenario is judged by what it expects itself.
pub struct Pair {
    /// `wreimage`.
    pub program: PathBuf,
    /// The component.
    pub guest: PathBuf,
}

/// Where the scenarios are.
pub fn scenarios() -> PathBuf {
    repository::root().join("tests").join("scenarios")
}

/// The file of a scenario.
pub fn scenario(name: &str) -> PathBuf {
    scenarios().join(format!("{name}.toml"))
}

/// The file of a scenario that is swept.
pub fn swept(name: &str) -> PathBuf {
    let folder = repository::root().join("tests").join("sweeps");
    folder.join(format!("{name}.toml"))
}

/// What must hold whatever goes wrong.
pub fn invariants() -> PathBuf {
    repository::guests().join("reimage").join("invariants.toml")
}

impl Pair {
    /// What does not notice the mutation of this pair, though the mutant says so.
    pub fn unnoticed(&self, mutant: &Mutant) -> Result<Vec<String>> {
        let mut unnoticed = Vec::new();
        for name in &mutant.scenarios {
            if !self.fails(name)? {
                unnoticed.push(name.clone());
            }
        }
        for broken in &mutant.broken {
            if !self.breaks(broken)? {
                unnoticed.push(format!("`{}` ({:?})", broken.invariant, broken.by));
            }
        }
        Ok(unnoticed)
    }

    /// Plays a scenario; whether it failed.
    pub fn fails(&self, name: &str) -> Result<bool> {
        Ok(self.test(&[&scenario(name)], &[])?.is_some())
    }

    /// Plays what must break an invariant; whether it, or the run of its sweep without a fault, has.
    pub fn breaks(&self, broken: &Broken) -> Result<bool> {
        let invariants = invariants();
        let mut arguments = vec!["--invariants".into(), invariants.to_string_lossy()];
        let scenario = match &broken.by {
            By::Scenario(name) => Some(scenario(name)),
            By::Case { scenario, case } => {
                arguments.push("--sweep".into());
                match case.strip_prefix(OF_KIND) {
                    Some(kind) => arguments.extend(["--kind".into(), kind.into()]),
                    None => arguments.extend(["--case".into(), case.into()]),
                }
                scenario.as_deref().map(swept)
            }
        };
        let scenarios: Vec<&Path> = scenario.iter().map(PathBuf::as_path).collect();
        let arguments: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
        let said = self.test(&scenarios, &arguments)?;
        let words = format!("invariant `{}` is broken", broken.invariant);
        Ok(said.is_some_and(|said| said.contains(&words)))
    }

    /// What was said of what did not pass; nothing when all passed.
    fn test(&self, scenarios: &[&Path], arguments: &[&str]) -> Result<Option<String>> {
        let output = Command::new(&self.program)
            .arg("test")
            .arg(&self.guest)
            .args(scenarios)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        match output.status.code() {
            Some(0) => Ok(None),
            Some(DID_NOT_PASS) => Ok(Some(String::from_utf8_lossy(&output.stdout).into_owned())),
            _ => bail!(
                "{scenarios:?} {arguments:?} could not be played: {}: {}",
                output.status,
                String::from_utf8_lossy(&output.stderr).trim()
            ),
        }
    }
}
