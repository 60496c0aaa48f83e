//! How a request about a lease is judged by the claims as they are.
//!
//! Pure functions: the lab's lease folder applies them, and tests compare the install server's scripts with them. Each gets
//! the claims that concern the machine, read under the folder's lock, and answers what is to be written; an error writes
//! nothing.

use super::{
    Acquire, Claim, ClaimState, FORMAT, HeldClaim, JournalMark, LeaseError, LeaseResult,
    Observation, ObservedClaim, Right, Token,
};

/// What an acquisition that was confirmed writes.
#[derive(Debug, Clone, PartialEq)]
pub struct Acquired {
    /// The claim, with the number of its acquisition.
    pub claim: Claim,
    /// Claims of the same machine under other names. They are removed: a run that held one of them has lost it.
    pub removed: Vec<String>,
    /// The same request was confirmed before: nothing is written, the heartbeat included.
    pub is_repeated: bool,
}

/// The claim under the machine's own name.
pub fn own<'a>(claims: &'a [ObservedClaim], fqdn: &str) -> Option<&'a ObservedClaim> {
    claims
        .iter()
        .find(|it| it.claim.host.fqdn.eq_ignore_ascii_case(fqdn))
}

/// The claim that keeps a run with these tokens away, if one does: held under another token, or broken and not stale yet.
pub fn in_the_way<'a>(claims: &'a [ObservedClaim], tokens: &[Token]) -> Option<&'a ObservedClaim> {
    let keeps_away = |it: &&ObservedClaim| match it.claim.state {
        ClaimState::Held => !tokens.contains(&it.claim.token),
        ClaimState::Broken => it.is_fresh,
        ClaimState::Released => false,
    };
    let mut all: Vec<_> = claims.iter().filter(keeps_away).collect();
    all.sort_by_key(|it| (!it.is_fresh, it.claim.state != ClaimState::Held));
    all.first().copied()
}

/// Judges a request for the lease.
///
/// # Errors
/// [`LeaseError::Refused`], or [`LeaseError::Folder`] for a claim of a later version.
pub fn acquire(there: &Observation, request: &Acquire) -> LeaseResult<Acquired> {
    let claims = &there.claims;
    let wanted = &request.claim;
    let fqdn = &wanted.host.fqdn;
    if let Some(later) = claims.iter().find(|it| it.claim.format > FORMAT) {
        return Err(later_version(&later.claim));
    }
    if let Some(same) = claims.iter().find(|it| it.claim.token == wanted.token) {
        return if same.claim.state == ClaimState::Held {
            Ok(Acquired {
                claim: same.claim.clone(),
                removed: Vec::new(),
                is_repeated: true,
            })
        } else {
            Err(refused(
                format!("the claim of this request is {} by now", state(same)),
                Some(same),
            ))
        };
    }
    let own = own(claims, fqdn);
    if own.map(|it| &it.claim.token) != request.over.as_ref() {
        return Err(refused(
            format!(
                "the claim on {fqdn} has changed since it was shown; now it is {}",
                own.map_or_else(|| "free".to_owned(), describe)
            ),
            own,
        ));
    }
    let resumes = match &request.right {
        Right::Resume { tokens } => Some(judge_resume(own, wanted, tokens)?),
        Right::Begin | Right::TakeOver { .. } => None,
    };
    let over_own_held = resumes == Some(ClaimState::Held);
    if there.settling_ms > 0 && !over_own_held {
        return Err(refused(
            format!(
                "the install server or its lease folder started lately: no run acquires {fqdn} for another {}",
                seconds(there.settling_ms)
            ),
            own,
        ));
    }
    for other in claims {
        let is_own = own.is_some_and(|it| std::ptr::eq(it, other));
        if !(is_own && resumes.is_some()) {
            judge_rival(other, &request.right)?;
        }
    }
    let acquisition = claims.iter().map(|it| it.claim.acquisition).max();
    Ok(Acquired {
        claim: Claim {
            state: ClaimState::Held,
            acquisition: acquisition.unwrap_or(0).saturating_add(1),
            ..wanted.clone()
        },
        removed: claims
            .iter()
            .filter(|it| !it.claim.host.fqdn.eq_ignore_ascii_case(fqdn))
            .map(|it| it.claim.host.fqdn.clone())
            .collect(),
        is_repeated: false,
    })
}

