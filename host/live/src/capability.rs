//! What a capability with live providers is: the one trait that each folder of this crate implements.

use crate::ConfigError;
use crate::check::CheckLine;
use crate::host::Host;
use crate::renewal::Renewal;
use crate::rules::Rules;
use crate::secret::SecretRef;
use crate::secrets::Secrets;
use crate::shared::{Place, Shared};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::future::{Future, ready};
use std::sync::Arc;
use wreimage_capability::{Call, Capability, Dispatch, Fault, Function, HostSnapshot};

/// Who serves a capability at a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// A provider of this crate.
    Live,
    /// The simulated data centre.
    Lab,
    /// Nobody: its functions answer `unsupported`.
    Absent,
}

/// A provider as a capability's `serve` gives it.
pub type Served = (&'static str, Arc<dyn Dispatch>);

/// A file that a table names: what it is, and what was found in it.
pub type NamedFile = (String, Result<String, ConfigError>);

/// A capability with live providers. A value of the type is the capability as one site has configured it; all hosts of a
/// process share it.
///
/// Only `choice`, `new` and `open` must be written; the rest is for capabilities that have more than a provider.
pub trait LiveCapability: Sized + Send + Sync + 'static {
    /// The capability. Its name is that of the table in the site file.
    const CAPABILITY: &'static Capability;

    /// Its table of the site file.
    type Table: DeserializeOwned + Send + Sync + 'static;

    /// Who serves it, as its table has it.
    fn choice(table: &Self::Table) -> Choice;

    /// The secrets to which the table refers, each with its key in the site file, such as `ipmi.password`.
    fn secrets(_table: &Self::Table) -> Vec<(&'static str, &SecretRef)> {
        Vec::new()
    }

    /// Checks what the types of the table do not: keys that a provider needs, bounds.
    ///
    /// # Errors
    /// The first rule that is broken.
    fn validate(_table: &Self::Table, _rules: &Rules<'_>) -> Result<(), ConfigError> {
        Ok(())
    }

    /// Reads the files that the table names and that must be right before a run begins.
    fn files(_table: &Self::Table, _place: &Place) -> Vec<NamedFile> {
        Vec::new()
    }

    /// Whether the table names an install server that is live; the lease can be kept there then.
    fn has_install_server(_table: &Self::Table) -> bool {
        false
    }

    /// Lends to all capabilities of the site what this one has for them. It comes before any `new`, in the order of the rows, and
    /// for every table, live or not. Makes no traffic.
    fn share(_table: &Self::Table, _secrets: &Secrets, _shared: &mut Shared) {}

    /// The capability of this site. Makes no traffic and reads no secret.
    fn new(table: Arc<Self::Table>, secrets: &Secrets, shared: &Shared) -> Self;

    /// The provider for one host. Makes no traffic and reads no secret.
    fn open(&self, host: &Host) -> Served;

    /// What the inventory says about the host, where this capability is the inventory: for checks, which no run has read it for.
    fn snapshot(&self, _host: &Host) -> Option<Result<HostSnapshot, Fault>> {
        None
    }

    /// What renews that which a run for this host publishes and which expires by itself; `None` when nothing does.
    fn renewal(&self, _host: &Host) -> Option<Box<dyn Renewal>> {
        None
    }

    /// What the function answers as far as that is known without any traffic; `None` when it is not.
    fn remembered(&self, _function: &Function) -> Option<Value> {
        None
    }

    /// Tries every read-only way to the systems that serve all hosts; `host` stands for any of them.
    fn check(&self, _host: &Host) -> impl Future<Output = Vec<CheckLine>> + Send {
        ready(Vec::new())
    }

    /// Tries every read-only way to the systems of this host.
    fn check_host(
        &self,
        _host: &Host,
        _call: &Call,
    ) -> impl Future<Output = Vec<CheckLine>> + Send {
        ready(Vec::new())
    }
}
