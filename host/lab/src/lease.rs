//! The lease folder of the lab's install server.
//!
//! Its time is the lab's: no run has to wait in real time for a claim to become stale. A claim that a process of this lab keeps
//! has a new heartbeat whenever the folder is read or the world is written down, as if it were renewed all the time; from the
//! moment in which the process lets go of it, or is gone, it ages.

use crate::pace::{Shared, State};
use crate::time::Millis;
use crate::world::World;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;
use wreimage_capability::lease::{
    Acquire, Claim, ClaimState, ClaimedHost, Confirmed, HeldClaim, Lease, LeaseError, LeaseResult,
    Observation, ObservedClaim, Renewal, Renewed, Token, Uptime, judgement,
};
use wreimage_capability::{BoxFuture, Fault};

/// How long a claim is fresh after its last heartbeat.
const TTL: Millis = 5 * 60 * 1000;

/// A claim as the folder keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptClaim {
    /// The claim.
    pub claim: Claim,
    /// In which boot of the server its last heartbeat was.
    pub boot: u64,
    /// The server's uptime then.
    pub uptime: Millis,
}

/// The folder, and what its server knows of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeaseFolder {
    /// How long a claim is fresh after its last heartbeat.
    pub ttl: Millis,
    /// Counts the boots of the server.
    pub boot: u64,
    /// When the server booted.
    pub booted: Millis,
    /// Tokens that runs of the lab were given. No token is given twice.
    #[serde(default)]
    pub tokens: u64,
    /// When the folder was created; `None` when it is missing, or another one is in its place.
    pub created: Option<Millis>,
    /// Claims by the full name of their host.
    pub claims: BTreeMap<String, KeptClaim>,
}

impl Default for LeaseFolder {
    fn default() -> Self {
        LeaseFolder {
            ttl: TTL,
            boot: 1,
            booted: 0,
            tokens: 0,
            created: Some(0),
            claims: BTreeMap::new(),
        }
    }
}

impl LeaseFolder {
    fn uptime(&self, now: Millis) -> Millis {
        now.saturating_sub(self.booted)
    }

    fn age(&self, kept: &KeptClaim, now: Millis) -> Millis {
        let uptime = self.uptime(now);
        if kept.boot == self.boot {
            uptime.saturating_sub(kept.uptime)
        } else {
            uptime
        }
    }

    /// All claims, or those that concern this machine.
    fn observe(&self, now: Millis, host: Option<&ClaimedHost>) -> LeaseResult<Observation> {
        let created = self.created.ok_or_else(|| {
            LeaseError::Folder("the lease folder of the lab's install server is missing".to_owned())
        })?;
        let concerns = |it: &&KeptClaim| host.is_none_or(|it2| it.claim.host.is_same_machine(it2));
        let ready = self.booted.max(created).saturating_add(self.ttl);
        Ok(Observation {
            claims: self
                .claims
                .values()
                .filter(concerns)
                .map(|kept| {
                    let age_ms = self.age(kept, now);
                    ObservedClaim {
                        claim: kept.claim.clone(),
                        age_ms,
                        is_fresh: age_ms < self.ttl,
                    }
                })
                .collect(),
            ttl_ms: self.ttl,
            settling_ms: ready.saturating_sub(now),
        })
    }

    /// Writes a claim, with a new heartbeat when one is given.
    fn write(&mut self, claim: Claim, heartbeat: Option<Millis>) {
        let name = claim.host.fqdn.to_ascii_lowercase();
        let before = self.claims.get(&name);
        let (boot, uptime) = match heartbeat {
            Some(now) => (self.boot, self.uptime(now)),
            None => before.map_or((self.boot, 0), |it| (it.boot, it.uptime)),
        };
        let kept = KeptClaim {
            claim,
            boot,
            uptime,
        };
        self.claims.insert(name, kept);
    }

    fn confirmed(&self, acquisition: u64) -> Confirmed {
        Confirmed {
            ttl_ms: self.ttl,
            acquisition,
        }
    }

    /// Gives the claims that are kept a new heartbeat.
    fn beat(&mut self, now: Millis, kept: &[Keeper]) {
        let (boot, uptime) = (self.boot, self.uptime(now));
        for it in self.claims.values_mut() {
            let is_kept = kept.iter().any(|keeper| keeper.token == it.claim.token);
            if is_kept && it.claim.state == ClaimState::Held {
                (it.boot, it.uptime) = (boot, uptime);
            }
        }
    }
}

