//! A fresh folder in which a page's commands are run.

use crate::root;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A command of the book that takes longer hangs. The longest compiles a standard library for WebAssembly.
const DEADLINE: Duration = Duration::from_secs(900);

/// The folder is home and current folder of the commands.
pub struct Place {
    folder: TempDir,
}

/// Where the program that is tested lies: beside the tests, where cargo built it for this workspace.
pub fn programs() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let programs = test.ancestors().nth(2).unwrap().to_owned();
    let program = programs.join("wreimage");
    assert!(program.exists(), "{} is not built", program.display());
    programs
}

impl Place {
    /// An empty one.
    #[allow(clippy::new_without_default)] // it makes a folder
    pub fn new() -> Self {
        Place {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Leaves a file there.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    /// The line with the word `RUN` replaced by the id of the last run.
    pub fn filled_in(&self, line: &str) -> String {
        let words = |line: &str| line.split(' ').any(|word| word == "RUN");
        if !words(line) {
            return line.to_owned();
        }
        let runs = self.path().join(".local/state/wreimage/runs");
        let last = std::fs::read_dir(&runs)
            .unwrap_or_else(|error| panic!("`{line}` stands before the first run: {error}"))
            .map(|entry| entry.unwrap())
            .max_by_key(|entry| entry.metadata().unwrap().created().unwrap());
        let id = last.unwrap().file_name().into_string().unwrap();
        let filled = line
            .split(' ')
            .map(|word| if word == "RUN" { &id } else { word });
        filled.collect::<Vec<_>>().join(" ")
    }

    /// Runs a line by the shell, with nobody at the terminal.
    pub fn run(&self, line: &str) -> Output {
        let path = std::env::var("PATH").unwrap();
        let root = root();
        let (out, error) = (self.path().join(".out"), self.path().join(".error"));
        let mut command = Command::new("timeout");
        // The toolchain of whoever runs the tests, which lies in another home.
        if let Some(home) = std::env::var_os("HOME").map(PathBuf::from) {
            for (key, folder) in [("RUSTUP_HOME", ".rustup"), ("CARGO_HOME", ".cargo")] {
                if std::env::var_os(key).is_none() {
                    command.env(key, home.join(folder));
                }
            }
        }
        let mut child = command
            .args([
                "--kill-after=5",
                &DEADLINE.as_secs().to_string(),
                "sh",
                "-c",
                line,
            ])
            .current_dir(self.path())
            .env("HOME", self.path())
            .env("PATH", format!("{}:{path}", programs().display()))
            .env("WREIMAGE_GUESTS", root.join("target/guests"))
            .env("CARGO_TARGET_DIR", root.join("target/book"))
            // A guest is compiled once for all pages.
            .env("XDG_CACHE_HOME", root.join("target/test-cache"))
            .env_remove("WREIMAGE_SITE")
            .env_remove("XDG_STATE_HOME")
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_DATA_HOME")
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(&out).unwrap())
            .stderr(std::fs::File::create(&error).unwrap())
            .spawn()
            .unwrap();
        let began = Instant::now();
        let status = child.wait().unwrap();
        println!("  {:>6.1} s  {line}", began.elapsed().as_secs_f64());
        Output {
            status,
            stdout: std::fs::read(out).unwrap(),
            stderr: std::fs::read(error).unwrap(),
        }
    }

    /// Runs a line that must end with this exit code.
    ///
    /// # Errors
    /// What it said when it ended otherwise.
    pub fn must(&self, line: &str, code: i32) -> Result<(), String> {
        let output = self.run(line);
        if output.status.code() == Some(code) {
            return Ok(());
        }
        Err(format!(
            "`{line}` ended with {}, not {code}:\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ))
    }
}
