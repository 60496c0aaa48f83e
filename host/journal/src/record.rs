//! Every kind of record, defined once.

use crate::ending::Ending;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use wreimage_capability::lease::{ClaimedHost, Token};
use wreimage_capability::{Effect, Fault, HostSnapshot};

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

/// What a run was started for, and with what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Version of this format.
    pub format: u32,
    /// Id of the run.
    pub run: String,
    /// Short name of the host.
    pub host: String,
    /// The batch that the run is one of, if it was started for several hosts at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<String>,
    /// Name of the site.
    pub site: String,
    /// What it works on.
    pub mode: Mode,
    /// SHA-256 of the site file; without one, there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Whether it is a rehearsal.
    pub dry_run: bool,
    /// Whether another process can go on with it.
    pub resumable: bool,
    /// Name of the guest in its own words.
    pub guest: String,
    /// Version of the guest in its own words.
    pub guest_version: String,
    /// SHA-256 of the guest's file, with all that is plugged in.
    pub guest_digest: String,
    /// The components that are plugged into it, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plugs: Vec<Plugged>,
    /// Options of the guest, with defaults.
    pub options: Vec<(String, String)>,
    /// What a step that fails does.
    #[serde(default, skip_serializing_if = "OnFailure::is_undo")]
    pub on_failure: OnFailure,
    /// Who started it.
    pub actor: String,
    /// The machine that it was started on.
    pub controller: String,
    /// Why, in the words of whoever started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The capabilities that the site does not have, as the guest was told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<String>,
    /// The lock that keeps other runs from the host; without it, it was started with `--no-locks`, or nobody else can reach
    /// the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<String>,
    /// SHA-256 fingerprint of the host key that the operator has given: it is accepted, and no other unknown one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_key: Option<String>,
    /// What is pinned of the effect tables: what a crash leaves in doubt depends on them.
    pub effects: RecordedEffects,
    /// Version of the host program.
    pub wreimage: String,
}

/// What a journal pins of the effect tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RecordedEffects {
    /// The effect of each function that the guest imports, by the function's full name.
    Functions(BTreeMap<String, String>),
    /// SHA-256 of all tables, as earlier versions pinned them.
    Digest(String),
}

/// A request for the lease on the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseRequested {
    /// The token that identifies this acquisition from now on.
    pub token: Token,
    /// The machine that is claimed.
    pub host: ClaimedHost,
    /// The run over whose claim it is requested, when the operator took the host over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take_over: Option<String>,
}

/// A component that is plugged into the guest of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plugged {
    /// Its name in its own words.
    pub name: String,
    /// Its version in its own words.
    pub version: String,
    /// SHA-256 of its file.
    pub digest: String,
}

/// What one check of the host has found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checked {
    /// The inventory's record, which all later calls use; `None` where there is no inventory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<HostSnapshot>,
    /// Who the BMC reports the machine to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bmc: Option<Reported>,
    /// The site says that the GUID of such a BMC is not the machine's UUID.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub guid_unrelated: bool,
    /// Who the old system reports the machine to be, where it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<Reported>,
    /// The operating system that was there, where it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_os: Option<String>,
}

pub use wreimage_capability::role::MachineIdentity as Reported;

/// A boot at the installer identity that the run accepts although it has not waited for it: an earlier run left it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AcceptedBoot {
    /// The boot ID.
    pub boot_id: String,
    /// SHA-256 fingerprint of the host key that the machine shows in this boot.
    pub host_key: String,
    /// What confirms the key; without it, consent shows the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_by: Option<KnownBy>,
}

/// What confirms that a host key is the host's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KnownBy {
    /// The operator has given it.
    Operator,
    /// This run, whose journal is in the same state folder, accepted it in the same boot.
    Run(String),
    /// The host's certificate has reported it.
    Certificate(ReportedKey),
}

/// When the agent with the host's certificate has reported a host key. Times are milliseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportedKey {
    /// When the certificate was signed.
    pub signed_ms: u64,
    /// When the key was reported.
    pub reported_ms: u64,
}

/// What a run works on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "folder", rename_all = "kebab-case")]
pub enum Mode {
    /// Real systems: all, or some of them beside simulated ones.
    Live,
    /// A simulated data centre that goes away with its process.
    Lab,
    /// A simulated data centre that is kept in this directory.
    World(String),
}

/// What a step that fails does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// The guest ends as it was written to, and what must not stay is taken back.
    #[default]
    Undo,
    /// The operator is asked; the run pauses when nobody is there.
    Ask,
    /// The run pauses, also at a terminal, until somebody answers and resumes it.
    Pause,
}

