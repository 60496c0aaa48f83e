//! One request to a BMC by `ipmitool`: cipher suite, password, deadline, and what went wrong.

use super::classify::{self, Failure, Refused};
use super::table::Suite;
use crate::child::Child;
use crate::resolver::Resolver;
use crate::secret::Secret;
use crate::target::HostNames;
use secrecy::ExposeSecret;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use wreimage_capability::{Fault, FaultKind};

/// Seconds between two packets, and how many are sent, for `-N` and `-R`: a BMC that does not answer costs 6 s.
const RETRANSMIT: (&str, &str) = ("1", "2");
/// The same for a power command, which is sent in one packet: what is sent again might act again. The opening of the
/// session has no second packet either, so a slow BMC gets longer for each.
const SENT_ONCE: (&str, &str) = ("5", "1");

/// No answer of a BMC is longer: a list of many FRUs has some 20 KiB.
const LARGEST_ANSWER: usize = 256 << 10;

/// After so many refusals the password is not shown again: BMCs lock accounts.
const REFUSALS: u8 = 2;

/// Whether a request may be made again when its answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It changes nothing.
    Harmless,
    /// It may reach the BMC twice without harm, so a lost packet is sent again; whoever makes it has its own tries.
    Packet,
    /// It must reach the BMC once at most.
    Never,
}

/// How the BMCs of a site are reached.
pub(crate) struct Settings {
    pub(crate) resolver: Resolver,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: Option<Secret>,
    pub(crate) suites: Vec<Suite>,
    pub(crate) timeout: Duration,
    pub(crate) tries: u8,
    pub(crate) program: String,
    pub(crate) memory: Memory,
}

/// The BMC of the run's host during one call.
pub(crate) struct Bmc {
    pub(super) settings: Arc<Settings>,
    pub(crate) name: String,
    /// Where it was reached when it was checked; empty before, and its name is resolved.
    pub(crate) addresses: Vec<IpAddr>,
    /// Until when the run may act on it; `None` where no lease says so.
    pub(crate) until: Option<Instant>,
}

/// What is remembered of a BMC for the run.
#[derive(Default)]
pub(crate) struct Memory {
    suite: Mutex<Option<Suite>>,
    pub(super) refusals: AtomicU8,
}

impl Bmc {
    pub(crate) fn new(settings: Arc<Settings>, names: &HostNames) -> Result<Self, Fault> {
        Ok(Bmc {
            settings,
            name: names.management()?.to_owned(),
            addresses: names.bmc_addresses.clone(),
            until: None,
        })
    }

    /// The same BMC, at the addresses that its name has now.
    pub(crate) async fn resolved(self) -> Result<Self, Fault> {
        let addresses = self.addresses().await?;
        Ok(Bmc { addresses, ..self })
    }

    /// A request that not every BMC can answer.
    pub(crate) async fn optional(&self, arguments: &[&str]) -> Result<Option<String>, Fault> {
        match self.request(arguments, Repeat::Harmless).await {
            Ok(answer) => Ok(Some(answer)),
            Err(Refused::Fault(fault)) => Err(fault),
            Err(_) => Ok(None),
        }
    }

    /// Where it is reached, in the order of the resolver.
    async fn addresses(&self) -> Result<Vec<IpAddr>, Fault> {
        if !self.addresses.is_empty() {
            return Ok(self.addresses.clone());
        }
        let resolved = self.settings.resolver.resolve(&self.name).await;
        resolved.map_err(|mut fault| {
            fault.system = self.system();
            fault.message = format!(
                "the BMC cannot be found, so nothing was sent to it: {}",
                fault.message
            );
            // A BMC whose name has no address cannot be reached; and a resolver that does not answer in time leaves no doubt about what the BMC did.
            if fault.kind == FaultKind::NotFound || fault.leaves_doubt() {
                fault.kind = FaultKind::Unreachable;
            }
            fault
        })
    }

    /// Names it in faults.
    pub(crate) fn system(&self) -> String {
        format!("BMC {}", self.name)
    }

