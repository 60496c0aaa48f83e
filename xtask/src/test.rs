//! All tests, or one part of them.

use crate::built::Built;
use crate::tally::Tally;
use crate::{apt, guests, inner, languages, repository, toolchain};
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A part of the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Each crate by itself, guests included
    Unit,
    /// The lab, and the command line with guests in the lab
    Lab,
    /// Guests in Rust, Python and JavaScript: made, built, run and compared
    Languages,
    /// Live providers against real servers
    Providers,
    /// A real virtual machine behind a real BMC
    Metal,
    /// The book, the README, and examples in the code
    Doc,
}

/// Needs a BMC, switches and a machine of its own: one test at a time, and its progress in sight.
const METAL_ARGUMENTS: [&str; 2] = ["--test-threads=1", "--nocapture"];

impl Part {
    fn name(self) -> &'static str {
        match self {
            Part::Unit => "unit",
            Part::Lab => "lab",
            Part::Languages => "languages",
            Part::Providers => "providers",
            Part::Metal => "metal",
            Part::Doc => "doc",
        }
    }

    /// The list of Debian packages that the part needs.
    fn packages(self) -> Option<&'static str> {
        match self {
            Part::Providers => Some("tests/providers/packages.txt"),
            Part::Metal => Some("tests/metal/packages.txt"),
            Part::Lab => Some("host/cli/tests/packages.txt"),
            Part::Unit => Some("host/live/tests/packages.txt"),
            Part::Languages | Part::Doc => None,
        }
    }

    /// Folders of the crates whose tests these are.
    fn crates(self) -> &'static [&'static str] {
        match self {
            Part::Unit => &[
                "facts",
                "host/capability",
                "host/composition",
                "host/journal",
                "host/engine",
                "host/kit",
                "host/live",
                "host/site",
                "tests/fuzz",
                "xtask",
            ],
            Part::Lab => &[
                "host/lab",
                "host/scenario",
                "host/runs",
                "host/cli",
                "tests/runbook",
                "tests/sweep",
            ],
            Part::Languages => &["tests/languages"],
            Part::Providers => &["tests/providers"],
            Part::Metal => &["tests/metal"],
            Part::Doc => &["tests/book"],
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Part::Metal => &METAL_ARGUMENTS,
            _ => &[],
        }
    }

    /// What is run by cargo and not from the workspace's test programs.
    fn cargo_commands(self) -> Vec<Command> {
        match self {
            Part::Unit => vec![guest(&[
                "--package=wreimage-sdk",
                "--package=reimage",
                "--lib",
            ])],
            Part::Doc => {
                let mut host = inner::cargo();
                host.args(["test", "--release", "--workspace", "--doc"]);
                vec![host, guest(&["--package=wreimage-sdk", "--doc"])]
            }
            Part::Lab | Part::Languages | Part::Providers | Part::Metal => Vec::new(),
        }
    }
}

/// The guests' own tests run on this machine, without WebAssembly.
fn guest(arguments: &[&str]) -> Command {
    let mut command = inner::cargo();
    command
        .args(["test", "--release", "--no-fail-fast"])
        .args(arguments);
    guests::natively(&mut command);
    command
}

/// What became of a part.
struct Line {
    part: Part,
    tally: Tally,
    /// Whether each of its commands succeeded.
    succeeded: bool,
    took: Duration,
}

/// Installs what is needed, builds everything and runs the tests; all parts when none is named.
///
/// # Errors
/// When something is missing, does not build, or fails; each part runs even if one before it has failed.
pub fn run(part: Option<Part>) -> Result<()> {
    let parts: Vec<Part> = part.map_or_else(|| Part::value_variants().to_vec(), |part| vec![part]);
    let mut wanted = packages(&parts)?;
    wanted.extend(toolchain::missing());
    let with_languages = parts.contains(&Part::Languages);
    if with_languages {
        wanted.extend(languages::missing());
    }
    apt::install(&wanted).context("the packages that the tests need")?;
    guests::build(true)?;
    if with_languages {
        languages::build()?;
    }
    let built = Built::tests()?;
    for test in &built.tests {
        if !Part::value_variants()
            .iter()
            .any(|part| part.crates().contains(&&*test.folder))
        {
            bail!(
                "the tests of {} belong to no part: add the folder to one in xtask/src/test.rs",
                test.folder
            );
        }
    }

    let mut lines = Vec::new();
    for part in parts {
        println!("\nxtask: tests: {}", part.name());
        lines.push(run_part(part, &built)?);
    }
    println!("\n{}", table(&lines));
    let bad: Vec<&str> = lines
        .iter()
        .filter(|line| !line.is_good())
        .map(|line| line.part.name())
        .collect();
    if !bad.is_empty() {
        bail!("not passed: {}", bad.join(", "));
    }
    Ok(())
}

