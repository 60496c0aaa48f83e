//! `wreimage lock break`: the lock and the lease of a host are taken away from their holder.

use crate::arguments::{BreakLock, Place};
use crate::broken::Broken;
use crate::exit::{Exit, Failure};
use crate::ground::{self, state_of};
use crate::locks::{claims, leases};
use crate::prompt;
use crate::session::read_line;
use crate::tell::{self, Page, Prompt, one_line};
use std::path::Path;
use wreimage_capability::lease::Claim;
use wreimage_journal::Locks;
use wreimage_lab::Pace;

/// `wreimage lock break`.
pub async fn break_lock(arguments: &BreakLock) -> Result<Exit, Failure> {
    let place = &arguments.place;
    let state = state_of(place)?;
    let locks = Locks::open(&state).map_err(|error| Failure::usage(error.to_string()))?;
    let held = locks
        .held()
        .map_err(|error| Failure::usage(error.to_string()))?;
    let lease = leases(&world_of_lock(place, &arguments.name))?;
    let name = &arguments.name;
    let found = Broken::find(name, held, claims(lease.as_ref()).await)?;
    let broken = found.ok_or_else(|| {
        Failure::usage(format!(
            "nobody holds a lock or a lease {name:?}; `wreimage lock ls` lists those that are held"
        ))
    })?;
    tell::lines(&broken.show(&state));
    confirm(&broken.host, arguments.yes.as_deref())?;
    // The lease first: it keeps other controllers away as well.
    if let Some(it) = &broken.claim {
        match break_claim(&world_of_lock(place, name), &it.claim).await {
            Ok(()) => tell::line(&format!(
                "the claim on {} is taken away from the run {}. Another run acquires the host when the claim is stale",
                it.claim.host.fqdn, it.claim.run
            )),
            // The lock is broken all the same.
            Err(failure) if broken.lock.is_some() => tell::line(&format!("warning: {failure}")),
            Err(failure) => return Err(failure),
        }
    }
    if let Some(lock) = &broken.lock {
        let is_broken = locks
            .break_lock(lock)
            .map_err(|error| Failure::usage(error.to_string()))?;
        tell::line(&if is_broken {
            format!(
                "{} is taken away from the run {} of {} on {}",
                lock.name, lock.run, lock.actor, lock.controller
            )
        } else {
            format!(
                "warning: the lock {} was not broken: the run {} does not hold it any more",
                lock.name, lock.run
            )
        });
    }
    Ok(Exit::Success)
}

/// The name of a lock in a kept world has the folder of the world.
fn world_of_lock(place: &Place, name: &str) -> Place {
    let mut place = place.clone();
    if place.world.is_none()
        && place.site.is_none()
        && let Some((folder, _)) = name.rsplit_once('/')
        && Path::new(folder).is_absolute()
    {
        place.world = Some(folder.into());
    }
    place
}

/// Breaks a claim of this place: of a lab's world by owning it.
async fn break_claim(place: &Place, claim: &Claim) -> Result<(), Failure> {
    let not = |why: String| {
        Failure::refused(format!(
            "the claim on {} was not broken: {why}",
            claim.host.fqdn
        ))
    };
    let ground = ground::open(place, Pace::Full)
        .await
        .map_err(|failure| not(failure.to_string()))?;
    let Some(lease) = ground.lease() else {
        return Err(not("this place has no leases".to_owned()));
    };
    let broken = lease.break_claim(&claim.host.fqdn, &claim.token).await;
    broken.map_err(|error| not(error.to_string()))
}

/// The host's name must be typed, or given in advance.
fn confirm(host: &str, yes: Option<&str>) -> Result<(), Failure> {
    let not = |given: &str| {
        Failure::refused(format!(
            "`{given}` is not `{host}`: not confirmed, nothing was broken"
        ))
    };
    if let Some(given) = yes {
        return if given == host {
            Ok(())
        } else {
            Err(not(given))
        };
    }
    if !prompt::is_operator_there() {
        return Err(Failure::refused(format!(
            "nobody confirmed: this is not a terminal, and nothing was broken. Confirm in advance with `--yes {host}`"
        )));
    }
    let prompt = Prompt {
        above: Page::default(),
        last: one_line(&format!("Type {host} to break it:")),
    };
    prompt.show();
    let answer = read_line(&mut std::io::stdin().lock()).unwrap_or_default();
    let answer = answer.trim();
    if answer == host {
        Ok(())
    } else {
        Err(not(answer))
    }
}
