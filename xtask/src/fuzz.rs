//! Fuzzing: builds the programs of `fuzz/` with the counters of libFuzzer, and runs them for a time.
//!
//! The installed toolchain does: counters are an ordinary pass of its compiler. `fuzz/instrument` puts them into the crates that read
//! input from outside. The working corpus and what was found lie under `target/fuzz-work`, so a later run continues from there.

mod corpus;

use crate::{guests, inner, repository};
use anyhow::{Context, Result, bail};
use corpus::Corpus;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// An input that takes longer is a finding, in seconds.
const LONGEST: u32 = 20;
/// A target that takes more memory is a finding, in MiB.
const MEMORY: u32 = 2048;
/// The largest input that is tried, in bytes.
const LARGEST: u32 = 16 << 10;

/// Files of the repository that are good inputs: targets, and the files or folders.
const MORE_SEEDS: [(&str, &str); 4] = [
    ("replay", "host/journal/tests/golden"),
    ("scenario", "tests/scenarios"),
    ("site", "host/site/example-site.toml"),
    ("world", "host/lab/worlds"),
];

/// What to fuzz, and for how long.
#[derive(Debug, clap::Args)]
pub struct Fuzz {
    /// A target of fuzz/fuzz_targets; all of them, one after the other, when none is named
    target: Option<String>,
    /// How long each target runs
    #[arg(long, value_name = "N", default_value = "60")]
    seconds: u32,
    /// Copy the inputs that reach something new, smallest first, into the corpus of the repository
    #[arg(long)]
    keep: bool,
}

/// What became of a target.
struct Ran {
    name: String,
    executions: u64,
    inputs: usize,
    failures: Vec<PathBuf>,
    succeeded: bool,
}

/// Builds the targets and runs them.
///
/// # Errors
/// When something cannot be built, or a target found an input that is not handled: names its file.
pub fn run(fuzz: &Fuzz) -> Result<()> {
    let names = chosen(fuzz.target.as_deref())?;
    // Targets of components change components that are built here.
    guests::build(true)?;
    build(&names)?;
    let mut all = Vec::new();
    for name in &names {
        let target = Target::new(name)?;
        if fuzz.seconds > 0 {
            println!("\nxtask: fuzz: {name}, {} s", fuzz.seconds);
            all.push(target.run(fuzz.seconds)?);
        }
        if fuzz.keep {
            target.keep()?;
        }
    }
    println!("\n{}", table(&all));
    let found: Vec<String> = all
        .iter()
        .flat_map(|ran| &ran.failures)
        .map(|file| file.display().to_string())
        .collect();
    if !found.is_empty() {
        bail!(
            "inputs that are not handled: {}. Copy each into fuzz/corpus/TARGET when its cause is mended, one that is no text as \
             hexadecimal digits (`xxd -p FILE > NAME.hex`): `cargo xtask test unit` replays it",
            found.join(", ")
        );
    }
    let failed: Vec<&str> = all
        .iter()
        .filter(|ran| !ran.succeeded)
        .map(|ran| ran.name.as_str())
        .collect();
    if !failed.is_empty() {
        bail!(
            "targets that ended without their time: {}",
            failed.join(", ")
        );
    }
    Ok(())
}

/// The names of all targets.
///
/// # Errors
/// When they cannot be listed.
pub fn targets() -> Result<Vec<String>> {
    chosen(None)
}

/// Runs these targets for so many seconds each.
///
/// # Errors
/// As [`run`].
pub fn run_all(names: &[String], seconds: u32) -> Result<()> {
    names.iter().try_for_each(|name| {
        run(&Fuzz {
            target: Some(name.clone()),
            seconds,
            keep: false,
        })
    })
}

fn folder() -> PathBuf {
    repository::root().join("fuzz")
}

/// Target directory of the programs: their code has counters.
fn built() -> PathBuf {
    repository::root().join("target").join("fuzz")
}

/// The named target, or all.
fn chosen(wanted: Option<&str>) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let sources = folder().join("fuzz_targets");
    let listing =
        fs::read_dir(&sources).with_context(|| format!("cannot read {}", sources.display()))?;
    for entry in listing {
        let path = entry?.path();
        names.extend(path.file_stem().map(|it| it.to_string_lossy().into_owned()));
    }
    names.sort();
    if let Some(wanted) = wanted {
        if !names.iter().any(|name| name == wanted) {
            bail!(
                "there is no target `{wanted}`; there are {}",
                names.join(", ")
            );
        }
        names.retain(|name| name == wanted);
    }
    Ok(names)
}

fn build(names: &[String]) -> Result<()> {
    let mut command = inner::cargo();
    command
        .args(["build", "--release", "--manifest-path", "fuzz/Cargo.toml"])
        .arg("--target-dir")
        .arg(built())
        .env("RUSTC_WRAPPER", folder().join("instrument"))
        .env_remove("RUSTFLAGS");
    for name in names {
        command.args(["--bin", name]);
    }
    println!("xtask: {}", inner::shown(&command));
    inner::run(&mut command)
}

