//! What a check of the host has found.

use serde::{Deserialize, Serialize};
use wreimage_capability::HostSnapshot;

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
