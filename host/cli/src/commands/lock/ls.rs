//! `wreimage lock ls`: the locks of this state folder and the leases of the site.

use crate::arguments::{Output, Place};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::print::{self, Page};
use crate::setup::backend::state_of;
use crate::setup::leases::{claims, leases};
use clap::Args;
use jiff::Timestamp;
use serde_json::json;
use wreimage_capability::lease::{ClaimState, ObservedClaim, judgement};
use wreimage_journal::{Held, Locks};
use wreimage_runs::RunStore;

/// `wreimage lock ls`.
#[derive(Debug, Clone, Args)]
pub struct Ls {
    #[command(flatten)]
    pub place: Place,
    /// The format
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORMAT")]
    pub output: Output,
}

/// `wreimage lock ls`.
pub async fn list(arguments: &Ls) -> Result<Exit, Failure> {
    let state = state_of(&arguments.place)?;
    let store = RunStore::new(&state);
    let held = Locks::open(&state)?.held()?;
    let lease = leases(&arguments.place)?;
    let (mut claims, unread) = claims(lease.as_ref()).await;
    claims.retain(|it| it.claim.state != ClaimState::Released);
    let mut text = Page::default();
    for lock in held {
        let standing = store.standing(&lock.run).map(|it| it.line());
        match arguments.output {
            Output::Json => text.json(&json!({ "lock": lock, "run": standing })),
            Output::Text => text.line(lock_line(&lock, &standing.unwrap_or_default())),
        }
    }
    for it in &claims {
        match arguments.output {
            Output::Json => text.json(&json!({ "lease": it })),
            Output::Text => text.line(lease_line(it)),
        }
    }
    if text.is_empty() && arguments.output == Output::Text {
        print::line(match unread {
            None => "no run holds a lock or a lease",
            Some(_) => "no run holds a lock of this state folder",
        });
    }
    if let Some(why) = unread {
        print::line(&format!("warning: {why}"));
    }
    print::page(&text)?;
    Ok(Exit::Success)
}

fn lock_line(lock: &Held, standing: &str) -> String {
    let since = i64::try_from(lock.since_ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .unwrap_or_default();
    format!(
        "lock  {:<24} {:<42} {:<10} on {:<16} since {} {:<6} {standing}",
        lock.name,
        lock.run,
        lock.actor,
        lock.controller,
        since.strftime("%Y-%m-%d %H:%M:%S"),
        lock.pulse,
    )
}

fn lease_line(it: &ObservedClaim) -> String {
    let claim = &it.claim;
    format!(
        "lease {:<24} {:<42} {:<10} on {:<16} phase {}, last heartbeat {} ago, {}",
        claim.host.fqdn,
        claim.run,
        claim.actor,
        claim.controller.name,
        if claim.phase.is_empty() {
            "unknown"
        } else {
            &claim.phase
        },
        judgement::seconds(it.age_ms),
        judgement::state(it)
    )
}
