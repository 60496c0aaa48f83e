//! `remote`: the run's host itself.

pub(crate) mod answers;
mod boots;
mod command;
mod lost;
mod machine;
mod result;
mod russh;
mod table;
mod unit;
pub(crate) mod unit_answers;
mod unit_scripts;

pub use table::{InstallerIdentity, ProductionIdentity, RemoteProvider, RemoteTable};

use self::russh::SshRemote;
use crate::ConfigError;
use crate::capability::{Choice, LiveCapability, Served};
use crate::check::CheckLine;
use crate::host::Host;
use crate::resolver::Resolver;
use crate::rules::Rules;
use crate::secret::{Secret, SecretRef};
use crate::secrets::Secrets;
use crate::shared::{Place, Shared};
use crate::ssh::{Login, Patience, SshFailure};
use boots::BySsh;
use machine::Ways;
use std::sync::Arc;
use wreimage_capability::remote::Identity;
use wreimage_capability::{Call, Capability, Fault, remote};

/// Keys of the passphrases in the site file.
const INSTALLER: &str = "remote.installer.passphrase";
const PRODUCTION: &str = "remote.production.passphrase";

/// The hosts of a site, entered by SSH.
pub struct Remote {
    table: Arc<RemoteTable>,
    installer: Option<Secret>,
    production: Option<Secret>,
    place: Place,
    resolver: Resolver,
}

impl Remote {
    /// The ways into a host.
    fn ways(&self, host: &Host) -> Arc<Ways> {
        let table = &self.table;
        let login = |key: &std::path::Path, passphrase: &Option<Secret>| {
            Login::new(&table.user, self.place.resolve(key), passphrase.clone())
        };
        let installer = table.installer.as_ref();
        let production = table.production.as_ref();
        Arc::new(Ways {
            target: host.target.clone(),
            resolver: self.resolver.clone(),
            port: table.port,
            patience: Patience {
                connect: table.connect_timeout.0,
                login: table.login_timeout.0,
            },
            read_timeout: table.read_timeout.0,
            installer: installer.map(|it| login(&it.key, &self.installer)),
            production: production.map(|it| {
                let known_hosts = self.place.resolve(&it.known_hosts);
                (login(&it.key, &self.production), known_hosts)
            }),
            seen: Default::default(),
        })
    }
}

impl LiveCapability for Remote {
    const CAPABILITY: &'static Capability = &remote::CAPABILITY;
    type Table = RemoteTable;

    fn choice(table: &RemoteTable) -> Choice {
        table.choice()
    }

    fn secrets(table: &RemoteTable) -> Vec<(&'static str, &SecretRef)> {
        let installer = table.installer.as_ref();
        let production = table.production.as_ref();
        [
            (INSTALLER, installer.and_then(|it| it.passphrase.as_ref())),
            (PRODUCTION, production.and_then(|it| it.passphrase.as_ref())),
        ]
        .into_iter()
        .filter_map(|(key, secret)| Some((key, secret?)))
        .collect()
    }

    fn validate(table: &RemoteTable, rules: &Rules<'_>) -> Result<(), ConfigError> {
        table.validate(rules)
    }

    fn new(table: Arc<RemoteTable>, secrets: &Secrets, shared: &Shared) -> Self {
        Remote {
            table,
            installer: secrets.get(INSTALLER),
            production: secrets.get(PRODUCTION),
            place: shared.place.clone(),
            resolver: shared.resolver.clone(),
        }
    }

    fn open(&self, host: &Host) -> Served {
        let ways = self.ways(host);
        host.boot_ids.fill(Arc::new(BySsh(ways.clone())));
        let table = &self.table;
        remote::serve(SshRemote::new(ways, &table.reboot, &table.allow))
    }

    async fn check_host(&self, host: &Host, call: &Call) -> Vec<CheckLine> {
        let ways = self.ways(host);
        let Ok(machine) = ways.of(call) else {
            return Vec::new();
        };
        let mut lines = Vec::new();
        for (at, word, there) in [
            (
                Identity::Production,
                "production",
                ways.production.is_some(),
            ),
            (Identity::Installer, "installer", ways.installer.is_some()),
        ] {
            if there {
                let what = format!("SSH to {} as {word}", machine.names.fqdn);
                let seen = machine.boot_id_at(at).await;
                lines.push(judge_login(what, at, seen));
            }
        }
        lines
    }
}

/// An enrolled machine refuses the installer's key: that is no failure of the site.
fn judge_login(what: String, at: Identity, seen: Result<String, Fault>) -> CheckLine {
    match seen {
        Ok(boot_id) => CheckLine::of(what, Ok(format!("logged in; boot id {boot_id}"))),
        Err(fault) if at == Identity::Installer && fault.code == SshFailure::AUTH_REFUSED => {
            CheckLine::of(
                what,
                Ok("the host refuses this key, as an enrolled one does".to_owned()),
            )
        }
        Err(fault) => CheckLine::of(what, Err(fault.message)),
    }
}
