//! What a run was started with.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use wreimage_capability::lease::{ClaimedHost, Token};

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