/// A target and its folders.
struct Target {
    name: String,
    program: PathBuf,
    /// Inputs that earlier runs found worth keeping.
    work: PathBuf,
    /// Inputs that were not handled.
    failures: PathBuf,
    /// The corpus of the repository.
    corpus: Corpus,
}

impl Target {
    fn new(name: &str) -> Result<Self> {
        let work = repository::root()
            .join("target")
            .join("fuzz-work")
            .join(name);
        let target = Target {
            name: name.to_owned(),
            program: built().join("release").join(name),
            failures: work.join("failures"),
            corpus: Corpus::decode(folder().join("corpus").join(name), work.join("kept"))?,
            work: work.join("corpus"),
        };
        for folder in [&target.work, &target.failures] {
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot create {}", folder.display()))?;
        }
        for (_, path) in MORE_SEEDS.iter().filter(|(of, _)| *of == name) {
            target.add_seeds(&repository::root().join(path))?;
        }
        Ok(target)
    }

    /// Copies the files at a path into the working corpus.
    fn add_seeds(&self, path: &Path) -> Result<()> {
        let files = if path.is_dir() {
            listing(path)?
        } else {
            vec![path.to_owned()]
        };
        for file in files.iter().filter(|it| it.is_file()) {
            let copy = self.work.join(file.file_name().unwrap_or_default());
            fs::copy(file, &copy).with_context(|| format!("cannot copy {}", file.display()))?;
        }
        Ok(())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .current_dir(repository::root())
            .env("WREIMAGE_GUESTS", repository::components())
            .arg(format!("-artifact_prefix={}/", self.failures.display()))
            .arg(format!("-timeout={LONGEST}"))
            .arg(format!("-rss_limit_mb={MEMORY}"))
            .arg(format!("-max_len={LARGEST}"));
        command
    }

    /// Runs it, shows what it prints, and counts.
    fn run(&self, seconds: u32) -> Result<Ran> {
        let before = listing(&self.failures)?;
        let mut command = self.command();
        command
            .arg(format!("-max_total_time={seconds}"))
            .arg("-print_final_stats=1")
            .arg(&self.work)
            .arg(self.corpus.bytes())
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {}", inner::shown(&command)))?;
        let output = child.stderr.take().context("no standard error")?;
        let mut executions = 0;
        for line in BufReader::new(output).split(b'\n') {
            let line = line.context("the output of the target")?;
            let line = String::from_utf8_lossy(&line);
            if let Some(count) = line.strip_prefix("stat::number_of_executed_units:") {
                executions = count.trim().parse().unwrap_or(0);
            }
            // One line for each input that reaches something new is too much.
            if !line.contains("\tNEW ") && !line.contains("\tREDUCE ") {
                println!("{line}");
            }
        }
        let succeeded = child.wait()?.success();
        let mut failures = listing(&self.failures)?;
        failures.retain(|file| !before.contains(file));
        Ok(Ran {
            name: self.name.clone(),
            executions,
            inputs: listing(&self.work)?.len(),
            failures,
            succeeded,
        })
    }

    /// Adds to the corpus of the repository what it does not reach yet.
    fn keep(&self) -> Result<()> {
        self.corpus.add(|bytes| {
            let mut command = self.command();
            command.arg("-merge=1").arg(bytes).arg(&self.work);
            println!("xtask: {}", inner::shown(&command));
            inner::run(&mut command)
        })
    }
}

fn listing(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files = entries
        .map(|entry| entry.map(|it| it.path()))
        .collect::<Result<Vec<PathBuf>, _>>()?;
    files.sort();
    Ok(files)
}

fn table(all: &[Ran]) -> String {
    let mut table = format!(
        "{:<12} {:>12} {:>8} {:>9}\n",
        "target", "executions", "inputs", "findings"
    );
    for ran in all {
        table.push_str(&format!(
            "{:<12} {:>12} {:>8} {:>9}\n",
            ran.name,
            ran.executions,
            ran.inputs,
            ran.failures.len()
        ));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_chosen_by_its_name() {
        let all = chosen(None).unwrap();
        assert!(all.len() > 1);
        assert_eq!(chosen(Some("hosts")).unwrap(), ["hosts"]);
        let error = chosen(Some("no-such-target")).unwrap_err().to_string();
        assert!(error.contains("hosts"), "{error}");
    }

    #[test]
    fn the_table_has_a_line_for_each_target() {
        let ran = Ran {
            name: "hosts".to_owned(),
            executions: 12,
            inputs: 3,
            failures: vec![PathBuf::from("x")],
            succeeded: false,
        };
        let text = table(&[ran]);
        assert_eq!(text.lines().count(), 2);
        assert!(
            text.ends_with("hosts                  12        3         1\n"),
            "{text}"
        );
    }
}
