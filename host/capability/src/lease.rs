//! The lease on a host: it orders the controllers that may change it.
//!
//! A host lock in the state folder orders the runs of one controller. A lease orders controllers, colleagues and copies of a
//! run. It lives on the install server, and the lab's world has one. The book's page about the lease explains the protocol.

pub mod judgement;

use crate::Fault;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Weak;
use std::time::Duration;

/// The version of a claim that this program writes. It refuses a later one.
pub const FORMAT: u32 = 1;

/// The random value that identifies one acquisition: 32 hexadecimal digits. The engine makes it and records it durably
/// before it sends the request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(pub String);

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What identifies the machine of a claim, from the inventory snapshot of the check before. Two claims that share any of
/// these values are about the same machine, whatever the host is called.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ClaimedHost {
    /// Full name of the host; names the claim.
    pub fqdn: String,
    /// Serial number of the machine.
    pub serial: Option<String>,
    /// SMBIOS UUID.
    pub uuid: Option<String>,
    /// MAC address of the primary interface.
    pub mac: Option<String>,
    /// Resolved address of the BMC.
    pub bmc: Option<String>,
}

impl ClaimedHost {
    /// Whether both are about the same machine: the name or one identity that both have is equal, whatever its case.
    pub fn is_same_machine(&self, other: &ClaimedHost) -> bool {
        let same = |one: &Option<String>, other: &Option<String>| match (one, other) {
            (Some(one), Some(other)) => !one.is_empty() && one.eq_ignore_ascii_case(other),
            _ => false,
        };
        self.fqdn.eq_ignore_ascii_case(&other.fqdn)
            || same(&self.serial, &other.serial)
            || same(&self.uuid, &other.uuid)
            || same(&self.mac, &other.mac)
            || same(&self.bmc, &other.bmc)
    }
}

/// Whether a claim still keeps other runs away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClaimState {
    /// A run has it, alive or not.
    Held,
    /// An operator broke it. Token, length and sum are kept, and so is the heartbeat: the next run waits until it is stale.
    Broken,
    /// Its run ended and released it. Token, length and sum are kept.
    Released,
}

/// Identifies the controller of a run: "the same controller, in the same boot, with the same state folder".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ControllerId {
    /// Its host name.
    pub name: String,
    /// Its kernel's boot ID.
    pub boot_id: String,
    /// Inode of the file of locks in its state folder.
    pub lock_inode: u64,
}

/// How far a journal has grown. Within one run it never falls.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct JournalMark {
    /// Number of records.
    pub length: u64,
    /// Chained sum of the last record, in hexadecimal.
    pub sum: String,
}

/// A claim on a host as the lease folder keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Claim {
    /// See [`FORMAT`].
    pub format: u32,
    /// The machine.
    pub host: ClaimedHost,
    /// ID of the run.
    pub run: String,
    /// The acquisition.
    pub token: Token,
    /// Whether it keeps others away.
    pub state: ClaimState,
    /// Which controller drives the run.
    pub controller: ControllerId,
    /// Who started or resumed the run, for people.
    pub actor: String,
    /// The user ID of that person's process on the controller.
    pub uid: u32,
    /// The phase that the run was in at its last request, for people.
    pub phase: String,
    /// Counts the acquisitions of this host. The server sets it.
    pub acquisition: u64,
    /// The journal at the last request.
    pub journal: JournalMark,
}

/// A claim and its age.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ObservedClaim {
    /// The claim.
    pub claim: Claim,
    /// By how much the server's uptime has grown since the last heartbeat, in milliseconds.
    pub age_ms: u64,
    /// Whether that is less than the folder's time to live.
    pub is_fresh: bool,
}

/// What the lease folder says at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Observation {
    /// The claims that concern the machine: its own host's and those of other hosts with the same identity; for
    /// [`Lease::list`], all.
    pub claims: Vec<ObservedClaim>,
    /// How long a claim is fresh after its last heartbeat, in milliseconds.
    pub ttl_ms: u64,
    /// For how much longer nobody acquires because the server has booted or the folder was created lately, in milliseconds.
    pub settling_ms: u64,
}

/// With what right a run wants the lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Right {
    /// A run that begins.
    Begin,
    /// A run that begins over this stale claim: the operator named its run with `--take-over`.
    TakeOver {
        /// ID of the run whose claim it takes over.
        run: String,
    },
    /// A run that continues over its own last acquisition.
    Resume {
        /// Every token that its journal has recorded.
        tokens: Vec<Token>,
    },
}

/// A request for the lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Acquire {
    /// The claim as it shall be, with its new token. The server sets `acquisition`.
    pub claim: Claim,
    /// The token of the claim that was observed; `None` when there was none.
    pub over: Option<Token>,
    /// With what right.
    pub right: Right,
}

