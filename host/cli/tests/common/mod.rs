//! Running `wreimage` as a user does, with folders of the test's own.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub mod kept;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Output;

/// The components that `cargo xtask guests --fixtures` makes.
pub fn guests() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/guests");
    let path = path.canonicalize().unwrap_or(path);
    assert!(
        path.join("reimage.wasm").is_file() && path.join("fixtures/traps.wasm").is_file(),
        "the guests are not built: run `cargo xtask guests --fixtures`"
    );
    path
}

/// A component that misbehaves.
pub fn fixture(name: &str) -> String {
    guests()
        .join("fixtures")
        .join(format!("{name}.wasm"))
        .display()
        .to_string()
}

/// A user with a home of their own.
pub struct User {
    pub home: tempfile::TempDir,
}

/// What a command did.
pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Done {
    fn of(output: &Output) -> Self {
        Done {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The events of `--output json`.
    pub fn events(&self) -> Vec<Value> {
        self.out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// All that was said.
    pub fn said(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    #[track_caller]
    pub fn ends_with(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, code, "{}", self.said());
        for word in words {
            assert!(
                self.said().contains(word),
                "`{word}` is not in:\n{}",
                self.said()
            );
        }
        assert!(
            !self.said().contains("panicked at host/"),
            "{}",
            self.said()
        );
        self
    }
}

impl User {
    pub fn new() -> Self {
        User {
            home: tempfile::tempdir().unwrap(),
        }
    }

    /// Runs `wreimage` with these arguments; stdin is empty and no terminal.
    pub fn wreimage(&self, arguments: &[&str]) -> Done {
        self.with(arguments, &[])
    }

    pub fn with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Done {
        let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_wreimage"));
        command
            .env_clear()
            .env("HOME", self.home.path())
            .env("USER", "tester")
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            // Compiled guests are shared by the tests: compiling is not what they are about.
            .env("XDG_CACHE_HOME", guests().join("../test-cache"))
            .env("WREIMAGE_GUESTS", guests())
            // A site file of this machine must not decide what the tests see.
            .current_dir(self.home.path())
            .timeout(std::time::Duration::from_secs(120))
            .args(arguments);
        for (name, value) in environment {
            command.env(name, value);
        }
        Done::of(&command.output().unwrap())
    }

    /// A reimage in the lab with consent.
    pub fn reimage(&self, host: &str, more: &[&str]) -> Done {
        let mut arguments = vec![
            "run", "reimage", "--lab", "--host", host, "--os", "bullseye", "--yes", host,
        ];
        arguments.extend(more);
        self.wreimage(&arguments)
    }

    /// The folders of this user's runs.
    pub fn runs(&self) -> Vec<PathBuf> {
        let folder = self.home.path().join(".local/state/wreimage/runs");
        let mut runs: Vec<PathBuf> = std::fs::read_dir(folder)
            .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
            .unwrap_or_default();
        runs.sort();
        runs
    }

    /// The records of a run, by its folder.
    pub fn records(&self, run: &Path) -> Vec<wreimage_journal::Entry> {
        let state = self.home.path().join(".local/state/wreimage");
        let id = run.file_name().unwrap().to_str().unwrap();
        wreimage_journal::read(&state, id).unwrap()
    }

    /// Writes a file into the user's home, for them alone, and returns its path.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.home.path().join(name);
        std::fs::write(&path, content).unwrap();
        let own = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&path, own).unwrap();
        path.display().to_string()
    }
}

/// Functions of the calls that could change something, in order, from events.
pub fn mutations(events: &[Value]) -> Vec<String> {
    events
        .iter()
        .filter(|event| event["event"] == "outcome")
        .filter(|event| event["effect"] == "write" || event["effect"] == "once")
        .map(|event| event["function"].as_str().unwrap().to_owned())
        .collect()
}
