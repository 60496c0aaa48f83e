//! What a run is started for, and why one cannot begin.

use crate::guest::grants::{Absent, Grants};
use crate::guest::limits::Limits;
use crate::guest::options::OptionValues;
use jiff::Timestamp;
use std::hash::{BuildHasher, Hasher};
use wreimage_capability::InstallerMarks;
use wreimage_journal::{Header, LogError, Mode, OnFailure};

/// What a run is started for.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// Id of the run; [`RunRequest::new`] makes one.
    pub run: String,
    /// Short name of the host.
    pub host: String,
    /// Name of the site.
    pub site: String,
    /// Options of the guest.
    pub options: OptionValues,
    /// Who starts it.
    pub actor: String,
    /// The machine that it is started on.
    pub controller: String,
    /// Whether to rehearse only.
    pub dry_run: bool,
    /// What the guest may call.
    pub grants: Grants,
    /// The capabilities that the site does not have.
    pub absent: Absent,
    /// Tags in the inventory that forbid any change.
    pub protected_tags: Vec<String>,
    /// Vendors and models whose BMCs have a GUID that is not the machine's UUID: the serial number decides there.
    pub unrelated_guids: Vec<String>,
    /// The texts on a kernel command line by which an installer is known.
    pub installer_marks: InstallerMarks,
    /// Whether a machine of which no serial number or UUID can be compared is let through, with a caution at consent.
    pub identity_optional: bool,
    /// Digests of what the site decides, by name: its grants, its policy, its tables of providers. Consent is bound to them.
    pub site_tables: Vec<(String, String)>,
    /// Fingerprint (`SHA256:…`) of a host key that the operator has compared, and that is accepted though it is not known.
    pub host_key: Option<String>,
    /// The command that opens the host's console, for a boot that does not come.
    pub console: Option<String>,
    /// What the guest may use.
    pub limits: Limits,
    /// Why it is started, in the words of whoever starts it.
    pub reason: Option<String>,
    /// What it works on.
    pub mode: Mode,
    /// SHA-256 of the site file: what the site allows is part of what was started.
    pub policy: Option<String>,
    /// The batch that the run is one of, if it is one of several.
    pub batch: Option<String>,
    /// What a step that fails does.
    pub on_failure: OnFailure,
    /// The lock that keeps other runs from the host, if there is one.
    pub lock: Option<String>,
}

impl RunRequest {
    /// A run of everything granted, without options, for a host of a site.
    pub fn new(host: impl Into<String>, site: impl Into<String>) -> Self {
        let host = host.into();
        RunRequest {
            run: run_id(&host, Timestamp::now()),
            host,
            site: site.into(),
            options: OptionValues::default(),
            actor: "unknown".to_owned(),
            controller: "unknown".to_owned(),
            dry_run: false,
            grants: Grants::all("the embedding program"),
            absent: Absent::new(),
            protected_tags: vec!["protected".to_owned()],
            unrelated_guids: Vec::new(),
            installer_marks: InstallerMarks::default(),
            identity_optional: false,
            site_tables: Vec::new(),
            host_key: None,
            console: None,
            limits: Limits::default(),
            reason: None,
            mode: Mode::Live,
            policy: None,
            batch: None,
            on_failure: OnFailure::Undo,
            lock: None,
        }
    }

    /// What a run was started for, by its header. What the site decides is for the caller to set.
    pub fn resumed(header: &Header) -> Self {
        RunRequest {
            run: header.run.clone(),
            options: OptionValues::recorded(header.options.clone()),
            actor: header.actor.clone(),
            controller: header.controller.clone(),
            dry_run: header.dry_run,
            absent: header.absent.iter().cloned().collect(),
            reason: header.reason.clone(),
            mode: header.mode.clone(),
            policy: header.policy.clone(),
            batch: header.batch.clone(),
            on_failure: header.on_failure,
            lock: header.lock.clone(),
            host_key: header.host_key.clone(),
            ..RunRequest::new(&header.host, &header.site)
        }
    }
}

/// `20260131T235959-host1001-4f3a09c2`: sorts by time, names the host, and two in one second differ.
fn run_id(host: &str, now: Timestamp) -> String {
    let random = std::hash::RandomState::new().build_hasher().finish() & 0xffff_ffff;
    format!("{}-{host}-{random:08x}", now.strftime("%Y%m%dT%H%M%S"))
}

/// A run that could not begin, or could not be recorded to its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The guest wants what it is not granted.
    #[error("{0}")]
    NotGranted(String),
    /// It is not the guest that the run was started with, and does something else.
    #[error("the other guest cannot go on with this run: {0}")]
    OtherGuest(String),
    /// The record cannot be kept: nothing more is done.
    #[error(transparent)]
    Record(#[from] LogError),
    /// The host failed.
    #[error("the host failed: {0}")]
    Host(String),
}
