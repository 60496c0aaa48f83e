//! `wreimage lock break`: the lock and the lease of a host are taken away from their holder.

use crate::arguments::{BreakLock, Place};
use crate::exit::{Exit, Failure};
use crate::ground::{self, state_of};
use crate::locks::{claims, leases};
use crate::look;
use crate::prompt;
use crate::session::read_line;
use crate::tell::{self, Page, Prompt, one_line};
use std::path::Path;
use wreimage_capability::lease::{Claim, ClaimState, ObservedClaim, judgement};
use wreimage_journal::{Held, Locks};
use wreimage_lab::Pace;

/// What `lock break` is about to break.
struct Broken {
    /// The host's short name: the word to type.
    host: String,
    lock: Option<Held>,
    claim: Option<ObservedClaim>,
}

/// The part of a lock's name, or of a host's full name, that is its short name.
fn short(name: &str) -> &str {
    let last = name.rsplit('/').next().unwrap_or(name);
    last.split('.').next().unwrap_or(last)
}

impl Broken {
    /// What goes by this name: a lock, a host's short or full name, or both.
    fn find(name: &str, held: Vec<Held>, claims: Vec<ObservedClaim>) -> Option<Broken> {
        let is_full_name = name.contains('.') && !name.contains('/');
        let is_claim = |it: &ObservedClaim| {
            let fqdn = &it.claim.host.fqdn;
            let is_named = fqdn.eq_ignore_ascii_case(name)
                || (!is_full_name && short(fqdn).eq_ignore_ascii_case(short(name)));
            is_named && it.claim.state != ClaimState::Released
        };
        let claim = claims.into_iter().find(is_claim);
        // A lock does not know the full name of its host: it is that of the run which has the claim.
        let is_lock = |it: &Held| match &claim {
            Some(claim) if is_full_name => it.run == claim.claim.run,
            _ => it.name == name || (!name.contains('/') && short(&it.name) == name),
        };
        let lock = held.into_iter().find(is_lock);
        let of = match (&lock, &claim) {
            (Some(lock), _) => &lock.name,
            (None, Some(claim)) => &claim.claim.host.fqdn,
            (None, None) => return None,
        };
        Some(Broken {
            host: short(of).to_owned(),
            lock,
            claim,
        })
    }

    /// What a person weighs before they break it.
    fn show(&self, state: &Path) -> Page {
        let mut text = Page::default();
        if let Some(lock) = &self.lock {
            let standing = look::state_of_run(state, &lock.run)
                .unwrap_or_else(|| "its journal is not here".to_owned());
            text.line(format!(
                "lock  {}: run {} of {} on {}, {}; where the run stands: {standing}",
                lock.name, lock.run, lock.actor, lock.controller, lock.pulse
            ));
        }
        if let Some(it) = &self.claim {
            text.line(format!(
                "lease {}: {}, token {}",
                it.claim.host.fqdn,
                judgement::describe(it),
                it.claim.token
            ));
        }
        text.line(format!(
            "{} may be half-way through an installation. That run changes nothing any more from now on; a call that it has \
             begun may still end, up to its own time-out",
            self.host
        ));
        text
    }
}

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
    let broken = Broken::find(name, held, claims(lease.as_ref()).await).ok_or_else(|| {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use wreimage_capability::lease::{ClaimedHost, ControllerId, FORMAT, JournalMark, Token};
    use wreimage_journal::Pulse;

    fn lock(name: &str, run: &str) -> Held {
        Held {
            name: name.to_owned(),
            run: run.to_owned(),
            actor: String::new(),
            controller: String::new(),
            process: 1,
            since_ms: 0,
            renewed_ms: 0,
            fence: 1,
            pulse: Pulse::Dead,
        }
    }

    fn claim(fqdn: &str, run: &str) -> ObservedClaim {
        ObservedClaim {
            claim: Claim {
                format: FORMAT,
                host: ClaimedHost {
                    fqdn: fqdn.to_owned(),
                    ..ClaimedHost::default()
                },
                run: run.to_owned(),
                token: Token(run.to_owned()),
                state: ClaimState::Held,
                controller: ControllerId {
                    name: String::new(),
                    boot_id: String::new(),
                    lock_inode: 0,
                },
                actor: String::new(),
                uid: 0,
                phase: String::new(),
                acquisition: 1,
                journal: JournalMark::default(),
            },
            age_ms: 0,
            is_fresh: true,
        }
    }

    #[test]
    fn a_full_name_is_that_of_one_host_and_the_lock_is_that_of_its_run() {
        let held = || vec![lock("one/host1001", "r1"), lock("two/host1001", "r2")];
        let claims = || {
            vec![
                claim("host1001.one.example", "r1"),
                claim("host1001.two.example", "r2"),
            ]
        };
        let found = |name: &str| {
            Broken::find(name, held(), claims())
                .map(|it| (it.lock.map(|it| it.run), it.claim.map(|it| it.claim.run)))
        };
        let both = |run: &str| Some((Some(run.to_owned()), Some(run.to_owned())));
        assert_eq!(found("host1001.two.example"), both("r2"));
        assert_eq!(found("host1001.one.example"), both("r1"));
        assert_eq!(found("host1001"), both("r1"));
        assert_eq!(found("host1001.three.example"), None);
        assert_eq!(found("host1002"), None);
    }
}
