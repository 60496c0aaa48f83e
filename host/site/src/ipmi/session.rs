//! One request to a BMC by `ipmitool`: cipher suite, password, deadline, and what went wrong.

use super::classify::{self, Failure};
use crate::child::{Child, ChildFailure};
use crate::dns::Names;
use crate::secret::Secret;
use crate::tables::Suite;
use crate::target;
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

/// Why a request has no answer, for the caller to judge.
#[derive(Debug)]
pub(crate) enum Refused {
    /// A fault that needs no more judging.
    Fault(Fault),
    /// The BMC answered with this completion code.
    Completion(u8, String),
    /// There was a session; whether the request had its effect is not known.
    Lost(String),
}

/// How the BMCs of a site are reached.
pub(crate) struct Settings {
    pub(crate) names: Names,
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
    settings: Arc<Settings>,
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
    refusals: AtomicU8,
}

impl Bmc {
    pub(crate) fn new(settings: Arc<Settings>, names: &target::Names) -> Result<Self, Fault> {
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
        let resolved = self.settings.names.resolve(&self.name).await;
        resolved.map_err(|mut fault| {
            fault.system = self.system();
            fault.message = format!(
                "the BMC cannot be found, so nothing was sent to it: {}",
                fault.message
            );
            // To whoever asks the BMC, a name without an address is a BMC that cannot be reached; and a resolver that
            // does not answer in time leaves no doubt about what the BMC did.
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

    /// What could not be judged better, as a fault.
    pub(crate) fn fault(&self, refused: Refused) -> Fault {
        match refused {
            Refused::Fault(fault) => fault,
            Refused::Completion(code, text) => Fault::rejected(
                "ipmi.refused",
                self.system(),
                format!(
                    "{} refused the request with completion code {code:#04x}: {text}",
                    self.system()
                ),
            ),
            Refused::Lost(text) => Fault::unreachable(
                "ipmi.unreachable",
                self.system(),
                format!(
                    "{} stopped answering in the middle of a request: {text}",
                    self.system()
                ),
            ),
        }
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

    fn refused(&self, failure: Failure) -> Refused {
        let system = self.system();
        Refused::Fault(match failure {
            Failure::WrongPassword(text) => {
                self.settings
                    .memory
                    .refusals
                    .fetch_add(1, Ordering::Relaxed);
                self.wrong_password(&text)
            }
            Failure::NoSuite(text) => {
                let tried: Vec<String> = self
                    .settings
                    .suites
                    .iter()
                    .map(|suite| suite.number().to_string())
                    .collect();
                Fault::unsupported(
                    "ipmi.no-cipher-suite",
                    system.clone(),
                    format!(
                        "{system} speaks none of the cipher suites {} ({text}); enable suite 17 or 3 on it",
                        tried.join(", ")
                    ),
                )
            }
            Failure::Busy(text) => Fault::unreachable(
                "ipmi.busy",
                system.clone(),
                format!(
                    "{system} has no session left ({text}); wait a minute, or close sessions on it"
                ),
            ),
            Failure::Unreachable(text) => Fault::unreachable(
                "ipmi.unreachable",
                system.clone(),
                format!(
                    "{system} does not answer on UDP port {} ({text}); check its power, its cable and the route to the \
                     management network",
                    self.settings.port
                ),
            ),
            Failure::Completion(code, text) => return Refused::Completion(code, text),
            Failure::Lost(text) => return Refused::Lost(text),
        })
    }

    fn wrong_password(&self, text: &str) -> Fault {
        let system = self.system();
        let secret = self
            .settings
            .password
            .as_ref()
            .map_or_else(String::new, |secret| {
                format!(", which comes from {}", secret.reference())
            });
        Fault::denied(
            "ipmi.wrong-password",
            system.clone(),
            format!(
                "{system} refuses user `{}` with this password{secret} ({text}); nothing was done on it. Correct the \
                 password before you try again: BMCs lock accounts",
                self.settings.user
            ),
        )
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
                    "site.secret",
                    self.system(),
                    error.to_string(),
                ))
            })?,
            None => {
                return Err(Refused::Fault(Fault::denied(
                    "site.secret",
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

    /// A program that ran and did not end by itself may have done its work; one that did not start has not.
    fn not_ended(&self, failure: ChildFailure) -> Result<Result<String, Failure>, Refused> {
        let text = failure.to_string();
        let advice = match failure {
            ChildFailure::Killed(..) | ChildFailure::Lost(..) => {
                return Ok(Err(Failure::Lost(text)));
            }
            ChildFailure::NotStarted(program, _) if program == self.settings.program => {
                "; install ipmitool on this machine, or correct `ipmi.program`"
            }
            ChildFailure::NotStarted(..) => "",
        };
        Err(Refused::Fault(Fault::other(
            "ipmi.ipmitool",
            self.system(),
            format!("{text}{advice}"),
        )))
    }
}

fn is_transient(fault: &Fault) -> bool {
    fault.kind == FaultKind::Unreachable && fault.code == "ipmi.unreachable"
}

/// Completion codes of a BMC that is busy or starting.
fn is_passing(code: u8) -> bool {
    matches!(code, 0xc0 | 0xc3 | 0xd2 | 0xd3 | 0xff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Error, ErrorKind};

    fn bmc() -> Bmc {
        let settings = Settings {
            names: Names::Hosts("hosts".into()),
            port: 623,
            user: "root".to_owned(),
            password: None,
            suites: Vec::new(),
            timeout: Duration::from_secs(1),
            tries: 1,
            program: "ipmitool".to_owned(),
            memory: Memory::default(),
        };
        Bmc {
            settings: Arc::new(settings),
            name: "bmc".to_owned(),
            addresses: Vec::new(),
            until: None,
        }
    }

    fn missing(program: &str) -> ChildFailure {
        ChildFailure::NotStarted(program.to_owned(), ErrorKind::NotFound.into())
    }

    #[test]
    fn the_advice_names_the_program_that_is_missing() {
        let message = |failure| match bmc().not_ended(failure) {
            Err(Refused::Fault(fault)) => fault.message,
            other => panic!("{other:?}"),
        };
        let of_tool = message(missing("ipmitool"));
        assert!(of_tool.contains("install ipmitool"), "{of_tool}");
        let of_wrapper = message(missing("setpriv"));
        assert!(
            of_wrapper.contains("util-linux") && !of_wrapper.contains("ipmitool"),
            "{of_wrapper}"
        );
    }

    #[test]
    fn a_program_that_ran_and_was_lost_leaves_a_lost_answer() {
        let lost = ChildFailure::Lost("ipmitool".to_owned(), Error::other("broken pipe"));
        let answer = bmc().not_ended(lost);
        assert!(matches!(answer, Ok(Err(Failure::Lost(_)))), "{answer:?}");
    }
}