impl OnFailure {
    fn is_undo(&self) -> bool {
        *self == OnFailure::Undo
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            OnFailure::Undo => "undo",
            OnFailure::Ask => "ask",
            OnFailure::Pause => "pause",
        }
    }
}

/// A wait or a pause has begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timer {
    /// Number of the call.
    pub call: u64,
    /// Such as `remote.wait-for-boot`.
    pub function: String,
    /// Who waits.
    pub origin: Origin,
    /// Arguments by name.
    pub arguments: Value,
    /// When it is over, in milliseconds since 1970 by the clock of the run.
    pub due_ms: u64,
}

/// How the guest's part ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "how", content = "what", rename_all = "kebab-case")]
pub enum GuestEnd {
    /// It returned this outcome.
    Returned(Value),
    /// It returned a fault.
    Faulted(Fault),
    /// It died.
    Trapped(String),
    /// The host stopped it: a word that says for what kind of reason, and the reason.
    Stopped(String, String),
    /// It was cancelled.
    Cancelled,
}

/// The version of the format that this crate writes.
pub const FORMAT: u32 = 1;

/// Who makes a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The guest.
    Guest,
    /// The host, for a check of its own.
    Host,
    /// The host, taking something back.
    Undo,
}

/// A mutation that is about to be tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    /// Number of the call.
    pub call: u64,
    /// Such as `ipmi.set-power`.
    pub function: String,
    /// Its effect class.
    pub effect: Effect,
    /// Who makes it.
    pub origin: Origin,
    /// The component that makes it, when it is one that is plugged into the guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// Arguments by name.
    pub arguments: Value,
    /// What the world looked like before, for a `once` call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness: Option<Value>,
}

/// How much an answer can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reality {
    /// It comes from the real system, or from the lab that the run is made in.
    Real,
    /// It comes from the twin of a rehearsal.
    Assumed,
    /// The twin could not know.
    NotPreviewed,
}

impl Reality {
    fn is_real(&self) -> bool {
        *self == Reality::Real
    }
}

fn real() -> Reality {
    Reality::Real
}

/// A call that was answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Number of the call.
    pub call: u64,
    /// Such as `ipmi.set-power`.
    pub function: String,
    /// Its effect class.
    pub effect: Effect,
    /// Who made it.
    pub origin: Origin,
    /// The component that made it, when it is one that is plugged into the guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// Arguments by name.
    pub arguments: Value,
    /// The value or the fault.
    pub result: Result<Value, Fault>,
    /// How far to trust it.
    #[serde(default = "real", skip_serializing_if = "Reality::is_real")]
    pub reality: Reality,
    /// How long it took by the clock of the run, in milliseconds.
    pub took_ms: u64,
}

/// How much something matters, or how a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Left out on purpose.
    Skipped,
    /// Done.
    Success,
    /// Done or not, and somebody should look.
    Warning,
    /// Not done.
    Failure,
    /// The guest went away in the middle.
    Unfinished,
}

impl Level {
    /// The level as a word.
    pub fn word(self) -> &'static str {
        match self {
            Level::Skipped => "skipped",
            Level::Success => "success",
            Level::Warning => "warning",
            Level::Failure => "failure",
            Level::Unfinished => "unfinished",
        }
    }
}

/// The operator is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Number of the call.
    pub call: u64,
    /// The question.
    pub question: String,
    /// Answers that can be given, with what they do.
    pub choices: Vec<(String, String)>,
    /// The host itself asks for leave to make the first change, to which the host's name is consent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub consent: bool,
}

/// The operator has answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answered {
    /// Number of the call.
    pub call: u64,
    /// One of the choices.
    pub answer: String,
    /// Who gave it, or the default that was given for want of an answer.
    #[serde(default)]
    pub by: String,
}

/// What became of an entry of the undo list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UndoState {
    /// Taken back.
    Done,
    /// Tried, and it failed: something is left.
    Failed,
    /// There was nothing to take back any more.
    NotNeeded,
    /// Left on purpose.
    Left,
}

impl UndoState {
    /// The state as a word.
    pub fn word(self) -> &'static str {
        match self {
            UndoState::Done => "done",
            UndoState::Failed => "failed",
            UndoState::NotNeeded => "not-needed",
            UndoState::Left => "left",
        }
    }
}

/// An entry of the undo list is settled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UndoClosed {
    /// Number of the call that made the thing.
    pub call: u64,
    /// What takes it back.
    pub inverse: String,
    /// What was taken back, for people.
    pub thing: String,
    /// What became of it.
    pub state: UndoState,
    /// Why, where it is not plain.
    pub text: String,
}