/// Only over its own last acquisition. Returns the state of that claim.
fn judge_resume(
    own: Option<&ObservedClaim>,
    wanted: &Claim,
    tokens: &[Token],
) -> LeaseResult<ClaimState> {
    let fqdn = &wanted.host.fqdn;
    let Some(there) = own else {
        return Err(refused(
            format!("the claim of this run on {fqdn} no longer exists"),
            None,
        ));
    };
    if !tokens.contains(&there.claim.token) {
        let why = if there.claim.run == wanted.run {
            format!(
                "a copy of this run has acquired {fqdn} since: {}",
                describe(there)
            )
        } else {
            format!("{fqdn} belongs to another run: {}", describe(there))
        };
        return Err(refused(why, Some(there)));
    }
    if !reaches(&wanted.journal, &there.claim.journal) {
        return Err(refused(
            format!(
                "the journal here has {} durable records, and {} were made by this run: this is an older or another copy",
                wanted.journal.length, there.claim.journal.length
            ),
            Some(there),
        ));
    }
    let here = &wanted.controller;
    let is_here = there.claim.controller.boot_id == here.boot_id
        && there.claim.controller.lock_inode == here.lock_inode;
    match there.claim.state {
        ClaimState::Held if there.is_fresh && !is_here => Err(refused(
            format!(
                "the claim of this run is renewed by a copy of it on {}, last {} ago",
                there.claim.controller.name,
                seconds(there.age_ms)
            ),
            Some(there),
        )),
        ClaimState::Broken if there.is_fresh => Err(broken(there)),
        state => Ok(state),
    }
}

/// A claim of another run.
fn judge_rival(other: &ObservedClaim, right: &Right) -> LeaseResult<()> {
    match (other.claim.state, other.is_fresh) {
        (ClaimState::Released, _) | (ClaimState::Broken, false) => Ok(()),
        (ClaimState::Broken, true) => Err(broken(other)),
        (ClaimState::Held, true) => Err(refused(
            format!(
                "{} is claimed by the {}: that run is alive. Wait for its end, or end it on that controller: `wreimage cancel {}`",
                other.claim.host.fqdn,
                describe(other),
                other.claim.run
            ),
            Some(other),
        )),
        (ClaimState::Held, false) => match right {
            Right::TakeOver { run } if *run == other.claim.run => Ok(()),
            _ => Err(refused(
                format!(
                    "{} is claimed by the {}: that run waits, or its controller died. Resume or end it there, or take the \
                     host over with `--take-over {}`",
                    other.claim.host.fqdn,
                    describe(other),
                    other.claim.run
                ),
                Some(other),
            )),
        },
    }
}

/// Judges whether this process still holds its claim. Returns the claim as it is to be written, with a new heartbeat.
///
/// # Errors
/// [`LeaseError::Lost`].
pub fn verify(claims: &[ObservedClaim], held: &HeldClaim) -> LeaseResult<Claim> {
    let there = holds(claims, held)?;
    if !reaches(&held.journal, &there.journal) {
        return Err(LeaseError::Lost(format!(
            "the claim on {} has seen {} durable records of this run, and this process has {}: a copy of the run is ahead",
            held.host.fqdn, there.journal.length, held.journal.length
        )));
    }
    Ok(Claim {
        phase: held.phase.clone(),
        journal: held.journal.clone(),
        ..there.clone()
    })
}

/// The same for a renewal, which may have been sent before a verification that arrived earlier: it never judges the journal,
/// and what the claim knows of it never falls.
///
/// # Errors
/// [`LeaseError::Lost`].
pub fn renew(claims: &[ObservedClaim], held: &HeldClaim) -> LeaseResult<Claim> {
    let there = holds(claims, held)?;
    let is_newer = held.journal.length > there.journal.length;
    Ok(Claim {
        phase: held.phase.clone(),
        journal: if is_newer {
            &held.journal
        } else {
            &there.journal
        }
        .clone(),
        ..there.clone()
    })
}

/// Judges the release of a claim. Returns the claim as it is to be written, without a new heartbeat; one that was released
/// with this token before is released.
///
/// # Errors
/// [`LeaseError::Lost`].
pub fn release(claims: &[ObservedClaim], held: &HeldClaim) -> LeaseResult<Claim> {
    let released = own(claims, &held.host.fqdn)
        .filter(|it| it.claim.token == held.token && it.claim.state == ClaimState::Released);
    let there = match released {
        Some(there) => &there.claim,
        None => holds(claims, held)?,
    };
    let is_newer = held.journal.length > there.journal.length;
    Ok(Claim {
        state: ClaimState::Released,
        phase: held.phase.clone(),
        journal: if is_newer {
            &held.journal
        } else {
            &there.journal
        }
        .clone(),
        ..there.clone()
    })
}