    /// Makes a request and returns what `ipmitool` printed.
    pub(crate) async fn request(
        &self,
        arguments: &[&str],
        repeat: Repeat,
    ) -> Result<String, Refused> {
        let mut left = match repeat {
            Repeat::Harmless => self.settings.tries.max(1),
            Repeat::Packet | Repeat::Never => 1,
        };
        loop {
            left -= 1;
            match self.try_suites(arguments, repeat).await {
                Err(Refused::Fault(fault)) if left > 0 && is_transient(&fault) => {}
                Err(Refused::Lost(_)) if left > 0 => {}
                Err(Refused::Completion(code, _)) if left > 0 && is_passing(code) => {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                other => return other,
            }
        }
    }

    /// A request whose completion codes and lost answers are plain faults.
    pub(crate) async fn ask(&self, arguments: &[&str]) -> Result<String, Fault> {
        self.request(arguments, Repeat::Harmless)
            .await
            .map_err(|refused| self.fault(refused))
    }

    async fn try_suites(&self, arguments: &[&str], repeat: Repeat) -> Result<String, Refused> {
        if self.settings.memory.refusals.load(Ordering::Relaxed) >= REFUSALS {
            return Err(Refused::Fault(
                self.wrong_password("it was refused before and is not tried again"),
            ));
        }
        let known = *self.suite();
        let candidates = match known {
            Some(suite) => vec![suite],
            None => self.settings.suites.clone(),
        };
        let mut last = Failure::NoSuite("no cipher suite is allowed".to_owned());
        for suite in candidates {
            last = match self.run(suite, arguments, repeat).await? {
                Ok(stdout) => {
                    *self.suite() = Some(suite);
                    return Ok(stdout);
                }
                Err(failure @ (Failure::NoSuite(_) | Failure::Busy(_))) => failure,
                Err(failure) => {
                    if matches!(failure, Failure::Completion(..) | Failure::Lost(_)) {
                        *self.suite() = Some(suite);
                    }
                    return Err(self.refused(failure));
                }
            };
        }
        Err(self.refused(last))
    }

    fn suite(&self) -> std::sync::MutexGuard<'_, Option<Suite>> {
        self.settings
            .memory
            .suite
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn run(
        &self,
        suite: Suite,
        arguments: &[&str],
        repeat: Repeat,
    ) -> Result<Result<String, Failure>, Refused> {
        let addresses = self.addresses().await.map_err(Refused::Fault)?;
        let address = addresses
            .first()
            .map(ToString::to_string)
            .unwrap_or_default();
        let password = match &self.settings.password {
            Some(secret) => secret.read().await.map_err(|error| {
                Refused::Fault(Fault::denied(
                    wreimage_facts::code::SECRET,
                    self.system(),
                    error.to_string(),
                ))
            })?,
            None => {
                return Err(Refused::Fault(Fault::denied(
                    wreimage_facts::code::SECRET,
                    self.system(),
                    "the site file has no `ipmi.password`",
                )));
            }
        };
        let (port, suite) = (self.settings.port.to_string(), suite.number().to_string());
        let (interval, packets) = if repeat == Repeat::Never {
            SENT_ONCE
        } else {
            RETRANSMIT
        };
        let mut argv = vec![
            self.settings.program.as_str(),
            "-v",
            "-I",
            "lanplus",
            "-H",
            &address,
            "-p",
            &port,
            "-U",
            &self.settings.user,
            "-E",
            "-C",
            &suite,
            "-N",
            interval,
            "-R",
            packets,
        ];
        argv.extend_from_slice(arguments);
        let Some(mut child) = Child::until(&argv, self.until) else {
            return Ok(Err(Failure::Unreachable("no program".to_owned())));
        };
        child
            .limit(LARGEST_ANSWER)
            .environment("IPMITOOL_PASSWORD", password.expose_secret());
        tracing::debug!(bmc = %self.name, suite, ?arguments, "ipmitool");
        match child.run(self.settings.timeout).await {
            Ok(ended) if ended.was_killed() => Ok(Err(Failure::Lost(format!(
                "`{}` was ended by {}",
                self.settings.program,
                ended.exit()
            )))),
            Ok(ended) => {
                let stdout = String::from_utf8_lossy(&ended.stdout).into_owned();
                let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
                Ok(if ended.success() {
                    Ok(stdout)
                } else {
                    Err(classify::failure(&stderr, &stdout))
                })
            }
            Err(failure) => self.not_ended(failure),
        }
    }
}

fn is_transient(fault: &Fault) -> bool {
    fault.kind == FaultKind::Unreachable && fault.code == "ipmi.unreachable"
}

/// Completion codes of a BMC that is busy or starting.
fn is_passing(code: u8) -> bool {
    matches!(code, 0xc0 | 0xc3 | 0xd2 | 0xd3 | 0xff)
}