impl World {
    /// The lease folder.
    pub fn lease_folder(&self) -> &LeaseFolder {
        &self.lease
    }

    /// The lease folder, to make it different.
    pub fn lease_folder_mut(&mut self) -> &mut LeaseFolder {
        &mut self.lease
    }

    /// Restarts the install server: heartbeats before are of an earlier boot.
    pub fn restart_install_server(&mut self) {
        self.lease.boot += 1;
        self.lease.booted = self.now;
    }

    /// The folder is gone: its server was reinstalled, or came back from a snapshot.
    pub fn lose_lease_folder(&mut self) {
        self.lease.created = None;
        self.lease.claims.clear();
    }

    /// Creates the folder anew.
    pub fn create_lease_folder(&mut self) {
        self.lease.created = Some(self.now);
        self.lease.claims.clear();
    }

    /// The claims that concern this machine, by the full name of its host.
    pub fn claims_on(&self, fqdn: &str) -> LeaseResult<Observation> {
        let host = ClaimedHost {
            fqdn: fqdn.to_owned(),
            ..ClaimedHost::default()
        };
        self.lease.observe(self.now, Some(&host))
    }
}

/// Leases of a lab; see [`Lab::lease`](crate::Lab::lease).
#[derive(Clone)]
pub struct LabLease {
    pub(crate) shared: Arc<Shared>,
}

impl LabLease {
    /// Reads, under the lab's lock.
    fn look<T>(&self, see: impl FnOnce(&LeaseFolder, Millis) -> LeaseResult<T>) -> LeaseResult<T> {
        let mut state = self.shared.lock();
        reachable(&state.world)?;
        state.beat();
        see(&state.world.lease, state.world.now)
    }

    /// A token for an acquisition: it follows from the world, as everything in a lab does, and none is given twice.
    pub fn new_token(&self) -> Token {
        let mut state = self.shared.lock();
        state.world.lease.tokens += 1;
        let number = state.world.lease.tokens;
        // One that cannot be written down now is not acquired either.
        let _ = state.keep(true);
        Token(format!("{number:032x}"))
    }

    /// Judges and writes, under the lab's lock.
    fn change<T>(
        &self,
        deed: impl FnOnce(&mut LeaseFolder, Millis) -> LeaseResult<T>,
    ) -> LeaseResult<T> {
        let mut state = self.shared.lock();
        reachable(&state.world)?;
        state.beat();
        let now = state.world.now;
        let done = deed(&mut state.world.lease, now);
        state.keep(true).map_err(|error| {
            LeaseError::NoAnswer(Fault::in_doubt(
                "lab.world",
                "lab",
                format!("the lab's world cannot be written down: {error}"),
            ))
        })?;
        done
    }
}

fn reachable(world: &World) -> LeaseResult<()> {
    if world.server.reachable {
        return Ok(());
    }
    Err(LeaseError::NoAnswer(Fault::unreachable(
        "lease.unreachable",
        format!("install server {}", world.site),
        format!("the install server of {} does not answer SSH", world.site),
    )))
}

/// Renews one claim under the folder's lock.
fn renew_one(folder: &mut LeaseFolder, now: Millis, held: &HeldClaim) -> LeaseResult<Confirmed> {
    let there = folder.observe(now, Some(&held.host))?;
    let claim = judgement::renew(&there.claims, held)?;
    let confirmed = folder.confirmed(claim.acquisition);
    folder.write(claim, Some(now));
    Ok(confirmed)
}

impl Lease for LabLease {
    fn system(&self) -> String {
        format!("install server {}", self.shared.lock().world.site)
    }

    fn observe<'a>(&'a self, host: &'a ClaimedHost) -> BoxFuture<'a, LeaseResult<Observation>> {
        Box::pin(async move { self.look(|folder, now| folder.observe(now, Some(host))) })
    }

