//! What `wreimage lock break` breaks: the lock and the claim of one run.

use crate::failure::Failure;
use crate::output::print::Page;
use std::path::Path;
use wreimage_capability::lease::{ClaimState, ObservedClaim, judgement};
use wreimage_journal::Held;
use wreimage_runs::RunStore;

/// What `lock break` is about to break.
#[derive(Debug)]
pub struct Broken {
    /// The host's short name: the word to type.
    pub host: String,
    pub lock: Option<Held>,
    pub claim: Option<ObservedClaim>,
}

/// The part of a lock's name, or of a host's full name, that is its short name.
fn short(name: &str) -> &str {
    let last = name.rsplit('/').next().unwrap_or(name);
    last.split('.').next().unwrap_or(last)
}

impl Broken {
    /// The lock and the claim of the one run that this name fits: of an exact name of a lock, of the host's full name, or of
    /// its short name. `None` when it fits none.
    ///
    /// # Errors
    /// When the name fits those of several runs: an operator who means one of them must not stop another.
    pub fn find(
        name: &str,
        held: Vec<Held>,
        mut claims: Vec<ObservedClaim>,
    ) -> Result<Option<Broken>, Failure> {
        claims.retain(|it| it.claim.state != ClaimState::Released);
        // The name of a lock has no domain, and that of a claim no site: only the run shows which of them belong together.
        let locks: Vec<Held> = match held.iter().find(|it| it.name == name) {
            Some(lock) => {
                claims.retain(|it| it.claim.run == lock.run);
                vec![lock.clone()]
            }
            None => {
                claims.retain(|it| {
                    let fqdn = &it.claim.host.fqdn;
                    [fqdn, short(fqdn)]
                        .iter()
                        .any(|it| it.eq_ignore_ascii_case(name))
                });
                let is_meant = |lock: &Held| {
                    short(&lock.name).eq_ignore_ascii_case(name)
                        || claims.iter().any(|it| it.claim.run == lock.run)
                };
                held.into_iter().filter(is_meant).collect()
            }
        };
        let is_of_one_run = match (locks.as_slice(), claims.as_slice()) {
            ([], []) => return Ok(None),
            ([lock], [it]) => lock.run == it.claim.run,
            (locks, claims) => locks.len() + claims.len() == 1,
        };
        if !is_of_one_run {
            return Err(several(name, &locks, &claims));
        }
        let (lock, claim) = (locks.into_iter().next(), claims.into_iter().next());
        let named = lock.as_ref().map(|it| it.name.as_str());
        let named = named.or(claim.as_ref().map(|it| it.claim.host.fqdn.as_str()));
        Ok(Some(Broken {
            host: short(named.unwrap_or(name)).to_owned(),
            lock,
            claim,
        }))
    }

    /// What a person weighs before they break it.
    pub fn show(&self, state: &Path) -> Page {
        let mut text = Page::default();
        if let Some(lock) = &self.lock {
            let standing = RunStore::new(state)
                .standing(&lock.run)
                .map(|it| it.line())
                .unwrap_or_else(|| "unknown, its journal is not in this state folder".to_owned());
            text.line(format!(
                "lock  {}: run {} of {} on {}, {}; state of the run: {standing}",
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

/// The refusal of a name that fits several, with the names to choose from.
fn several(name: &str, locks: &[Held], claims: &[ObservedClaim]) -> Failure {
    let locks = locks.iter().map(|it| ("lock", &it.name, &it.run));
    let claims = claims
        .iter()
        .map(|it| ("lease", &it.claim.host.fqdn, &it.claim.run));
    let all: Vec<_> = locks.chain(claims).collect();
    let listed: Vec<String> = all
        .iter()
        .map(|(kind, name, run)| format!("{kind} {name} of the run {run}"))
        .collect();
    let example = all.first().map_or(name, |(_, name, _)| name.as_str());
    Failure::Usage(format!(
        "{name:?} fits several, and nothing was broken: {}. Name one in full, such as `wreimage lock break {example}`",
        listed.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::exit::Exit;
    use wreimage_capability::lease::{
        Claim, ClaimedHost, ControllerId, FORMAT, JournalMark, Token,
    };
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

    /// The run of the lock and that of the claim, empty where there is none; or the text of a refusal.
    type Found = Result<Option<(String, String)>, String>;

    fn found(name: &str, held: &[Held], claims: &[ObservedClaim]) -> Found {
        let found = Broken::find(name, held.to_vec(), claims.to_vec()).map_err(|failure| {
            assert_eq!(Exit::from(failure.kind()), Exit::Usage);
            failure.to_string()
        })?;
        let runs = |it: Broken| {
            let lock = it.lock.map(|it| it.run).unwrap_or_default();
            (lock, it.claim.map(|it| it.claim.run).unwrap_or_default())
        };
        Ok(found.map(runs))
    }

    fn runs(lock: &str, claim: &str) -> Found {
        Ok(Some((lock.to_owned(), claim.to_owned())))
    }

    #[test]
    fn a_name_in_full_is_that_of_one_run_and_a_short_one_of_several_is_refused() {
        let held = [lock("one/host1001", "r1"), lock("two/host1001", "r2")];
        let claims = [
            claim("host1001.one.example", "r1"),
            claim("host1001.two.example", "r2"),
        ];
        let found = |name: &str| found(name, &held, &claims);
        for (run, name) in [
            ("r1", "host1001.one.example"),
            ("r2", "host1001.two.example"),
            ("r2", "HOST1001.two.example"),
            ("r1", "one/host1001"),
            ("r2", "two/host1001"),
        ] {
            assert_eq!(found(name), runs(run, run), "{name}");
        }
        for name in ["host1001.three.example", "three/host1001", "host1002"] {
            assert_eq!(found(name), Ok(None), "{name}");
        }
        let refused = found("host1001").unwrap_err();
        for words in [
            "lock one/host1001 of the run r1",
            "lease host1001.two.example of the run r2",
            "`wreimage lock break one/host1001`",
        ] {
            assert!(refused.contains(words), "{refused}");
        }
    }

    #[test]
    fn a_short_name_is_enough_for_one_run_and_no_other_run_is_stopped() {
        let (one, two) = (lock("one/host1001", "r1"), lock("two/host1001", "r2"));
        let claimed = claim("host1001.one.example", "r1");
        let found = |held: &[&Held], claims: &[&ObservedClaim]| {
            let held: Vec<Held> = held.iter().map(|it| (*it).clone()).collect();
            let claims: Vec<ObservedClaim> = claims.iter().map(|it| (*it).clone()).collect();
            found("host1001", &held, &claims)
        };
        assert_eq!(found(&[&one], &[&claimed]), runs("r1", "r1"));
        assert_eq!(found(&[&one], &[]), runs("r1", ""));
        assert_eq!(found(&[], &[&claimed]), runs("", "r1"));
        // The host of the lock was taken over by another controller, or is another host of the same name.
        assert!(found(&[&two], &[&claimed]).is_err());
        assert!(found(&[&one, &two], &[]).is_err());
        // Its run gave this claim back: it keeps no run away.
        let mut released = claim("host1001.two.example", "r3");
        released.claim.state = ClaimState::Released;
        assert_eq!(found(&[&one], &[&released]), runs("r1", ""));
    }
}
