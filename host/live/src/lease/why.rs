//! Why a request about a lease was refused, for people.

use crate::install_server::{Answer, InstallServer};
use wreimage_capability::Fault;
use wreimage_capability::lease::{ClaimState, ObservedClaim};

/// `12 s`, `7 min`, `3 h`.
pub(super) fn time(millis: u64) -> String {
    match millis.div_ceil(1000) {
        s if s < 120 => format!("{s} s"),
        s if s < 7200 => format!("{} min", s / 60),
        s => format!("{} h", s / 3600),
    }
}

/// Whose claim it is: run, controller, actor, phase and age.
pub(super) fn holder(shown: &ObservedClaim) -> String {
    let claim = &shown.claim;
    let phase = match claim.phase.as_str() {
        "" => String::new(),
        phase => format!(", phase {phase}"),
    };
    format!(
        "run {} of {} on {} (last heartbeat {} ago{phase})",
        claim.run,
        claim.actor,
        claim.controller.name,
        time(shown.age_ms)
    )
}

/// What is wrong with the lease folder of that system, and what to do; `command` creates one.
pub(super) fn folder(system: &str, command: &str, answer: &Answer) -> String {
    let mut why = answer.text("why").unwrap_or_default();
    if let Some(stderr) = answer.get("stderr") {
        why = format!("{why} ({stderr})");
    }
    let next = match answer.word("code") {
        "missing" => format!("Create it with `{command}`"),
        "restored" | "damaged" => format!(
            "`{command}` moves it aside and creates a new one; runs that are under way then end by `wreimage cleanup RUN`"
        ),
        "volatile" | "later" => return format!("{system}: {why}"),
        _ => "Check the account of [dhcp.server], the mode of the folder and the space on its disk"
            .to_owned(),
    };
    format!("{system}: {why}. {next}")
}

/// Why a request was refused. `fqdn` is the host of the request.
pub(super) fn refused(fqdn: &str, answer: &Answer, by: Option<&ObservedClaim>) -> String {
    let settling = answer.number("settling-ms").unwrap_or_default();
    let code = answer.word("code");
    let run = by.map(|by| by.claim.run.as_str()).unwrap_or_default();
    let who = by.map(holder).unwrap_or_default();
    let other = match by {
        Some(by) if !by.claim.host.fqdn.eq_ignore_ascii_case(fqdn) => {
            format!(
                " The claim is on {}, which is the same machine.",
                by.claim.host.fqdn
            )
        }
        _ => String::new(),
    };
    let text = match code {
        "held-fresh" => format!(
            "{who} holds the lease on {fqdn}: that run is alive. Wait for its end, or cancel it on that controller with \
             `wreimage cancel {run}`"
        ),
        "held-stale" => format!(
            "{who} holds the lease on {fqdn}: that run waits, or its controller died. Resume or end it there \
             (`wreimage resume {run}`, `wreimage cleanup {run}`), or take the host over with `--take-over {run}`"
        ),
        "broken-fresh" => format!(
            "the lease on {fqdn} was broken, and {who} may still end a call; no run acquires it before the heartbeat is stale. \
             Try again later"
        ),
        "settling" => format!(
            "the install server has booted, or its lease folder was created, a short time ago: no run acquires {fqdn} for \
             another {}. Try again then",
            time(settling)
        ),
        "changed" => format!(
            "the claim on {fqdn} has changed since it was shown: {}. Start again",
            state(by, &who)
        ),
        "gone" => format!(
            "the claim on {fqdn} that was observed no longer exists: the lease folder is another one. A run that is under way \
             can only be ended (`wreimage cleanup RUN`); a new one can begin"
        ),
        "ended" => format!(
            "this request was confirmed before, and its claim on {fqdn} has ended since: {}",
            state(by, &who)
        ),
        "not-own" => format!(
            "the claim on {fqdn} is not this run's last acquisition: {}. Only `wreimage cleanup RUN` is left here",
            state(by, &who)
        ),
        "shorter" | "diverged" => format!(
            "the journal here is an older or another copy: {who} has recorded {} calls and notes. Only `wreimage cleanup RUN` \
             is left here",
            by.map_or(0, |by| by.claim.journal.length)
        ),
        "copy-fresh" => format!(
            "a copy of this run is alive: {who} holds the lease on {fqdn} with another state folder or since another boot. End \
             it there, or wait until its heartbeat is stale"
        ),
        "released" => format!("the claim on {fqdn} is released: it keeps no run away"),
        "damaged" => format!(
            "the claim file of {} on the install server is damaged, so no one knows whose that machine is. When no run is \
             under way there, replace it with `wreimage lock break {0}`",
            answer.word("damaged")
        ),
        "later" => format!(
            "the claim on {} has the format of a later version of wreimage: use the version that wrote it",
            answer.word("later")
        ),
        other => format!("the lease on {fqdn} was refused ({other})"),
    };
    text + &other
}

fn state(by: Option<&ObservedClaim>, who: &str) -> String {
    match by {
        None => "there is none now".to_owned(),
        Some(by) => match by.claim.state {
            ClaimState::Held => format!("{who} holds it"),
            ClaimState::Broken => format!("it was broken; it belonged to {who}"),
            ClaimState::Released => format!("it is released; it belonged to {who}"),
        },
    }
}

/// Why a claim is lost that this process held.
pub(super) fn lost(fqdn: &str, code: &str, by: Option<&ObservedClaim>) -> String {
    let who = by.map(holder).unwrap_or_default();
    match code {
        "gone" => format!("the claim of this run on {fqdn} no longer exists on the install server"),
        "foreign" => format!("the claim on {fqdn} belongs to {who} now"),
        "broken" => format!("an operator broke the claim of this run on {fqdn}"),
        "released" => format!("the claim of this run on {fqdn} is released"),
        "shorter" | "diverged" => format!(
            "the claim on {fqdn} has seen {} durable records of this run, and this process has fewer or others: a copy of the \
             run is ahead",
            by.map_or(0, |by| by.claim.journal.length)
        ),
        "damaged" => format!(
            "the claim file of {fqdn} on the install server is damaged. When no run is under way there, replace it with \
             `wreimage lock break {fqdn}`"
        ),
        "later" => format!(
            "the claim on {fqdn} has the format of a later version of wreimage: use the version that wrote it"
        ),
        other => format!("the claim on {fqdn} cannot be confirmed ({other})"),
    }
}

/// The fault of a publication or a withdrawal whose claim was not confirmed.
pub(crate) fn fault(server: &InstallServer, answer: &Answer) -> Fault {
    let system = server.system();
    if answer.status == "folder" {
        let why = answer.text("why").unwrap_or_default();
        let message =
            format!("{system}: {why}; nothing was changed. `wreimage site check` shows what to do");
        return Fault::rejected("dhcp.lease-folder", system, message);
    }
    let shown = super::claim::shown_in(answer);
    let by = shown.first();
    let fqdn = by.map_or("this host", |by| by.claim.host.fqdn.as_str());
    let message = format!(
        "{}; nothing was changed",
        lost(fqdn, answer.word("code"), by)
    );
    Fault::conflict("dhcp.claim-lost", system, message)
}