/// What these parts need, each package once: whoever has to install it by hand gets one line for all of them.
fn packages(parts: &[Part]) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for list in parts.iter().filter_map(|part| part.packages()) {
        for package in apt::list(list)? {
            if !all.contains(&package) {
                all.push(package);
            }
        }
    }
    Ok(all)
}

fn run_part(part: Part, built: &Built) -> Result<Line> {
    let mut line = Line {
        part,
        tally: Tally::default(),
        succeeded: true,
        took: Duration::ZERO,
    };
    let began = Instant::now();
    let mut commands = built.commands(part.crates(), part.arguments());
    commands.extend(part.cargo_commands());
    for mut command in commands {
        println!("xtask: {}", inner::shown(&command));
        command.env("WREIMAGE_GUESTS", repository::components());
        command.envs(languages::environment());
        line.succeeded &= count(&mut command, &mut line.tally)?;
    }
    line.took = began.elapsed();
    Ok(line)
}

/// Runs tests in sight, counts them, and says whether they succeeded.
fn count(command: &mut Command, tally: &mut Tally) -> Result<bool> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", inner::shown(command)))?;
    let output = child.stdout.take().context("no standard output")?;
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("the output of the tests")?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        tally.add(&line);
    }
    Ok(child.wait()?.success())
}

impl Line {
    /// A part in which no test ran has shown nothing. Documentation may be without examples.
    fn is_good(&self) -> bool {
        self.succeeded
            && self.tally.failed == 0
            && (self.tally.passed > 0 || self.part == Part::Doc)
    }

    fn verdict(&self) -> &'static str {
        match self {
            line if line.is_good() => "ok",
            line if line.succeeded => "nothing ran",
            _ => "FAILED",
        }
    }
}

fn table(lines: &[Line]) -> String {
    let mut table = format!(
        "{:<10} {:>7} {:>7} {:>8} {:>9}  \n",
        "part", "passed", "failed", "ignored", "time"
    );
    for line in lines {
        table.push_str(&format!(
            "{:<10} {:>7} {:>7} {:>8} {:>7.1} s  {}\n",
            line.part.name(),
            line.tally.passed,
            line.tally.failed,
            line.tally.ignored,
            line.took.as_secs_f64(),
            line.verdict()
        ));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(passed: u32, failed: u32, succeeded: bool) -> Line {
        Line {
            part: Part::Unit,
            tally: Tally {
                passed,
                failed,
                ignored: 0,
            },
            succeeded,
            took: Duration::from_millis(1250),
        }
    }

    #[test]
    fn a_part_without_tests_is_not_good() {
        assert!(line(3, 0, true).is_good());
        assert!(!line(0, 0, true).is_good());
        assert!(!line(3, 1, true).is_good());
        // A test program that does not compile leaves no result.
        assert!(!line(3, 0, false).is_good());
    }

    #[test]
    fn the_packages_of_all_parts_are_one_list() {
        let all = packages(Part::value_variants()).unwrap();
        for part in [Part::Providers, Part::Metal] {
            let own = packages(&[part]).unwrap();
            assert!(!own.is_empty());
            assert!(own.iter().all(|package| all.contains(package)));
        }
        let once: std::collections::BTreeSet<&String> = all.iter().collect();
        assert_eq!(once.len(), all.len());
    }

    #[test]
    fn the_table_says_part_tests_and_time() {
        let text = table(&[line(3, 1, false)]);
        let row: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(row, ["unit", "3", "1", "0", "1.2", "s", "FAILED"]);
    }
}
