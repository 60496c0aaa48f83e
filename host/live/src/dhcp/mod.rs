//! `dhcp`: the temporary entry that lets a machine boot the installer.

mod automation;
mod cache;
mod dhcpincludes;
mod entry;
mod expiry;
mod releases;
mod render;
mod renewals;
mod rules;
mod table;

pub use table::{
    BootTable, DhcpProvider, DhcpTable, Expiry, Ipxe, ListOn, PxelinuxHttp, PxelinuxTftp,
    ServerTable, UefiHttp,
};

use crate::ConfigError;
use crate::capability::{Choice, LiveCapability, Served};
use crate::check::CheckLine;
use crate::host::Host;
use crate::install_server::{Answer, Here, InstallServer, SshServer};
use crate::lease::LeaseFolder;
use crate::renewal::Renewal;
use crate::rules::Rules;
use crate::secret::SecretRef;
use crate::secrets::Secrets;
use crate::shared::{LentServer, Shared};
use crate::ssh::{Login, Patience};
use automation::Automation;
use cache::Cache;
use dhcpincludes::{DhcpIncludes, EntryRenewal};
use releases::Releases;
use renewals::Renewals;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use wreimage_capability::{Capability, Function, dhcp};

/// Key of the passphrase in the site file.
const PASSPHRASE: &str = "dhcp.server.passphrase";

/// How long the install server may take to accept a connection, and a login.
const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(5),
    login: Duration::from_secs(10),
};

/// The DHCP automation of a site's install server.
pub struct Dhcp {
    table: Arc<DhcpTable>,
    server: Arc<InstallServer>,
    lease: Option<Arc<LeaseFolder>>,
    renewals: Arc<Renewals>,
    cache: Cache,
}

/// The install server that the table names.
fn install_server(table: &DhcpTable, secrets: &Secrets, shared: &Shared) -> InstallServer {
    let proc = &shared.place.proc;
    let Some(server) = &table.server else {
        return InstallServer::new(Here, proc);
    };
    let key = shared.place.resolve(&server.key);
    let server = SshServer {
        host: server.host.clone(),
        port: server.port,
        resolver: shared.resolver.clone(),
        login: Login::new(&server.user, key, secrets.get(PASSPHRASE)),
        known_hosts: shared.place.resolve(&server.known_hosts),
        patience: PATIENCE,
        quick: Default::default(),
        slow: Default::default(),
    };
    InstallServer::new(server, proc)
}

impl Dhcp {
    fn of(&self, host: &Host) -> DhcpIncludes {
        let (server, lease) = (self.server.clone(), self.lease.clone());
        let boot = &self.table.boot;
        DhcpIncludes {
            automation: Automation::new(&self.table, server, lease, &host.target.host),
            renewals: self.renewals.clone(),
            target: host.target.clone(),
            boot: boot.clone(),
            releases: Releases::new(boot, self.cache.clone()),
        }
    }
}

impl LiveCapability for Dhcp {
    const CAPABILITY: &'static Capability = &dhcp::CAPABILITY;
    type Table = DhcpTable;

    fn choice(table: &DhcpTable) -> Choice {
        table.choice()
    }

    fn secrets(table: &DhcpTable) -> Vec<(&'static str, &SecretRef)> {
        let server = table.server.as_ref();
        let passphrase = server.and_then(|server| server.passphrase.as_ref());
        passphrase.map(|it| (PASSPHRASE, it)).into_iter().collect()
    }

    fn validate(table: &DhcpTable, rules: &Rules<'_>) -> Result<(), ConfigError> {
        table.validate(rules)
    }

    fn has_install_server(table: &DhcpTable) -> bool {
        table.choice() == Choice::Live
    }

    fn share(table: &DhcpTable, secrets: &Secrets, shared: &mut Shared) {
        if table.choice() == Choice::Live {
            shared.install_server = Some(LentServer {
                server: Arc::new(install_server(table, secrets, shared)),
                folder: table.folder(),
            });
        }
    }

    fn new(table: Arc<DhcpTable>, secrets: &Secrets, shared: &Shared) -> Self {
        let lent = shared.install_server.as_ref().map(|it| it.server.clone());
        let place = &shared.place;
        let cache = place.cache.as_deref();
        Dhcp {
            server: lent.unwrap_or_else(|| Arc::new(install_server(&table, secrets, shared))),
            lease: shared.lease.clone(),
            renewals: Arc::default(),
            cache: cache.map_or_else(Cache::default, |folder| Cache::new(folder, &place.file)),
            table,
        }
    }

    fn open(&self, host: &Host) -> Served {
        dhcp::serve(self.of(host))
    }

    fn renewal(&self, host: &Host) -> Option<Box<dyn Renewal>> {
        let renewal = EntryRenewal::new(self.of(host))?;
        Some(Box::new(renewal))
    }

    fn remembered(&self, function: &Function) -> Option<Value> {
        if !std::ptr::eq(function, &dhcp::functions::get_releases) {
            return None;
        }
        let named = releases::named(&self.table.boot);
        serde_json::to_value(named.unwrap_or_else(|| self.cache.read())).ok()
    }

    async fn check(&self, host: &Host) -> Vec<CheckLine> {
        let dhcp = self.of(host);
        let system = dhcp.system();
        let checked = match dhcp.check().await {
            Ok(checked) => checked,
            Err(fault) => return vec![CheckLine::of_answer(&system, Err(fault))],
        };
        let mut lines = vec![CheckLine::of(&system, Ok(checked.server))];
        let what = format!("{system}, expiry of DHCP entries");
        lines.push(CheckLine::of_answer(what, checked.expiry));
        if let Some(lease) = checked.lease {
            let what = format!("{system}, lease folder");
            lines.push(CheckLine::of_answer(what, lease));
        }
        if let Some(releases) = dhcp.check_releases().await {
            let what = format!("{system}, releases that it installs");
            lines.push(CheckLine::of_answer(what, releases));
        }
        lines
    }
}

/// Reads an answer about entries: their renewals, and when one expires.
pub(crate) fn read_answer(answer: &Answer) {
    renewals::read_answer(answer);
    expiry::expires(answer);
}