    fn list(&self) -> BoxFuture<'_, LeaseResult<Observation>> {
        Box::pin(async move { self.look(|folder, now| folder.observe(now, None)) })
    }

    fn acquire<'a>(&'a self, request: &'a Acquire) -> BoxFuture<'a, LeaseResult<Confirmed>> {
        Box::pin(async move {
            self.change(|folder, now| {
                let there = folder.observe(now, Some(&request.claim.host))?;
                let acquired = judgement::acquire(&there, request)?;
                let confirmed = folder.confirmed(acquired.claim.acquisition);
                if !acquired.is_repeated {
                    for name in acquired.removed {
                        folder.claims.remove(&name.to_ascii_lowercase());
                    }
                    folder.write(acquired.claim, Some(now));
                }
                Ok(confirmed)
            })
        })
    }

    fn renew<'a>(
        &'a self,
        claims: &'a [HeldClaim],
    ) -> BoxFuture<'a, LeaseResult<Vec<LeaseResult<Confirmed>>>> {
        Box::pin(async move {
            self.change(|folder, now| {
                Ok(claims
                    .iter()
                    .map(|held| renew_one(folder, now, held))
                    .collect())
            })
        })
    }

    fn verify<'a>(&'a self, held: &'a HeldClaim) -> BoxFuture<'a, LeaseResult<Confirmed>> {
        Box::pin(async move {
            self.change(|folder, now| {
                let there = folder.observe(now, Some(&held.host))?;
                let claim = judgement::verify(&there.claims, held)?;
                let confirmed = folder.confirmed(claim.acquisition);
                folder.write(claim, Some(now));
                Ok(confirmed)
            })
        })
    }

    fn break_claim<'a>(
        &'a self,
        fqdn: &'a str,
        token: &'a Token,
    ) -> BoxFuture<'a, LeaseResult<()>> {
        Box::pin(async move {
            self.change(|folder, now| {
                let there = folder.observe(now, None)?;
                let claim = judgement::break_claim(&there.claims, fqdn, token)?;
                folder.write(claim, None);
                Ok(())
            })
        })
    }

    fn release<'a>(&'a self, held: &'a HeldClaim) -> BoxFuture<'a, LeaseResult<()>> {
        Box::pin(async move {
            self.change(|folder, now| {
                let there = folder.observe(now, Some(&held.host))?;
                let claim = judgement::release(&there.claims, held)?;
                folder.write(claim, None);
                Ok(())
            })
        })
    }
}

/// A process that keeps a claim.
pub(crate) struct Keeper {
    number: u64,
    token: Token,
    claim: Weak<dyn Renewed>,
}

impl Renewal for LabLease {
    fn keep(&self, claim: Weak<dyn Renewed>, _lives: Duration) -> Box<dyn Send + Sync> {
        let held = claim.upgrade().and_then(|it| it.claim());
        let mut state = self.shared.lock();
        let number = state.kept_claims.last().map_or(0, |last| last.number + 1);
        state.kept_claims.extend(held.map(|held| Keeper {
            number,
            token: held.token,
            claim,
        }));
        Box::new(Keeping {
            shared: Arc::clone(&self.shared),
            number,
        })
    }
}

impl Uptime for LabLease {
    fn uptime(&self) -> Duration {
        self.report_lost();
        Duration::from_millis(self.shared.lock().world.now)
    }
}

impl LabLease {
    /// Reports to the processes whose claim is not theirs any more, as a renewal does that comes at the right moment.
    fn report_lost(&self) {
        let kept: Vec<Arc<dyn Renewed>> = {
            let state = self.shared.lock();
            let kept = state.kept_claims.iter();
            kept.filter_map(|it| it.claim.upgrade()).collect()
        };
        // Processes have locks of their own, and let go of a claim that they have lost: the lab is not locked meanwhile.
        for it in kept {
            let judged = it.claim().map(|held| {
                self.look(|folder, now| {
                    let there = folder.observe(now, Some(&held.host))?;
                    judgement::renew(&there.claims, &held)
                })
            });
            if let Some(Err(why)) = judged {
                it.renewed(Duration::ZERO, Err(why));
            }
        }
    }
}

/// A claim that a process of this lab keeps.
struct Keeping {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for Keeping {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.beat();
        let number = self.number;
        state.kept_claims.retain(|it| it.number != number);
    }
}

impl State {
    /// Gives the claims that processes of this lab keep a new heartbeat, as long as the server answers.
    pub(crate) fn beat(&mut self) {
        if self.world.server.reachable && !self.kept_claims.is_empty() {
            self.world.lease.beat(self.world.now, &self.kept_claims);
        }
    }
}
