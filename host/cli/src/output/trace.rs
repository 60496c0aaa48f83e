//! Traces of the program itself, for whoever looks for a fault in it: spans of runs, calls and requests to providers, on stderr.

use crate::failure::Failure;
use crate::output::print;
use clap::ArgMatches;
use std::io::{self, Write};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// The variable of the environment that names what is traced, such as `wreimage_engine=debug`.
const VARIABLE: &str = "WREIMAGE_LOG";

/// The identifier of `-v`. A guest may have an option of any name, and no name is one of these.
pub const VERBOSITY: &str = "-v";

/// The crates of this repository that trace something.
const CRATES: [&str; 4] = [
    "wreimage",
    "wreimage_engine",
    "wreimage_live",
    "wreimage_runs",
];

/// Prints traces like everything else that people see: without secrets, and harmless.
struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        String::from_utf8_lossy(bytes).lines().for_each(print::line);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is traced: what the variable asks for, or else the level of so many `-v`. `None` when nobody asks.
///
/// # Errors
/// What is wrong with the variable.
fn filter(asked: Option<&str>, verbosity: u8) -> Result<Option<EnvFilter>, String> {
    if let Some(asked) = asked.filter(|it| !it.trim().is_empty()) {
        return EnvFilter::try_new(asked)
            .map(Some)
            .map_err(|error| format!("{VARIABLE}={asked}: {error}"));
    }
    let level = match verbosity {
        0 => return Ok(None),
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let directives: Vec<String> = CRATES.iter().map(|it| format!("{it}={level}")).collect();
    EnvFilter::try_new(directives.join(","))
        .map(Some)
        .map_err(|error| error.to_string())
}

/// Begins to trace what the arguments and the environment ask for. A span is printed when it ends, with the time that it took.
///
/// # Errors
/// A usage error: the variable of the environment is wrong.
pub fn start(matches: &ArgMatches) -> Result<(), Failure> {
    let asked = std::env::var(VARIABLE).ok();
    let filter = filter(asked.as_deref(), matches.get_count(VERBOSITY)).map_err(Failure::usage)?;
    if let Some(filter) = filter {
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_span_events(FmtSpan::CLOSE)
            .with_ansi(false)
            .with_writer(|| Stderr)
            .init();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::filter;

    #[test]
    fn the_variable_comes_before_the_option_and_nothing_is_traced_unasked() {
        assert!(filter(None, 0).unwrap().is_none());
        assert!(filter(Some(" "), 0).unwrap().is_none());
        let of = |asked, verbosity| filter(asked, verbosity).unwrap().unwrap().to_string();
        assert_eq!(of(Some("wreimage_live=debug"), 1), "wreimage_live=debug");
        assert!(of(None, 1).contains("wreimage_engine=info"));
        assert!(of(None, 2).contains("wreimage_engine=debug"));
        assert!(of(None, 9).contains("wreimage_engine=trace"));
        let wrong = filter(Some("wreimage=loud"), 0).unwrap_err();
        assert!(wrong.contains("WREIMAGE_LOG=wreimage=loud"), "{wrong}");
    }
}
