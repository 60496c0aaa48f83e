//! The locks of this state folder and the leases on the install server: `wreimage lock ls` and `wreimage lock init`.

use crate::arguments::{InitLease, Output, Place, Runs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::ground::{self, state_of};
use crate::tell::{self, Page};
use jiff::Timestamp;
use serde_json::json;
use std::sync::Arc;
use wreimage_capability::lease::{ClaimState, Lease, ObservedClaim, judgement};
use wreimage_journal::{Held, Locks};
use wreimage_lab::{Lab, Pace};
use wreimage_runs::{Backend, RunStore};

/// Where the leases of a place are, to be read: without the ownership of a lab's world, which a run may have. `None` where
/// there are none.
pub fn leases(place: &Place) -> Result<Option<Arc<dyn Lease>>, Failure> {
    if let Some(folder) = &place.world {
        let seen = Lab::seen(folder)?;
        return Ok(seen.map(|lab| -> Arc<dyn Lease> { lab.lease() }));
    }
    if place.lab.is_none()
        && let Some(path) = place.site.clone().or_else(files::site_file)
    {
        return Ok(ground::load_site(&path)?.lease());
    }
    Ok(None)
}

/// The claims of a place, or why they could not be read: whether there are any is not known then.
pub async fn claims(lease: Option<&Arc<dyn Lease>>) -> (Vec<ObservedClaim>, Option<String>) {
    let Some(lease) = lease else {
        return (Vec::new(), None);
    };
    match lease.list().await {
        Ok(there) => (there.claims, None),
        Err(error) => {
            let why = format!(
                "the leases on {} could not be read: {error}",
                lease.system()
            );
            (Vec::new(), Some(why))
        }
    }
}

/// `wreimage lock ls`.
pub async fn list(arguments: &Runs) -> Result<Exit, Failure> {
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
        tell::line(match unread {
            None => "no run holds a lock or a lease",
            Some(_) => "no run holds a lock of this state folder",
        });
    }
    if let Some(why) = unread {
        tell::line(&format!("warning: {why}"));
    }
    tell::page(&text)?;
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

/// `wreimage lock init`.
pub async fn init(arguments: &InitLease) -> Result<Exit, Failure> {
    let ground = ground::open(&arguments.place, Pace::Full).await?;
    let done = match &ground {
        Backend::Lab { kept: None, .. } => Err(Failure::usage(
            "this lab is not kept: name its folder with --world DIR, or a site file with --site FILE",
        )),
        Backend::Lab {
            kept: Some((lab, _)),
            ..
        } => {
            let created = lab.create_lease_folder();
            let created = created.map_err(|error| Failure::LeaseFolder {
                in_lab: true,
                source: error.into(),
            })?;
            match created {
                true => Ok("the lease folder of this world is created".to_owned()),
                false => Err(Failure::Refused("this world has a lease folder".to_owned())),
            }
        }
        Backend::Site { site, .. } => {
            let created = site.create_lease_folder().await;
            created.map_err(|error| Failure::LeaseFolder {
                in_lab: false,
                source: error.into(),
            })
        }
    }?;
    tell::line(&done);
    Ok(Exit::Success)
}

/// Where the journal of a run is that is not here, by its claim.
pub async fn elsewhere(place: &Place, run: &str) -> Option<Failure> {
    let lease = leases(place).ok()??;
    let there = lease.list().await.ok()?;
    let it = there.claims.iter().find(|it| {
        let id = &it.claim.run;
        id == run || (!run.is_empty() && (id.starts_with(run) || id.ends_with(run)))
    })?;
    let claim = &it.claim;
    Some(Failure::Refused(format!(
        "the journal of the run {0} is not here: it is on {1}, in the state folder of {2}. Use `wreimage resume {0}` or `wreimage \
         cleanup {0}` there. If that controller is lost, begin a run with `--take-over {0}` when the claim is stale ({3})",
        claim.run,
        claim.controller.name,
        claim.actor,
        judgement::describe(it)
    )))
}
