//! The site file: every key, its type and its default. `example-site.toml` beside this crate shows each of them.

use crate::grants::Grant;
use crate::limits::Limits;
use crate::waits::WaitTable;
use serde::Deserialize;
use std::path::PathBuf;
use toml::Spanned;
use wreimage_live::lease::LeaseTable;
use wreimage_live::{Period, SecretRef, Tables};

/// All that a site file says.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SiteFile {
    /// Name of the site, such as the data centre's.
    pub name: String,
    /// Domain of the hosts: the FQDN of a host is `HOST.DOMAIN` unless the inventory has another.
    pub domain: Spanned<String>,
    /// Name of a host's management interface; `{host}` and `{domain}` stand for the host's.
    #[serde(default = "management")]
    pub management: String,
    /// Folder of the runs' records instead of the user's state folder. Relative to the site file.
    pub state: Option<PathBuf>,
    /// The command that opens a machine's console, for people; `{host}`, `{fqdn}` and `{management}` are filled in.
    pub console: Option<String>,
    /// The tables of capabilities, each named after its capability.
    #[serde(skip)]
    pub tables: Tables,
    /// What orders the controllers that may change a host.
    #[serde(default)]
    pub lease: LeaseTable,
    /// What the simulated data centre serves besides the capabilities whose own table says `lab`.
    pub lab: Option<LabTable>,
    /// Which guest may do what to which hosts. Without an entry a guest may do nothing.
    #[serde(default)]
    pub grants: Vec<Grant>,
    /// What a guest may consume.
    #[serde(default)]
    pub limits: Limits,
    /// How long and how often waits look.
    #[serde(default)]
    pub waits: WaitTable,
    /// What is refused here.
    #[serde(default)]
    pub policy: Policy,
    /// Who is told of runs that wait, are lost, or have ended.
    pub notify: Option<NotifyTable>,
    /// How long the records of runs that have ended are kept.
    #[serde(default)]
    pub retention: Retention,
}

fn management() -> String {
    "{host}.mgmt.{domain}".to_owned()
}

/// What is refused here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Policy {
    /// A host that has one of these tags in the inventory is never touched.
    pub protected_tags: Vec<String>,
    /// Whether a machine of which no serial number or UUID can be compared is refused.
    pub identity: IdentityPolicy,
    /// Vendors and models, as the inventory or the BMC names them, whose BMCs have a GUID that is not the machine's UUID: the
    /// serial number decides there.
    pub unrelated_guids: Vec<String>,
    /// Texts on a kernel command line by which an installer is known; without any, those of Debian's.
    pub installer_marks: Vec<String>,
}

/// `identity` of `[policy]`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdentityPolicy {
    /// It is refused.
    #[default]
    Required,
    /// It is let through, with a caution at consent.
    Optional,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            protected_tags: vec!["protected".to_owned()],
            identity: IdentityPolicy::Required,
            unrelated_guids: Vec::new(),
            installer_marks: Vec::new(),
        }
    }
}

/// `[notify]`: who is told of runs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NotifyTable {
    /// A program that gets the message as JSON on its standard input.
    pub command: Option<Spanned<Vec<String>>>,
    /// Where the message is posted as JSON.
    pub url: Option<Spanned<String>>,
    /// The same, where the address itself is a secret.
    pub url_secret: Option<Spanned<SecretRef>>,
    /// Of what it is told; of everything, unless it says otherwise.
    #[serde(default = "Occasion::all")]
    pub on: Vec<Occasion>,
    /// How long telling may take.
    #[serde(default = "ten_seconds")]
    pub timeout: Spanned<Period>,
}

/// What somebody is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Occasion {
    /// A run waits for an answer, or has paused.
    Waits,
    /// The process of a run went away before the run had ended.
    Lost,
    /// A run has ended.
    Ended,
}

impl Occasion {
    fn all() -> Vec<Occasion> {
        vec![Occasion::Waits, Occasion::Lost, Occasion::Ended]
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Occasion::Waits => "waits",
            Occasion::Lost => "lost",
            Occasion::Ended => "ended",
        }
    }
}

fn ten_seconds() -> Spanned<Period> {
    Spanned::new(0..0, Period::secs(10))
}

/// `[retention]`: which records of runs that have ended are kept. Those of others are always kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Retention {
    /// Those of the last so many days; without it, of all.
    pub days: Option<u32>,
    /// The last so many runs; without it, all.
    pub runs: Option<u32>,
}

/// `[lab]`: the systems around the machine that the simulated data centre stands in for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LabTable {
    /// Capabilities, such as `puppet`; those with a table of their own are chosen there.
    pub capabilities: Vec<Spanned<String>>,
    /// The world file; without it a world in which only the host is, and is known everywhere.
    pub world: Option<PathBuf>,
}
