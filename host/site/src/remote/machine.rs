//! The run's host as SSH reaches it: at which address, with which key, and whether it is still the same machine.

use super::answers;
use crate::dns::Names;
use crate::redact;
use crate::ssh::{Connection, Door, Ended, ExecFailure, HostKeys, Login, Patience, WayIn};
use crate::target::Target;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use wreimage_capability::Fault;
use wreimage_capability::remote::{Exit, Identity};

/// The run's host and the ways in.
pub(crate) struct Machine {
    pub(crate) target: Target,
    pub(crate) names: Names,
    pub(crate) port: u16,
    pub(crate) patience: Patience,
    pub(crate) read_timeout: Duration,
    pub(crate) installer: Option<Login>,
    /// With the file of known host keys.
    pub(crate) production: Option<(Login, PathBuf)>,
    /// Host key fingerprints that were seen at the installer identity, by boot id. For this run only.
    pub(crate) trusted: Mutex<BTreeMap<String, String>>,
}

/// What one look at a boot has seen.
pub(crate) struct SeenBoot {
    pub(crate) at: Identity,
    pub(crate) boot_id: String,
    pub(crate) uptime_ms: u64,
    pub(crate) kernel_command_line: String,
    /// Fingerprint of the host key.
    pub(crate) host_key: String,
}

/// The identity as a word.
pub(crate) fn word(at: Identity) -> &'static str {
    match at {
        Identity::Installer => "installer",
        Identity::Production => "production",
    }
}

impl Machine {
    /// Names it in faults.
    pub(crate) fn system(&self) -> String {
        format!("host {}", self.target.fqdn)
    }

    async fn addresses(&self) -> Result<Vec<IpAddr>, Fault> {
        let fault = match self.names.resolve(&self.target.fqdn).await {
            Ok(addresses) => return Ok(addresses),
            Err(fault) => fault,
        };
        match self
            .target
            .primary_ip
            .as_ref()
            .and_then(|ip| ip.parse().ok())
        {
            Some(ip) => Ok(vec![ip]),
            None => Err(Fault::unreachable(
                "remote.no-address",
                self.system(),
                format!("{} has no address: {}", self.target.fqdn, fault.message),
            )),
        }
    }

