//! `wreimage lock`: the locks of this state folder, and the leases on the install server.

use crate::arguments::{BreakLock, InitLease, Output, Place, Runs};
use crate::exit::{Exit, Failure};
use crate::files;
use crate::ground::{self, Ground, state_of};
use crate::look;
use crate::prompt;
use crate::tell::{self, Page, Prompt, one_line};
use jiff::Timestamp;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use wreimage_capability::lease::{Claim, ClaimState, Lease, ObservedClaim, judgement};
use wreimage_journal::{Held, Locks};
use wreimage_lab::{Lab, Pace};

/// Where the leases of a place are, to be read: without the ownership of a lab's world, which a run may have. `None` where
/// there are none.
pub fn leases(place: &Place) -> Result<Option<Arc<dyn Lease>>, Failure> {
    if let Some(folder) = &place.world {
        let seen = Lab::seen(folder).map_err(|error| Failure::usage(error.to_string()))?;
        return Ok(seen.map(|lab| -> Arc<dyn Lease> { lab.lease() }));
    }
    if place.lab.is_none()
        && let Some(path) = place.site.clone().or_else(files::site_file)
    {
        return Ok(ground::load_site(&path)?.lease());
    }
    Ok(None)
}

/// The claims of a place; what went wrong is printed.
async fn claims(lease: Option<&Arc<dyn Lease>>) -> Vec<ObservedClaim> {
    let Some(lease) = lease else {
        return Vec::new();
    };
    match lease.list().await {
        Ok(there) => there.claims,
        Err(error) => {
            tell::line(&format!(
                "warning: the leases on {} are not listed: {error}",
                lease.system()
            ));
            Vec::new()
        }
    }
}

/// `wreimage lock ls`.
pub async fn list(arguments: &Runs) -> Result<Exit, Failure> {
    let state = state_of(&arguments.place)?;
    let locks = Locks::open(&state).map_err(|error| Failure::usage(error.to_string()))?;
    let held = locks
        .held()
        .map_err(|error| Failure::usage(error.to_string()))?;
    let lease = leases(&arguments.place)?;
    let mut claims = claims(lease.as_ref()).await;
    claims.retain(|it| it.claim.state != ClaimState::Released);
    let mut text = Page::default();
    for lock in held {
        let standing = look::state_of_run(&state, &lock.run);
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
        tell::line("no run holds a lock or a lease");
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
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Failure::internal(format!("stdin: {error}")))?;
    let answer = answer.trim();
    if answer == host {
        Ok(())
    } else {
        Err(not(answer))
    }
}

/// `wreimage lock init`.
pub async fn init(arguments: &InitLease) -> Result<Exit, Failure> {
    let ground = ground::open(&arguments.place, Pace::Full).await?;
    let done = match &ground {
        Ground::Lab { kept: None, .. } => Err(Failure::usage(
            "this lab is not kept: name its folder with --world DIR, or a site file with --site FILE",
        )),
        Ground::Lab {
            kept: Some((lab, _)),
            ..
        } => {
            let created = lab.create_lease_folder();
            match created.map_err(|error| Failure::internal(error.to_string()))? {
                true => Ok("the lease folder of this world is created".to_owned()),
                false => Err(Failure::refused("this world has a lease folder")),
            }
        }
        Ground::Site { site, .. } => {
            let created = site.create_lease_folder().await;
            created.map_err(|error| Failure::refused(error.to_string()))
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
    Some(Failure::refused(format!(
        "the journal of the run {0} is not here: it is on {1}, in the state folder of {2}. Use `wreimage resume {0}` or `wreimage \
         cleanup {0}` there. If that controller is lost, begin a run with `--take-over {0}` when the claim is stale ({3})",
        claim.run,
        claim.controller.name,
        claim.actor,
        judgement::describe(it)
    )))
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
