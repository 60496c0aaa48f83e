//! `wreimage lock break`: the lock and the lease of a host are taken away from their holder.

use super::broken::Broken;
use crate::arguments::Place;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::print::{self, Page, Prompt, one_line};
use crate::setup::backend::{self, state_of};
use crate::setup::leases::{claims, leases};
use crate::terminal::prompt;
use crate::terminal::session::read_line;
use clap::Args;
use std::path::Path;
use wreimage_capability::lease::Claim;
use wreimage_journal::{Held, Locks};
use wreimage_lab::Pace;

/// `wreimage lock break`.
#[derive(Debug, Clone, Args)]
pub struct BreakLock {
    /// The lock's name or the host's full name, as `wreimage lock ls` lists them, or the host's short name unless it fits
    /// those of several runs
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Confirm in advance, by the short name of the host
    #[arg(long, value_name = "HOST")]
    pub yes: Option<String>,
    #[command(flatten)]
    pub place: Place,
}

/// `wreimage lock break`.
pub async fn break_lock(arguments: &BreakLock) -> Result<Exit, Failure> {
    let name = &arguments.name;
    let state = state_of(&arguments.place)?;
    let place = world_of_lock(&arguments.place, name);
    let locks = Locks::open(&state)?;
    let held = locks.held()?;
    let lease = leases(&place)?;
    let (claims, unread) = claims(lease.as_ref()).await;
    let Some(broken) = Broken::find(name, held, claims)? else {
        return Err(none_found(name, unread));
    };
    print::lines(&broken.show(&state));
    if let Some(why) = &unread {
        print::line(&format!("warning: {why}"));
    }
    confirm(&broken.host, arguments.yes.as_deref())?;
    let mut parts = Vec::new();
    // The lease first: it keeps other controllers away as well. The lock is broken whether or not the lease is.
    if let Some(it) = &broken.claim {
        parts.push(break_claim(&place, &it.claim).await);
    }
    if let Some(lock) = &broken.lock {
        parts.push(take_lock(&locks, lock));
    }
    if let Some(why) = unread {
        parts.push(Err(format!(
            "{why}. A lease on {} may still be held",
            broken.host
        )));
    }
    conclude(parts)
}

/// The failure for a name that fits nothing, when all claims could be read and when they could not.
fn none_found(name: &str, unread: Option<String>) -> Failure {
    match unread {
        None => Failure::Usage(format!(
            "no run holds a lock or a lease {name:?}; `wreimage lock ls` lists those that are held"
        )),
        Some(why) => Failure::Refused(format!(
            "no lock of this state folder is named {name:?}, and {why}. A host's full name leads to its lock through its lease only: \
             give the lock's name, as `wreimage lock ls` lists it. Nothing was broken"
        )),
    }
}

/// Prints what was broken. Anything that was shown and not broken is a failure: its run may continue.
fn conclude(parts: Vec<Result<String, String>>) -> Result<Exit, Failure> {
    let (broken, left): (Vec<_>, Vec<_>) = parts.into_iter().partition(Result::is_ok);
    let is_any_broken = !broken.is_empty();
    for text in broken.into_iter().flatten() {
        print::line(&text);
    }
    let left: Vec<String> = left.into_iter().filter_map(Result::err).collect();
    let left = left.join("; ");
    match (left.is_empty(), is_any_broken) {
        (true, _) => Ok(Exit::Success),
        (false, true) => Err(Failure::Left(left)),
        (false, false) => Err(Failure::Refused(format!("{left}. Nothing was broken"))),
    }
}

/// Breaks a lock of this state folder; an error is why it was not broken.
fn take_lock(locks: &Locks, lock: &Held) -> Result<String, String> {
    match locks.break_lock(lock) {
        Ok(true) => Ok(format!(
            "{} is taken away from the run {} of {} on {}",
            lock.name, lock.run, lock.actor, lock.controller
        )),
        Ok(false) => Err(format!(
            "the lock {} was not broken: it has changed since it was shown, and `wreimage lock ls` lists its holder",
            lock.name
        )),
        Err(error) => Err(format!("the lock {} was not broken: {error}", lock.name)),
    }
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

/// Breaks a claim of this place, in a lab's world by owning it; an error is why it was not broken.
async fn break_claim(place: &Place, claim: &Claim) -> Result<String, String> {
    let fqdn = &claim.host.fqdn;
    let not = |why: String| {
        format!("the claim on {fqdn} was not broken: {why}. `wreimage lock ls` lists its holder")
    };
    let ground = backend::open(place, Pace::Full)
        .await
        .map_err(|failure| not(failure.to_string()))?;
    let Some(lease) = ground.lease() else {
        return Err(not("this place has no leases".to_owned()));
    };
    let broken = lease.break_claim(fqdn, &claim.token).await;
    broken.map_err(|error| not(error.to_string()))?;
    Ok(format!(
        "the claim on {fqdn} is taken away from the run {}. Another run can acquire the host when the claim is stale",
        claim.run
    ))
}

/// The host's name must be typed, or given in advance.
fn confirm(host: &str, yes: Option<&str>) -> Result<(), Failure> {
    let not = |given: &str| {
        Failure::Refused(format!(
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
        return Err(Failure::Refused(format!(
            "not confirmed: this is not a terminal, and nothing was broken. Confirm in advance with `--yes {host}`"
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use wreimage_journal::Holder;

    #[test]
    fn a_part_that_is_not_broken_is_no_success() {
        let broken = || Ok("the lock is taken away".to_owned());
        let left = || Err("the lease was not broken".to_owned());
        let exit = |parts| conclude(parts).map_err(|failure| Exit::from(failure.kind()));
        assert_eq!(exit(vec![broken(), broken()]), Ok(Exit::Success));
        assert_eq!(exit(vec![left(), broken()]), Err(Exit::Left));
        assert_eq!(exit(vec![broken(), left()]), Err(Exit::Left));
        assert_eq!(exit(vec![left(), left()]), Err(Exit::Refused));
    }

    #[test]
    fn a_lock_that_has_changed_since_it_was_shown_is_not_broken() {
        let state = tempfile::tempdir().unwrap();
        let locks = Locks::open(state.path()).unwrap();
        let holder = Holder {
            run: "r1".to_owned(),
            actor: String::new(),
            controller: String::new(),
        };
        locks.take("one/host1001", &holder).unwrap();
        let shown = locks.held().unwrap().remove(0);
        // Its run was resumed meanwhile.
        locks.take("one/host1001", &holder).unwrap();
        let refused = conclude(vec![take_lock(&locks, &shown)]).unwrap_err();
        assert_eq!(Exit::from(refused.kind()), Exit::Refused);
        assert!(refused.to_string().contains("Nothing was broken"));
        let shown = locks.held().unwrap().remove(0);
        assert_eq!(
            conclude(vec![take_lock(&locks, &shown)]).unwrap(),
            Exit::Success
        );
        assert!(locks.held().unwrap().is_empty());
    }
}
