//! Running guests of three languages as their authors do: by the program.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A guest that `cargo xtask test languages` has built.
pub fn guest(name: &str) -> String {
    let path = root().join("target/guests").join(name);
    let path = path.with_extension("wasm");
    assert!(
        path.is_file(),
        "{} is not built: run `cargo xtask guests --fixtures --languages`",
        path.display()
    );
    path.display().to_string()
}

/// The repository.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    here.canonicalize().unwrap()
}

/// What a command did.
#[derive(Debug)]
pub struct Done {
    /// Its exit code.
    pub code: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Done {
    /// The events of `--output json`.
    pub fn events(&self) -> Vec<Value> {
        let lines = self.out.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// All that was said.
    pub fn said(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    /// Fails unless it ended with that code and said all of this.
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
        self
    }
}

/// A user with a home of their own.
#[derive(Debug)]
pub struct User {
    /// Their home.
    pub home: tempfile::TempDir,
}

impl Default for User {
    fn default() -> Self {
        User::new()
    }
}

impl User {
    /// A new one.
    pub fn new() -> Self {
        User {
            home: tempfile::tempdir().unwrap(),
        }
    }

    /// Runs `wreimage` in the user's home; standard input is empty.
    pub fn wreimage(&self, arguments: &[&str]) -> Done {
        self.with(arguments, &[])
    }

    /// The same with more in the environment.
    pub fn with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Done {
        let output = self.command(arguments, environment).output().unwrap();
        Done {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The command, not started.
    pub fn command(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
        let program = root().join("target/release/wreimage");
        let mut command = Command::new(program);
        command
            .env("HOME", self.home.path())
            .env("USER", "tester")
            .env_remove("XDG_STATE_HOME")
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("WREIMAGE_SITE")
            // Compiled guests are shared by the tests: compiling is not what they are about.
            .env("XDG_CACHE_HOME", root().join("target/test-cache"))
            // What cargo knows of crates is that of the user who runs the tests.
            .env("CARGO_HOME", below_home("CARGO_HOME", ".cargo"))
            .env("RUSTUP_HOME", below_home("RUSTUP_HOME", ".rustup"))
            .current_dir(self.home.path())
            .args(arguments)
            .stdin(Stdio::null());
        for (name, value) in environment {
            command.env(name, value);
        }
        command
    }

    /// Runs a guest in the lab on host1001, with consent and events on standard output.
    pub fn run(&self, guest: &str, more: &[&str]) -> Done {
        self.run_in("--lab", guest, more)
    }

    /// The same in this lab, an option of `wreimage run`.
    pub fn run_in(&self, lab: &str, guest: &str, more: &[&str]) -> Done {
        let fixed = [
            "run", guest, lab, "--host", "host1001", "--yes", "host1001", "--output", "json",
        ];
        self.wreimage(&[&fixed[..], more].concat())
    }
}

fn below_home(variable: &str, folder: &str) -> PathBuf {
    let named = std::env::var_os(variable).map(PathBuf::from);
    named.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(folder))
}
