//! Claims in answers and requests.

use crate::install_server::{Answer, Script, decode, encode};
use wreimage_capability::lease::{
    Claim, ClaimState, ClaimedHost, ControllerId, FORMAT, HeldClaim, JournalMark, ObservedClaim,
    Token,
};

/// The run and token under which a damaged claim is shown.
pub(super) const DAMAGED: &str = "damaged";

/// The name of a host's claim in the lease folder.
pub(crate) fn file_name(fqdn: &str) -> String {
    encode(&fqdn.to_ascii_lowercase())
}

/// Sets the variables of a claim that is acquired.
pub(super) fn set(script: Script, claim: &Claim) -> Script {
    let text = |value: &Option<String>| encode(value.as_deref().unwrap_or_default());
    let host = &claim.host;
    script
        .set("claim_fqdn", &file_name(&host.fqdn))
        .set("claim_serial", &text(&host.serial))
        .set("claim_uuid", &text(&host.uuid))
        .set("claim_mac", &text(&host.mac))
        .set("claim_bmc", &text(&host.bmc))
        .set("claim_run", &encode(&claim.run))
        .set("claim_token", &encode(&claim.token.0))
        .set("claim_controller", &encode(&claim.controller.name))
        .set("claim_controller_boot", &encode(&claim.controller.boot_id))
        .set("claim_lock_inode", &claim.controller.lock_inode.to_string())
        .set("claim_actor", &encode(&claim.actor))
        .set("claim_uid", &claim.uid.to_string())
        .set("claim_phase", &encode(&claim.phase))
        .set("claim_length", &claim.journal.length.to_string())
        .set("claim_sum", &encode(&claim.journal.sum))
}

/// The variables of the scripts about a claim.
pub(crate) fn set_claim(script: Script, claim: Option<&HeldClaim>) -> Script {
    let text = |value: Option<&str>| encode(value.unwrap_or_default());
    let number = |value: Option<u64>| value.unwrap_or_default().to_string();
    script
        .set("lease_wait", "5")
        .set(
            "claim_fqdn",
            &claim.map_or(String::new(), |it| file_name(&it.host.fqdn)),
        )
        .set("claim_run", &text(claim.map(|it| it.run.as_str())))
        .set("claim_token", &text(claim.map(|it| it.token.0.as_str())))
        .set("claim_phase", &text(claim.map(|it| it.phase.as_str())))
        .set("claim_length", &number(claim.map(|it| it.journal.length)))
        .set("claim_sum", &text(claim.map(|it| it.journal.sum.as_str())))
}

/// The lines of claim files that are about the same machine: its name and its identities.
pub(super) fn identities(host: &ClaimedHost) -> String {
    let mut lines = vec![format!("fqdn={}", file_name(&host.fqdn))];
    for (key, value) in [
        ("serial", &host.serial),
        ("uuid", &host.uuid),
        ("mac", &host.mac),
        ("bmc", &host.bmc),
    ] {
        if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
            lines.push(format!("{key}={}", encode(value)));
        }
    }
    lines.join("\n")
}

/// The claims in an answer.
pub(super) fn shown_in(answer: &Answer) -> Vec<ObservedClaim> {
    let mut shown = Vec::new();
    let mut current: Vec<(String, String)> = Vec::new();
    for (key, value) in &answer.fields {
        match key.as_str() {
            "claim" => current.clear(),
            DAMAGED => shown.push(damaged(value)),
            "later" => shown.push(later(value)),
            "fresh" => {
                let group = Answer {
                    status: value.clone(),
                    fields: std::mem::take(&mut current),
                };
                shown.extend(claim(&group));
            }
            _ => current.push((key.clone(), value.clone())),
        }
    }
    shown
}

fn claim(group: &Answer) -> Option<ObservedClaim> {
    let text = |key: &str| decode(group.word(key));
    let some = |key: &str| text(key).map(|text| Some(text).filter(|text| !text.is_empty()));
    Some(ObservedClaim {
        claim: Claim {
            format: FORMAT,
            host: ClaimedHost {
                fqdn: text("c.fqdn")?,
                serial: some("c.serial")?,
                uuid: some("c.uuid")?,
                mac: some("c.mac")?,
                bmc: some("c.bmc")?,
            },
            run: text("c.run")?,
            token: Token(text("c.token")?),
            state: match group.word("c.state") {
                "held" => ClaimState::Held,
                "broken" => ClaimState::Broken,
                "released" => ClaimState::Released,
                _ => return None,
            },
            controller: ControllerId {
                name: text("c.controller")?,
                boot_id: text("c.controller-boot")?,
                lock_inode: group.number("c.lock-inode")?,
            },
            actor: text("c.actor")?,
            uid: group.word("c.uid").parse().ok()?,
            phase: text("c.phase")?,
            acquisition: group.number("c.acquisition")?,
            journal: JournalMark {
                length: group.number("c.length")?,
                sum: text("c.sum")?,
            },
        },
        age_ms: group.number("age-ms")?,
        is_fresh: group.status == "yes",
    })
}

/// A claim file that cannot be read: it keeps everybody away until it is broken.
fn damaged(name: &str) -> ObservedClaim {
    ObservedClaim {
        claim: Claim {
            format: FORMAT,
            host: ClaimedHost {
                fqdn: decode(name).unwrap_or_else(|| name.to_owned()),
                ..ClaimedHost::default()
            },
            run: DAMAGED.to_owned(),
            token: Token(DAMAGED.to_owned()),
            state: ClaimState::Held,
            controller: ControllerId {
                name: "unknown".to_owned(),
                boot_id: String::new(),
                lock_inode: 0,
            },
            actor: "unknown".to_owned(),
            uid: 0,
            phase: String::new(),
            acquisition: 0,
            journal: JournalMark::default(),
        },
        age_ms: 0,
        is_fresh: true,
    }
}

/// A claim of a later version.
fn later(name: &str) -> ObservedClaim {
    let mut shown = damaged(name);
    shown.claim.format = FORMAT.saturating_add(1);
    shown.claim.run = "of a later version".to_owned();
    shown.claim.token = Token(String::new());
    shown
}
