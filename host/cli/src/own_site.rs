//! The site file by which a run or a batch is continued: it is always the operator's own, never one that the state folder
//! names, since colleagues can write there and a site file holds commands and grants. The records say of which site the run is
//! and by which file it was begun; another file is confirmed by the operator.

use crate::failure::Failure;
use crate::prompt::is_operator_there;
use crate::session::Session;
use crate::tell::{Page, Prompt, one_line};
use std::sync::atomic::Ordering;
use wreimage_runs::{RecordedSite, RunsError};

/// What is typed to continue.
const CONFIRMED: &str = "yes";

/// Checks that the operator's site is the one that is recorded for `what`, such as `run 2026…`; a file that differs is shown,
/// and confirmed at the terminal or with `--changed-site`.
///
/// # Errors
/// Another site is wrong usage. A difference that nobody can confirm now, or that is not confirmed, leaves `what` as it is.
pub async fn check(
    session: &Session,
    what: &str,
    recorded: &RecordedSite,
    own: &RecordedSite,
) -> Result<(), Failure> {
    if recorded.name != own.name {
        return Err(RunsError::OtherSite {
            what: what.to_owned(),
            recorded: recorded.name.clone(),
            own: own.name.clone(),
        }
        .into());
    }
    if recorded.digest == own.digest || session.changed_site.load(Ordering::SeqCst) {
        return Ok(());
    }
    let known = |site: &RecordedSite| site.digest.clone().unwrap_or_else(|| "unknown".to_owned());
    let mut difference = Page::default();
    difference.line(format!(
        "The site file of {} is not the one by which the {what} was begun; it applies as it is now.",
        own.name
    ));
    difference.line(format!("  recorded  sha256 {}", known(recorded)));
    difference.line(format!("  now       sha256 {}", known(own)));
    if !is_operator_there() {
        return Err(RunsError::ChangedSite {
            what: what.to_owned(),
            site: own.name.clone(),
            recorded: known(recorded),
            now: known(own),
        }
        .into());
    }
    let prompt = Prompt {
        above: difference,
        last: one_line(&format!("Type {CONFIRMED} to continue with it:")),
    };
    match session.keyboard.ask(&session.face, &prompt).await {
        Some(typed) if typed == CONFIRMED => {
            session.changed_site.store(true, Ordering::SeqCst);
            Ok(())
        }
        _ => Err(RunsError::ChangedSiteNotConfirmed(what.to_owned()).into()),
    }
}
