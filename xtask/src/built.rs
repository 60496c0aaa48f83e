//! The programs of the host's workspace.
//!
//! They are always built for the whole workspace and then run one by one: cargo chooses the features of shared
//! dependencies by the crates that a command names, and would compile wasmtime again for every other choice.

use crate::{inner, repository};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program of tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// Folder of its crate, relative to the root.
    pub folder: String,
    /// The program.
    pub program: PathBuf,
}

/// What a build of all tests has left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Built {
    /// The programs of tests.
    pub tests: Vec<Test>,
    /// The workspace's ordinary programs by name, which tests start.
    programs: Vec<(String, PathBuf)>,
}

impl Built {
    /// Builds the programs of the whole workspace.
    ///
    /// # Errors
    /// When something does not compile.
    pub fn programs() -> Result<Self> {
        Built::build(&["build"])
    }

    /// Builds the programs and the tests of the whole workspace.
    ///
    /// # Errors
    /// When something does not compile.
    pub fn tests() -> Result<Self> {
        Built::build(&["test", "--no-run"])
    }

    fn build(arguments: &[&str]) -> Result<Self> {
        let mut command = inner::cargo();
        command
            .args(arguments)
            .args(["--release", "--workspace"])
            .arg("--message-format=json-render-diagnostics")
            .stdout(Stdio::piped());
        println!("xtask: {}", inner::shown(&command));
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {}", inner::shown(&command)))?;
        let messages = child.stdout.take().context("no standard output")?;
        let mut built = Built::default();
        for message in BufReader::new(messages).lines() {
            built.add(&message.context("cargo's messages")?, repository::root());
        }
        let status = child.wait()?;
        if !status.success() {
            bail!("the host does not compile: {status}");
        }
        Ok(built)
    }

    /// Notes the program that one of cargo's messages tells of, if it does.
    fn add(&mut self, message: &str, root: &Path) {
        let Ok(message) = serde_json::from_str::<Value>(message) else {
            return;
        };
        let text = |path: &str| message.pointer(path).and_then(Value::as_str);
        let (Some(program), Some(manifest)) = (text("/executable"), text("/manifest_path")) else {
            return;
        };
        let program = PathBuf::from(program);
        if message.pointer("/profile/test") == Some(&Value::Bool(true)) {
            let folder = Path::new(manifest).parent().unwrap_or(root);
            let folder = folder.strip_prefix(root).unwrap_or(folder);
            self.tests.push(Test {
                folder: folder.to_string_lossy().into_owned(),
                program,
            });
        } else if let Some(name) = text("/target/name") {
            self.programs.push((name.to_owned(), program));
        }
    }

    /// An ordinary program.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn program(&self, name: &str) -> Result<&Path> {
        self.programs
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, program)| program.as_path())
            .with_context(|| format!("the workspace has no program `{name}`"))
    }

    /// Commands that run the tests of these crates, in the folder of each as cargo does it.
    pub fn commands(&self, folders: &[&str], arguments: &[&str]) -> Vec<Command> {
        self.tests
            .iter()
            .filter(|test| folders.contains(&&*test.folder))
            .map(|test| {
                let folder = repository::root().join(&test.folder);
                let mut command = Command::new(&test.program);
                command
                    .args(arguments)
                    .current_dir(&folder)
                    .env("CARGO_MANIFEST_DIR", &folder);
                for (name, program) in &self.programs {
                    command.env(format!("CARGO_BIN_EXE_{name}"), program);
                }
                command
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_and_programs_are_told_apart() {
        let mut built = Built::default();
        for message in [
            r#"{"reason":"build-script-executed","package_id":"p"}"#,
            r#"{"reason":"compiler-artifact","manifest_path":"/r/host/cli/Cargo.toml","target":{"name":"wreimage"},
                "profile":{"test":false},"executable":"/r/target/release/wreimage"}"#,
            r#"{"reason":"compiler-artifact","manifest_path":"/r/host/cli/Cargo.toml","target":{"name":"runs"},
                "profile":{"test":true},"executable":"/r/target/release/deps/runs-1"}"#,
            r#"{"reason":"compiler-artifact","manifest_path":"/c/libc/Cargo.toml","target":{"name":"libc"},
                "profile":{"test":false},"executable":null}"#,
            r#"{"reason":"build-finished","success":true}"#,
        ] {
            built.add(message, Path::new("/r"));
        }
        let expected = Built {
            tests: vec![Test {
                folder: "host/cli".to_owned(),
                program: PathBuf::from("/r/target/release/deps/runs-1"),
            }],
            programs: vec![(
                "wreimage".to_owned(),
                PathBuf::from("/r/target/release/wreimage"),
            )],
        };
        assert_eq!(built, expected);
    }

    #[test]
    fn a_test_runs_in_the_folder_of_its_crate() {
        let built = Built {
            tests: vec![Test {
                folder: "xtask".to_owned(),
                program: PathBuf::from("/t"),
            }],
            programs: Vec::new(),
        };
        assert!(built.commands(&["host/cli"], &[]).is_empty());
        let commands = built.commands(&["xtask"], &["--nocapture"]);
        let folder = commands
            .first()
            .and_then(|command| command.get_current_dir());
        assert_eq!(folder, Some(repository::root().join("xtask").as_path()));
    }
}
