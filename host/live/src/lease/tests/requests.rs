//! Requests of the tests, all about one machine.

use wreimage_capability::lease::{
    Acquire, Claim, ClaimState, ClaimedHost, ControllerId, FORMAT, HeldClaim, JournalMark, Right,
    Token,
};

/// The machine of the tests.
pub(super) fn host(fqdn: &str) -> ClaimedHost {
    ClaimedHost {
        fqdn: fqdn.to_owned(),
        serial: Some("ABC 1".to_owned()),
        ..ClaimedHost::default()
    }
}

/// A request to begin.
pub(super) fn request(run: &str, token: &str, over: Option<&str>, right: Right) -> Acquire {
    Acquire {
        claim: Claim {
            format: FORMAT,
            host: host("host1.lab1.test"),
            run: run.to_owned(),
            token: Token(token.to_owned()),
            state: ClaimState::Held,
            controller: controller(run, 1),
            actor: "an operator".to_owned(),
            uid: 1000,
            phase: "validate".to_owned(),
            acquisition: 0,
            journal: JournalMark {
                length: 1,
                sum: "a1".to_owned(),
            },
        },
        over: over.map(|token| Token(token.to_owned())),
        right,
    }
}

pub(super) fn controller(name: &str, lock_inode: u64) -> ControllerId {
    ControllerId {
        name: name.to_owned(),
        boot_id: format!("boot of {name}"),
        lock_inode,
    }
}

/// The claim of a request, as its holder proves it.
pub(super) fn held(request: &Acquire) -> HeldClaim {
    HeldClaim {
        host: request.claim.host.clone(),
        run: request.claim.run.clone(),
        token: request.claim.token.clone(),
        phase: "install".to_owned(),
        journal: request.claim.journal.clone(),
    }
}