/// Judges that a claim is broken. Returns the claim as it is to be written, without a new heartbeat.
///
/// # Errors
/// [`LeaseError::Refused`] when the claim is not the one that was shown, or keeps no run away.
pub fn break_claim(claims: &[ObservedClaim], fqdn: &str, token: &Token) -> LeaseResult<Claim> {
    let there = own(claims, fqdn);
    let Some(shown) = there.filter(|it| it.claim.token == *token) else {
        return Err(refused(
            format!(
                "the claim on {fqdn} has changed since it was shown; now it is {}",
                there.map_or_else(|| "free".to_owned(), describe)
            ),
            there,
        ));
    };
    if shown.claim.state == ClaimState::Released {
        return Err(refused(
            format!("the claim on {fqdn} is released: it keeps no run away"),
            Some(shown),
        ));
    }
    Ok(Claim {
        state: ClaimState::Broken,
        ..shown.claim.clone()
    })
}

fn holds<'a>(claims: &'a [ObservedClaim], held: &HeldClaim) -> LeaseResult<&'a Claim> {
    let fqdn = &held.host.fqdn;
    let lost = |why: String| Err(LeaseError::Lost(why));
    let Some(there) = own(claims, fqdn) else {
        return lost(format!("the claim of this run on {fqdn} is missing"));
    };
    if there.claim.format > FORMAT {
        return Err(later_version(&there.claim));
    }
    if there.claim.token != held.token {
        return lost(format!(
            "{fqdn} now belongs to another acquisition: {}",
            describe(there)
        ));
    }
    match there.claim.state {
        ClaimState::Held => Ok(&there.claim),
        ClaimState::Broken => lost(format!("an operator broke the claim of this run on {fqdn}")),
        ClaimState::Released => lost(format!("the claim of this run on {fqdn} is released")),
    }
}

/// Whether one journal can be a continuation of what the claim has seen.
fn reaches(here: &JournalMark, seen: &JournalMark) -> bool {
    here.length > seen.length || (here.length == seen.length && here.sum == seen.sum)
}

/// Who has the claim, in what phase and since when it was last heard of.
pub fn describe(it: &ObservedClaim) -> String {
    let claim = &it.claim;
    format!(
        "run {} of {} on {} ({}, phase {}, last heartbeat {} ago)",
        claim.run,
        claim.actor,
        claim.controller.name,
        state(it),
        if claim.phase.is_empty() {
            "unknown"
        } else {
            &claim.phase
        },
        seconds(it.age_ms)
    )
}

/// Whether the claim keeps others away, in a word.
pub fn state(it: &ObservedClaim) -> &'static str {
    match (it.claim.state, it.is_fresh) {
        (ClaimState::Held, true) => "fresh",
        (ClaimState::Held, false) => "stale",
        (ClaimState::Broken, _) => "broken",
        (ClaimState::Released, _) => "released",
    }
}

/// `12 s`, `7 min`, `3 h`.
pub fn seconds(millis: u64) -> String {
    match millis.div_ceil(1000) {
        s if s < 120 => format!("{s} s"),
        s if s < 7200 => format!("{} min", s / 60),
        s => format!("{} h", s / 3600),
    }
}

fn broken(it: &ObservedClaim) -> LeaseError {
    refused(
        format!(
            "an operator broke the claim of the {}; its run may still end a call. No run acquires {} before the claim is stale",
            describe(it),
            it.claim.host.fqdn
        ),
        Some(it),
    )
}

fn later_version(claim: &Claim) -> LeaseError {
    LeaseError::Folder(format!(
        "the claim on {} has the format {}, and this wreimage reads {FORMAT}: use the version that wrote it",
        claim.host.fqdn, claim.format
    ))
}

fn refused(why: String, by: Option<&ObservedClaim>) -> LeaseError {
    LeaseError::Refused {
        why,
        by: by.cloned().map(Box::new),
    }
}

#[cfg(test)]
#[path = "judgement_tests.rs"]
mod tests;