    fn way_in(&self, at: Identity) -> Result<WayIn<'_>, Fault> {
        let way = match at {
            Identity::Installer => self.installer.as_ref().map(|login| WayIn {
                login,
                host_keys: HostKeys::Any,
            }),
            Identity::Production => self.production.as_ref().map(|(login, known)| WayIn {
                login,
                host_keys: HostKeys::Known(known.clone()),
            }),
        };
        way.ok_or_else(|| {
            let word = word(at);
            Fault::unsupported(
                "remote.no-identity",
                self.system(),
                format!(
                    "the site file has no [remote.{word}]; add it to enter {} so",
                    self.target.fqdn
                ),
            )
        })
    }

    /// Whether the site has this identity.
    pub(crate) fn has(&self, at: Identity) -> bool {
        self.way_in(at).is_ok()
    }

    /// The boot that the machine is in, over one connection, at the first of these identities that is let in.
    ///
    /// # Errors
    /// The fault at each identity that was tried.
    pub(crate) async fn boot(
        &self,
        identities: &[Identity],
    ) -> Result<SeenBoot, Vec<(Identity, Fault)>> {
        let (at, connection) = self.enter(identities).await?;
        let answer = self.ask(&connection, answers::BOOT).await;
        let host_key = connection.fingerprint.clone();
        connection.close().await;
        let seen = answer.and_then(|text| {
            let (boot_id, uptime_ms, kernel_command_line) =
                answers::boot(&text).ok_or_else(|| self.garbage("boot", &text))?;
            if at == Identity::Installer {
                self.trust(&boot_id, &host_key)?;
            }
            Ok(SeenBoot {
                at,
                boot_id,
                uptime_ms,
                kernel_command_line,
                host_key,
            })
        });
        seen.map_err(|fault| vec![(at, fault)])
    }

    /// Connects once and logs in at the first of these identities that is let in. The host key of an installer is not
    /// judged yet.
    async fn enter(
        &self,
        identities: &[Identity],
    ) -> Result<(Identity, Connection), Vec<(Identity, Fault)>> {
        let mut ways = Vec::new();
        for at in identities {
            ways.push(self.way_in(*at).map_err(|fault| vec![(*at, fault)])?);
        }
        let addresses = self.addresses().await.map_err(|fault| {
            let each = identities.iter().map(|at| (*at, fault.clone()));
            each.collect::<Vec<_>>()
        })?;
        let opened = Connection::open_first(&self.door(&addresses), &ways).await;
        let faults = match opened {
            Ok((way, connection)) => match identities.get(way) {
                Some(at) => return Ok((*at, connection)),
                None => Vec::new(),
            },
            Err(failures) => failures,
        };
        let faults = faults.into_iter().map(|it| it.fault(&self.system()));
        Err(identities.iter().copied().zip(faults).collect())
    }

    fn door<'a>(&'a self, addresses: &'a [IpAddr]) -> Door<'a> {
        Door {
            name: &self.target.fqdn,
            addresses,
            port: self.port,
            patience: self.patience,
        }
    }

    /// Connects and logs in. At the installer identity the host key is compared with the one that this boot showed first.
    pub(crate) async fn connect(&self, at: Identity) -> Result<Connection, Fault> {
        let way = self.way_in(at)?;
        let addresses = self.addresses().await?;
        let connection = Connection::open(&self.door(&addresses), way)
            .await
            .map_err(|failure| failure.fault(&self.system()))?;
        if at == Identity::Installer {
            let text = self.ask(&connection, answers::BOOT_ID).await?;
            let boot_id = answers::boot_id(&text).ok_or_else(|| self.garbage("boot id", &text))?;
            self.trust(&boot_id, &connection.fingerprint)?;
        }
        Ok(connection)
    }

    /// First use: the key is trusted for this boot. Afterwards another one is a fault.
    fn trust(&self, boot_id: &str, fingerprint: &str) -> Result<(), Fault> {
        let mut trusted = self.trusted.lock().unwrap_or_else(PoisonError::into_inner);
        let first = trusted
            .entry(boot_id.to_owned())
            .or_insert_with(|| fingerprint.to_owned());
        if first == fingerprint {
            return Ok(());
        }
        Err(Fault::denied(
            "remote.host-key",
            self.system(),
            format!(
                "{} showed the host key {first} first and {fingerprint} now, in the same boot {boot_id}; somebody may \
                 stand between: find out before you go on",
                self.target.fqdn
            ),
        ))
    }

    /// One read over an open connection.
    pub(crate) async fn ask(
        &self,
        connection: &Connection,
        command: &str,
    ) -> Result<String, Fault> {
        let ended = self.perform(connection, command).await?;
        self.judge(command, &ended)
    }

    pub(crate) async fn perform(
        &self,
        connection: &Connection,
        command: &str,
    ) -> Result<Ended, Fault> {
        let marked = format!("echo; echo {}; {command}", answers::MARK);
        let name = &self.target.fqdn;
        connection
            .exec(&marked, self.read_timeout)
            .await
            .map_err(|failure| match failure {
                ExecFailure::NotSent(text) | ExecFailure::Lost(text) => Fault::unreachable(
                    "remote.unreachable",
                    self.system(),
                    format!("{name} broke the connection: {text}"),
                ),
                ExecFailure::Timeout(after) => Fault::timeout(
                    "remote.timeout",
                    self.system(),
                    format!(
                        "{name} did not answer `{command}` within {} s",
                        after.as_secs_f32()
                    ),
                ),
            })
    }

    pub(crate) fn judge(&self, command: &str, ended: &Ended) -> Result<String, Fault> {
        let stdout = ended.stdout.text();
        match (&ended.exit, answers::answer(&stdout)) {
            (Exit::Status(0), Some(answer)) => Ok(answer.to_owned()),
            _ => Err(self.garbage(command, &format!("{stdout}\n{}", ended.stderr.text()))),
        }
    }

    pub(crate) fn garbage(&self, what: &str, text: &str) -> Fault {
        let shown = redact::head(text.trim(), 200);
        Fault::rejected(
            "remote.unreadable",
            self.system(),
            format!(
                "{} answered `{what}` with something else: `{shown}`; it may be going down or coming up",
                self.target.fqdn
            ),
        )
        .retryable()
    }

    /// Connects, reads once, and leaves.
    pub(crate) async fn read(&self, at: Identity, command: &str) -> Result<String, Fault> {
        let connection = self.connect(at).await?;
        let answer = self.ask(&connection, command).await;
        connection.close().await;
        answer
    }

    pub(crate) async fn boot_id_at(&self, at: Identity) -> Result<String, Fault> {
        let text = self.read(at, answers::BOOT_ID).await?;
        answers::boot_id(&text).ok_or_else(|| self.garbage("boot id", &text))
    }
}
