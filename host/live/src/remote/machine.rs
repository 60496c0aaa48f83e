//! The run's host as SSH reaches it: at which address, with which key, and whether it is still the same machine.

use super::answers;
use crate::redact;
use crate::resolver::Resolver;
use crate::ssh::{Connection, Door, Ended, ExecFailure, HostKeys, Login, Patience, WayIn};
use crate::target::{HostNames, Target};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wreimage_capability::remote::{Exit, Identity};
use wreimage_capability::{Call, Fault, PinnedBoot};

/// The ways into the run's host.
pub(crate) struct Ways {
    pub(crate) target: Target,
    pub(crate) resolver: Resolver,
    pub(crate) port: u16,
    pub(crate) patience: Patience,
    pub(crate) read_timeout: Duration,
    pub(crate) installer: Option<Login>,
    /// With the file of known host keys.
    pub(crate) production: Option<(Login, PathBuf)>,
    /// Host key fingerprints that were seen at the installer identity, by boot id. For this process only.
    pub(crate) seen: Mutex<BTreeMap<String, String>>,
}

/// The run's host during one call: its names as they were checked, and the host key that the run has accepted.
pub(crate) struct Machine {
    ways: Arc<Ways>,
    pub(crate) names: HostNames,
    call: Call,
}

impl Ways {
    /// The host as this call may reach it.
    ///
    /// # Errors
    /// When the inventory did not report its names.
    pub(crate) fn of(self: &Arc<Self>, call: &Call) -> Result<Machine, Fault> {
        Ok(Machine {
            ways: self.clone(),
            names: self.target.names(call)?,
            call: call.clone(),
        })
    }
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
        format!("host {}", self.names.fqdn)
    }

    async fn addresses(&self) -> Result<Vec<IpAddr>, Fault> {
        let fault = match self.ways.resolver.resolve(&self.names.fqdn).await {
            Ok(addresses) => return Ok(addresses),
            Err(fault) => fault,
        };
        match self.names.primary_ip {
            Some(ip) => Ok(vec![ip]),
            None => Err(Fault::unreachable(
                "remote.no-address",
                self.system(),
                format!("{} has no address: {}", self.names.fqdn, fault.message),
            )),
        }
    }

    /// The way in at this identity. A new host key is accepted at the installer's only where a boot is looked for.
    fn way_in(&self, at: Identity, looks_for_boot: bool) -> Result<WayIn<'_>, Fault> {
        let way = match at {
            Identity::Installer => self.ways.installer.as_ref().map(|login| WayIn {
                login,
                host_keys: match &self.call.pinned {
                    Some(boot) if !looks_for_boot => HostKeys::Pinned(boot.clone()),
                    _ => HostKeys::Any,
                },
            }),
            Identity::Production => self.ways.production.as_ref().map(|(login, known)| WayIn {
                login,
                host_keys: match &self.call.host_key {
                    Some(reported) => HostKeys::Reported(known.clone(), reported.clone()),
                    None => HostKeys::Known(known.clone()),
                },
            }),
        };
        way.ok_or_else(|| {
            let word = word(at);
            Fault::unsupported(
                wreimage_facts::code::NO_IDENTITY,
                self.system(),
                format!(
                    "the site file has no [remote.{word}]; add it to enter {} so",
                    self.names.fqdn
                ),
            )
        })
    }

    /// Whether the site has this identity.
    pub(crate) fn has(&self, at: Identity) -> bool {
        self.way_in(at, false).is_ok()
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
                self.compare_key(&boot_id, &host_key)?;
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
            ways.push(self.way_in(*at, true).map_err(|fault| vec![(*at, fault)])?);
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
            name: &self.names.fqdn,
            addresses,
            port: self.ways.port,
            patience: self.ways.patience,
        }
    }

    /// Connects and logs in. At the installer identity it must be the boot that the run has accepted.
    pub(crate) async fn connect(&self, at: Identity) -> Result<Connection, Fault> {
        let connection = self.log_in(at).await?;
        if at == Identity::Installer {
            let boot_id = self.boot_id_of(&connection).await?;
            match &self.call.pinned {
                Some(boot) if boot.boot_id != boot_id => {
                    return Err(Fault::rejected(
                        "remote.another-boot",
                        self.system(),
                        format!(
                            "{} is in the boot {boot_id}, and this run has accepted the boot {}: it has restarted by itself",
                            self.names.fqdn, boot.boot_id
                        ),
                    ));
                }
                Some(_) => {}
                None => self.accept_first(boot_id, &connection.fingerprint)?,
            }
        }
        Ok(connection)
    }

    async fn log_in(&self, at: Identity) -> Result<Connection, Fault> {
        let way = self.way_in(at, false)?;
        let addresses = self.addresses().await?;
        Connection::open(&self.door(&addresses), way)
            .await
            .map_err(|failure| failure.fault(&self.system()))
    }

    async fn boot_id_of(&self, connection: &Connection) -> Result<String, Fault> {
        let text = self.ask(connection, answers::BOOT_ID).await?;
        answers::boot_id(&text).ok_or_else(|| self.garbage("boot id", &text))
    }

    /// The first boot that answers at the installer identity before the run has waited for one.
    fn accept_first(&self, boot_id: String, host_key: &str) -> Result<(), Fault> {
        self.compare_key(&boot_id, host_key)?;
        self.call.pin(PinnedBoot {
            boot_id,
            host_key: host_key.to_owned(),
        })
    }

    /// One boot shows one host key.
    fn compare_key(&self, boot_id: &str, fingerprint: &str) -> Result<(), Fault> {
        let pinned = self.call.pinned.as_ref();
        let pinned = pinned.filter(|boot| boot.boot_id == boot_id);
        let mut seen = self
            .ways
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let first = match pinned {
            Some(boot) => &boot.host_key,
            None => seen
                .entry(boot_id.to_owned())
                .or_insert_with(|| fingerprint.to_owned()),
        };
        if first == fingerprint {
            return Ok(());
        }
        Err(Fault::denied(
            wreimage_facts::code::HOST_KEY,
            self.system(),
            format!(
                "{} showed the host key {first} first and {fingerprint} now, in the same boot {boot_id}; somebody may \
                 stand between: find out before you go on",
                self.names.fqdn
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
        let name = &self.names.fqdn;
        connection
            .exec(&marked, self.ways.read_timeout)
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
                self.names.fqdn
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

    /// The boot id. At the installer identity the host key must be the accepted one, and the boot may be another.
    pub(crate) async fn boot_id_at(&self, at: Identity) -> Result<String, Fault> {
        let connection = self.log_in(at).await?;
        let answer = self.boot_id_of(&connection).await;
        let host_key = connection.fingerprint.clone();
        connection.close().await;
        let boot_id = answer?;
        if at == Identity::Installer && self.call.pinned.is_none() {
            self.accept_first(boot_id.clone(), &host_key)?;
        }
        Ok(boot_id)
    }

    /// The boot id as a sign of whether the machine has restarted, whatever host key it shows: nothing else that it reports
    /// is believed.
    pub(crate) async fn any_boot_id_at(&self, at: Identity) -> Result<String, Fault> {
        let seen = self.boot(&[at]).await;
        seen.map(|seen| seen.boot_id).map_err(|faults| {
            let first = faults.into_iter().next();
            first.map_or_else(
                || Fault::unreachable("remote.unreachable", self.system(), "nothing answers"),
                |(_, fault)| fault,
            )
        })
    }
}
