//! A capability behind one type, so that all of them stand in one list.

use crate::ConfigError;
use crate::capability::{Choice, LiveCapability, NamedFile, Served};
use crate::check::CheckLine;
use crate::host::Host;
use crate::renewal::Renewal;
use crate::rules::Rules;
use crate::secret::SecretRef;
use crate::secrets::Secrets;
use crate::shared::{Place, Shared};
use serde_json::Value;
use std::any::Any;
use std::marker::PhantomData;
use std::sync::Arc;
use toml::de::ValueDeserializer;
use wreimage_capability::{BoxFuture, Call, Fault, Function, HostSnapshot};

/// A row of the list of capabilities.
pub(crate) trait Row: Send + Sync {
    /// The name of the capability and of its table.
    fn name(&self) -> &'static str;

    /// Reads its table.
    fn read(&self, table: ValueDeserializer<'_>) -> Result<Arc<dyn ReadTable>, toml::de::Error>;
}

/// A table that was read.
pub(crate) trait ReadTable: Send + Sync {
    fn as_any(&self) -> &dyn Any;
    fn choice(&self) -> Choice;
    fn secrets(&self) -> Vec<(&'static str, &SecretRef)>;
    fn validate(&self, rules: &Rules<'_>) -> Result<(), ConfigError>;
    fn files(&self, place: &Place) -> Vec<NamedFile>;
    fn has_install_server(&self) -> bool;
    fn share(&self, secrets: &Secrets, shared: &mut Shared);
    fn configure(&self, secrets: &Secrets, shared: &Shared) -> Arc<dyn Configured>;
}

/// A capability as a site has configured it.
pub(crate) trait Configured: Send + Sync {
    fn open(&self, host: &Host) -> Served;
    fn snapshot(&self, host: &Host) -> Option<Result<HostSnapshot, Fault>>;
    fn renewal(&self, host: &Host) -> Option<Box<dyn Renewal>>;
    fn remembered(&self, function: &Function) -> Option<Value>;
    fn check<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Vec<CheckLine>>;
    fn check_host<'a>(&'a self, host: &'a Host, call: &'a Call) -> BoxFuture<'a, Vec<CheckLine>>;
}

struct RowOf<C>(PhantomData<fn() -> C>);
struct TableOf<C: LiveCapability>(Arc<C::Table>);
struct ConfiguredAs<C>(C);

/// The row of a capability.
pub(crate) const fn row<C: LiveCapability>() -> &'static dyn Row {
    &RowOf::<C>(PhantomData)
}

impl<C: LiveCapability> Row for RowOf<C> {
    fn name(&self) -> &'static str {
        C::CAPABILITY.name
    }

    fn read(&self, table: ValueDeserializer<'_>) -> Result<Arc<dyn ReadTable>, toml::de::Error> {
        let table = serde::Deserialize::deserialize(table)?;
        Ok(Arc::new(TableOf::<C>(Arc::new(table))))
    }
}

impl<C: LiveCapability> ReadTable for TableOf<C> {
    fn as_any(&self) -> &dyn Any {
        self.0.as_ref()
    }

    fn choice(&self) -> Choice {
        C::choice(&self.0)
    }

    fn secrets(&self) -> Vec<(&'static str, &SecretRef)> {
        C::secrets(&self.0)
    }

    fn validate(&self, rules: &Rules<'_>) -> Result<(), ConfigError> {
        C::validate(&self.0, rules)
    }

    fn files(&self, place: &Place) -> Vec<NamedFile> {
        C::files(&self.0, place)
    }

    fn has_install_server(&self) -> bool {
        C::has_install_server(&self.0)
    }

    fn share(&self, secrets: &Secrets, shared: &mut Shared) {
        C::share(&self.0, secrets, shared);
    }

    fn configure(&self, secrets: &Secrets, shared: &Shared) -> Arc<dyn Configured> {
        Arc::new(ConfiguredAs(C::new(self.0.clone(), secrets, shared)))
    }
}

impl<C: LiveCapability> Configured for ConfiguredAs<C> {
    fn open(&self, host: &Host) -> Served {
        self.0.open(host)
    }

    fn snapshot(&self, host: &Host) -> Option<Result<HostSnapshot, Fault>> {
        self.0.snapshot(host)
    }

    fn renewal(&self, host: &Host) -> Option<Box<dyn Renewal>> {
        self.0.renewal(host)
    }

    fn remembered(&self, function: &Function) -> Option<Value> {
        self.0.remembered(function)
    }

    fn check<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Vec<CheckLine>> {
        Box::pin(self.0.check(host))
    }

    fn check_host<'a>(&'a self, host: &'a Host, call: &'a Call) -> BoxFuture<'a, Vec<CheckLine>> {
        Box::pin(self.0.check_host(host, call))
    }
}
