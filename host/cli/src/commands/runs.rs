//! `wreimage runs`.

use crate::arguments::{Output, Runs};
use crate::exit::Exit;
use crate::face::words;
use crate::failure::Failure;
use crate::ground::state_of;
use crate::tell::{self, Page};
use jiff::Timestamp;
use serde_json::json;
use wreimage_runs::{RunStore, Standing, started_at};

/// `wreimage runs`.
pub fn runs(arguments: &Runs) -> Result<Exit, Failure> {
    let state = state_of(&arguments.place)?;
    let mut text = Page::default();
    for listed in RunStore::new(&state).list()? {
        let standing = match listed.standing {
            Ok(Some(standing)) => standing,
            Ok(None) => continue,
            Err(error) => {
                tell::line(&format!("warning: {error}"));
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
        tell::line(&format!("there are no runs in {}", state.display()));
    }
    tell::page(&text)?;
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

/// The step that it is in, and for whom or what it waits.
pub fn doing(standing: &Standing) -> String {
    let step = standing.step.as_deref().map(words::short);
    let waits = standing.waits_for.as_ref();
    let waits = waits.map(|whom| format!("waits for {whom}"));
    let both: Vec<String> = step.into_iter().chain(waits).collect();
    both.join("; ")
}
