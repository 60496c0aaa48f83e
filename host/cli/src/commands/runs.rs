//! `wreimage runs`.

use crate::arguments::Output;
use crate::arguments::Place;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::print::{self, Page};
use crate::output::words::doing;
use crate::setup::backend::state_of;
use clap::Args;
use jiff::Timestamp;
use serde_json::json;
use wreimage_runs::{RunStore, started_at};

/// `wreimage runs`.
#[derive(Debug, Clone, Args)]
pub struct Runs {
    #[command(flatten)]
    pub place: Place,
    /// The format
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORMAT")]
    pub output: Output,
}

/// `wreimage runs`.
pub fn runs(arguments: &Runs) -> Result<Exit, Failure> {
    let state = state_of(&arguments.place)?;
    let mut text = Page::default();
    for listed in RunStore::new(&state).list()? {
        let standing = match listed.standing {
            Ok(Some(standing)) => standing,
            Ok(None) => continue,
            Err(error) => {
                print::line(&format!("warning: {error}"));
                continue;
            }
        };
        match arguments.output {
            Output::Json => text.json(&json!(standing)),
            Output::Text => text.line(format!(
                "{:<42} {:<12} {:<10} {:<10} {:<10} {:<14} {:>8}  {}",
                standing.run,
                standing.host,
                standing.kind(),
                standing.state,
                standing.guest,
                standing.actor,
                age(&listed.run),
                doing(&standing)
            )),
        }
    }
    if text.is_empty() && arguments.output == Output::Text {
        print::line(&format!("there are no runs in {}", state.display()));
    }
    print::page(&text)?;
    Ok(Exit::Success)
}

/// For how long a run has been there, by its id.
fn age(run: &str) -> String {
    let Some(began) = started_at(run) else {
        return String::new();
    };
    let minutes = Timestamp::now().duration_since(began).as_mins().max(0);
    match (minutes / (24 * 60), minutes / 60) {
        (0, 0) => format!("{minutes} min"),
        (0, hours) => format!("{hours} h"),
        (days, _) => format!("{days} d"),
    }
}
