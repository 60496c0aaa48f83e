//! Renews the claims of one process at one install server.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use wreimage_capability::lease::{Lease, LeaseError, LeaseResult, Renewal, Renewed, Uptime};
use wreimage_capability::{BoxFuture, Fault};

/// Renewals in the life of a claim: two may fail before it becomes stale.
const PER_LIFE: u32 = 3;

/// After a renewal that failed the next one comes so many times sooner.
const SOONER: u32 = 3;

/// One renewer for all hosts of a process: one execution on the server each time, whatever else the runs do there.
pub struct Renewer {
    lease: Arc<dyn Lease>,
    uptime: Arc<dyn Uptime>,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    claims: Vec<(u64, Weak<dyn Renewed>)>,
    next: u64,
    /// Whether a task renews them.
    is_at_work: bool,
}

impl Renewer {
    /// A renewer that renews nothing yet.
    pub fn new(lease: Arc<dyn Lease>, uptime: Arc<dyn Uptime>) -> Self {
        Renewer {
            lease,
            uptime,
            kept: Arc::default(),
        }
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Renewal for Renewer {
    fn keep(&self, claim: Weak<dyn Renewed>, ttl: Duration) -> Box<dyn Send + Sync> {
        let mut kept = lock(&self.kept);
        kept.next += 1;
        let number = kept.next;
        kept.claims.push((number, claim));
        if !kept.is_at_work {
            kept.is_at_work = true;
            tokio::spawn(renew_all(
                self.lease.clone(),
                self.uptime.clone(),
                Arc::downgrade(&self.kept),
                ttl,
            ));
        }
        Box::new(Guard {
            kept: self.kept.clone(),
            number,
        })
    }
}

/// Takes a claim off the list.
struct Guard {
    kept: Arc<Mutex<Kept>>,
    number: u64,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let number = self.number;
        lock(&self.kept).claims.retain(|(it, _)| *it != number);
    }
}

/// Renews until no claim is left.
async fn renew_all(
    lease: Arc<dyn Lease>,
    uptime: Arc<dyn Uptime>,
    kept: Weak<Mutex<Kept>>,
    mut ttl: Duration,
) {
    let mut pause = ttl / PER_LIFE;
    loop {
        tokio::time::sleep(pause).await;
        let Some(kept) = kept.upgrade() else { return };
        let claims: Vec<Arc<dyn Renewed>> = {
            let mut kept = lock(&kept);
            if kept.claims.is_empty() {
                kept.is_at_work = false;
                return;
            }
            kept.claims
                .iter()
                .filter_map(|(_, it)| it.upgrade())
                .collect()
        };
        pause = match renew_once(&*lease, &*uptime, &claims).await {
            Some(confirmed) => {
                ttl = confirmed;
                ttl / PER_LIFE
            }
            None => ttl / PER_LIFE / SOONER,
        }
        .max(Duration::from_millis(10));
    }
}

/// Renews all of them by one request; for how long claims are valid, if the server answered.
async fn renew_once(
    lease: &dyn Lease,
    uptime: &dyn Uptime,
    claims: &[Arc<dyn Renewed>],
) -> Option<Duration> {
    let held: Vec<_> = claims
        .iter()
        .filter_map(|it| Some((it, it.claim()?)))
        .collect();
    if held.is_empty() {
        return None;
    }
    let requests: Vec<_> = held.iter().map(|(_, claim)| claim.clone()).collect();
    let sent = uptime.uptime();
    let asking: BoxFuture<'_, LeaseResult<Vec<_>>> = lease.renew(&requests);
    let answers = match tokio::time::timeout(super::REQUEST, asking).await {
        Ok(Ok(answers)) => answers,
        // All of them are concerned: the folder is missing, or there was no answer.
        Ok(Err(LeaseError::NoAnswer(_))) | Err(_) => return None,
        Ok(Err(why)) => held.iter().map(|_| Err(why.clone())).collect(),
    };
    let mut ttl = None;
    for ((kept, _), answer) in held
        .iter()
        .zip(answers.into_iter().chain(std::iter::repeat_with(|| {
            Err(LeaseError::NoAnswer(missing()))
        })))
    {
        if let Ok(confirmed) = &answer {
            ttl = Some(Duration::from_millis(confirmed.ttl_ms));
        }
        kept.renewed(sent, answer);
    }
    ttl
}

fn missing() -> Fault {
    Fault::other(
        "lease.answer",
        "wreimage",
        "the install server did not answer for this claim",
    )
}