/// A claim that this process holds, as it proves that with each request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct HeldClaim {
    /// The machine.
    pub host: ClaimedHost,
    /// ID of the run.
    pub run: String,
    /// Its token.
    pub token: Token,
    /// The present phase, for people.
    pub phase: String,
    /// The journal now.
    pub journal: JournalMark,
}

/// The server confirmed a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Confirmed {
    /// How long the claim is fresh, counted from when the request was sent, in milliseconds.
    pub ttl_ms: u64,
    /// Number of this acquisition of the host.
    pub acquisition: u64,
}

/// Why a request about a lease was not confirmed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LeaseError {
    /// The server judged the request and refused it. Nothing was written.
    #[error("{why}")]
    Refused {
        /// Why, for people: names the run, controller, actor and age of the claim in the way.
        why: String,
        /// The claim in the way, if there is one.
        by: Option<Box<ObservedClaim>>,
    },
    /// A claim that this process held is foreign, broken or missing.
    #[error("{0}")]
    Lost(String),
    /// The lease folder is missing, restored or unusable; only an act of its own creates it.
    #[error("{0}")]
    Folder(String),
    /// There was no answer: whether the request took effect is unknown. The same request may be sent again.
    #[error("{}", .0.message)]
    NoAnswer(Fault),
}

/// Result of a request about a lease.
pub type LeaseResult<T> = Result<T, LeaseError>;

/// Where leases are kept. One for each install server; every request is one execution there.
pub trait Lease: Send + Sync {
    /// Names the server in messages.
    fn system(&self) -> String;

    /// Reads the claims that concern this machine. Writes nothing.
    fn observe<'a>(&'a self, host: &'a ClaimedHost) -> BoxFuture<'a, LeaseResult<Observation>>;

    /// Reads all claims. Writes nothing.
    fn list(&self) -> BoxFuture<'_, LeaseResult<Observation>>;

    /// Judges the request by the claims as they are then, and writes the new claim. The same token again is confirmed and
    /// not executed.
    fn acquire<'a>(&'a self, request: &'a Acquire) -> BoxFuture<'a, LeaseResult<Confirmed>>;

    /// Refreshes the heartbeats of all these claims in one execution; one answer for each, in their order.
    fn renew<'a>(
        &'a self,
        claims: &'a [HeldClaim],
    ) -> BoxFuture<'a, LeaseResult<Vec<LeaseResult<Confirmed>>>>;

    /// Confirms that the claim is held with this token and that the journal has not become shorter; refreshes the heartbeat.
    fn verify<'a>(&'a self, claim: &'a HeldClaim) -> BoxFuture<'a, LeaseResult<Confirmed>>;

    /// Breaks the claim of this host with this token, and leaves its heartbeat.
    fn break_claim<'a>(&'a self, fqdn: &'a str, token: &'a Token)
    -> BoxFuture<'a, LeaseResult<()>>;

    /// Releases a claim that this process holds.
    fn release<'a>(&'a self, claim: &'a HeldClaim) -> BoxFuture<'a, LeaseResult<()>>;
}

/// A claim that is renewed while a process drives its run.
pub trait Renewed: Send + Sync {
    /// The claim as it stands now; `None` when this process no longer holds it.
    fn claim(&self) -> Option<HeldClaim>;

    /// Takes the answer to a renewal that was sent at this uptime of the controller.
    fn renewed(&self, sent: Duration, answer: LeaseResult<Confirmed>);
}

/// Renews the claims of one process at one server.
pub trait Renewal: Send + Sync {
    /// Renews this claim, which lives for so long after each request, until the guard that it returns is dropped, or whoever
    /// has the claim is gone.
    fn keep(&self, claim: Weak<dyn Renewed>, lives: Duration) -> Box<dyn Send + Sync>;
}

/// The time that a holder counts its validity by. It never falls, and it passes while the controller is suspended.
pub trait Uptime: Send + Sync {
    /// How long the controller has been up.
    fn uptime(&self) -> Duration;
}

#[cfg(test)]
mod tests {
    use super::ClaimedHost;

    #[test]
    fn one_shared_identity_is_the_same_machine() {
        let host = |fqdn: &str, serial: Option<&str>| ClaimedHost {
            fqdn: fqdn.to_owned(),
            serial: serial.map(str::to_owned),
            ..ClaimedHost::default()
        };
        let one = host("host1001.example", Some("ABC1"));
        assert!(one.is_same_machine(&host("HOST1001.example", None)));
        assert!(one.is_same_machine(&host("renamed.example", Some("abc1"))));
        assert!(!one.is_same_machine(&host("host1002.example", Some("ABC2"))));
        assert!(!host("a.example", None).is_same_machine(&host("b.example", None)));
        assert!(!host("a.example", Some("")).is_same_machine(&host("b.example", Some(""))));
    }
}
