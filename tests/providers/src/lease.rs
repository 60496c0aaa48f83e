//! Requests about claims.

use wreimage_capability::lease::{
    Acquire, Claim, ClaimState, ClaimedHost, ControllerId, FORMAT, HeldClaim, JournalMark, Right,
    Token,
};

/// A request about a host's claim.
pub fn request(host: &str, run: &str, token: &str, over: Option<&str>, right: Right) -> Acquire {
    Acquire {
        claim: Claim {
            format: FORMAT,
            host: ClaimedHost {
                fqdn: format!("{host}.lab1.test"),
                ..ClaimedHost::default()
            },
            run: run.to_owned(),
            token: Token(token.to_owned()),
            state: ClaimState::Held,
            controller: ControllerId {
                name: "a controller".to_owned(),
                boot_id: "b".to_owned(),
                lock_inode: 1,
            },
            actor: "an operator".to_owned(),
            uid: 0,
            phase: String::new(),
            acquisition: 0,
            journal: JournalMark {
                length: 1,
                sum: "a".to_owned(),
            },
        },
        over: over.map(|token| Token(token.to_owned())),
        right,
    }
}

/// The claim of a request, as its holder proves it.
pub fn held(request: &Acquire) -> HeldClaim {
    HeldClaim {
        host: request.claim.host.clone(),
        run: request.claim.run.clone(),
        token: request.claim.token.clone(),
        phase: "a phase".to_owned(),
        journal: request.claim.journal.clone(),
    }
}
