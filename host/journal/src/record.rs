//! Every kind of record, defined once.

use crate::call::{GuestEnd, Intent, Outcome, Timer};
use crate::checked::{AcceptedBoot, Checked, ReportedKey};
use crate::ending::Ending;
use crate::header::{Header, LeaseRequested};
use crate::note::{Answered, Level, Question, UndoClosed};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use wreimage_capability::lease::Token;

/// A record with its place and its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Position in the run, from 1.
    pub number: u64,
    /// When, by the clock of the run (virtual in the lab).
    pub time: Timestamp,
    /// What.
    #[serde(flatten)]
    pub record: Record,
}

/// What can stand in a record of a run. Later kinds and fields are added, none is changed; whoever does not know one that is
/// there refuses the journal: what it says must not be left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Record {
    /// The first record: what was started, for what, by whom.
    Header(Box<Header>),
    /// A mutation is about to be tried.
    Intent(Intent),
    /// A call has been answered.
    Outcome(Outcome),
    /// What a wait saw, or a line of a long call. For people.
    Progress {
        /// Number of the call.
        call: u64,
        /// What was seen.
        text: String,
    },
    /// The guest began a step.
    StepBegan {
        /// Phase of the runbook.
        phase: String,
        /// Name of the step.
        name: String,
        /// How long it is expected to take.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expected_ms: Option<u64>,
    },
    /// The guest ended its step.
    StepEnded {
        /// Phase of the runbook.
        phase: String,
        /// Name of the step.
        name: String,
        /// How it ended.
        level: Level,
        /// What was found.
        text: String,
        /// Names and values that support it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        evidence: Vec<(String, String)>,
        /// How long it took by the clock of the run, in milliseconds.
        #[serde(default)]
        took_ms: u64,
        /// The component that ended it, when it is one that is plugged into the guest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        component: Option<String>,
    },
    /// Something worth reporting, from the guest or the host.
    Note {
        /// How much it matters.
        level: Level,
        /// What.
        text: String,
        /// Whether the host itself noticed it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        by_host: bool,
        /// The component that reports it, when it is one that is plugged into the guest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        component: Option<String>,
    },
    /// A wait or a pause has begun.
    Timer(Timer),
    /// A line of the guest's log. For people.
    Log {
        /// `debug`, `info`, `warn` or `error`.
        severity: String,
        /// The line.
        text: String,
    },
    /// Something is left, and the run means to end it itself. It takes the place of what has the same key.
    FollowUp {
        /// Its name among those of this run.
        key: String,
        /// What is left if the run does not end it.
        text: String,
        /// The command that ends it.
        command: String,
        /// What the guest has to know of it at the end.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        extra: Vec<(String, String)>,
    },
    /// What was registered under this key has ended.
    FollowUpEnded {
        /// Its name among those of this run.
        key: String,
    },
    /// Something is left to the operator; this command ends it. It takes the place of what has the same key.
    Reminder {
        /// Its name among those of this run; journals before it had names have none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// What is left.
        text: String,
        /// The command that ends it.
        command: String,
        /// What the guest has to know of it at the end.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        extra: Vec<(String, String)>,
    },
    /// The operator is asked.
    Question(Question),
    /// The operator has answered.
    Answer(Answered),
    /// Consent was given to the first change.
    Consented {
        /// The mutation that waited for it.
        first: String,
        /// What was known of the host, by name.
        known: Vec<(String, String)>,
        /// All that was shown and that consent is bound to, by name. What differs later is asked anew.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        shown: Vec<(String, String)>,
    },
    /// The host was checked: what the inventory, its BMC and its old system reported.
    Checked(Box<Checked>),
    /// From here on the run accepts this boot and its host key at the installer identity, and no other.
    BootPinned(AcceptedBoot),
    /// The lease on the host is about to be requested, under a new token.
    LeaseRequested(Box<LeaseRequested>),
    /// The install server confirmed that this run has the lease.
    LeaseAcquired {
        /// The token of the request.
        token: Token,
        /// Number of this acquisition of the host.
        acquisition: u64,
    },
    /// This run gave the lease back.
    LeaseReleased {
        /// Its token.
        token: Token,
    },
    /// A call was not made although its intent is recorded: whether this run still has the lease was not confirmed.
    Withheld {
        /// Number of the call.
        call: u64,
        /// Why.
        why: String,
    },
    /// From here on the run accepts this host key at the production identity besides the known ones.
    HostKeyAccepted {
        /// SHA-256 fingerprint.
        fingerprint: String,
        /// The host's certificate has reported it; without one, the operator has given it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reported: Option<ReportedKey>,
    },
    /// From here on, this must be taken back at the end.
    UndoOpened {
        /// Number of the call that made it.
        call: u64,
        /// What takes it back, such as `dhcp.withdraw`.
        inverse: String,
        /// What is taken back, for people.
        thing: String,
    },
    /// An entry of the undo list is settled.
    UndoClosed(UndoClosed),
    /// The operator wants the run to end.
    Signal {
        /// `cancel`.
        signal: String,
    },
    /// From here on everything happens in a twin: the rehearsal has reached the first mutation.
    TwinEntered {
        /// The mutation that would have been the first.
        function: String,
    },
    /// The guest's part is over; what follows is the host's, and the closing words.
    GuestEnded(GuestEnd),
    /// The run waits for a person. It can be resumed.
    Paused {
        /// For what.
        why: String,
    },
    /// Another process goes on with the run.
    Resumed {
        /// Who resumed it.
        actor: String,
        /// The machine that it was resumed on.
        controller: String,
        /// Version of the host program.
        wreimage: String,
        /// For how long nobody drove it, in milliseconds: waits are extended by that. Negative when the clock was set back.
        #[serde(default)]
        undriven_ms: i64,
    },
    /// From here on another guest file goes on, which has made every call of this journal up to here.
    GuestChanged {
        /// SHA-256 of its file.
        digest: String,
        /// Its version in its own words.
        version: String,
    },
    /// The last record.
    Finished(Ending),
}

/// The version of the format that this crate writes.
pub const FORMAT: u32 = 1;
