//! Why a request to a BMC has no answer, and what that means to people.

use super::classify::{Failure, Refused};
use super::session::Bmc;
use crate::child::ChildFailure;
use std::sync::atomic::Ordering;
use wreimage_capability::Fault;

impl Bmc {
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

    /// What a failure of `ipmitool` means.
    pub(super) fn refused(&self, failure: Failure) -> Refused {
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

    pub(super) fn wrong_password(&self, text: &str) -> Fault {
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

    /// A program that ran and did not end by itself may have done its work; one that did not start has not.
    pub(super) fn not_ended(
        &self,
        failure: ChildFailure,
    ) -> Result<Result<String, Failure>, Refused> {
        let text = failure.to_string();
        let advice = match failure {
            ChildFailure::Killed(..) | ChildFailure::Lost(..) => {
                return Ok(Err(Failure::Lost(text)));
            }
            ChildFailure::NotStarted(program, _) if program == self.settings.program => {
                "; install ipmitool on this machine, or correct `ipmi.program`"
            }
            ChildFailure::NotStarted(..) | ChildFailure::Late(_) => "",
        };
        Err(Refused::Fault(Fault::other(
            "ipmi.ipmitool",
            self.system(),
            format!("{text}{advice}"),
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipmi::session::{Memory, Settings};
    use crate::resolver::Resolver;
    use std::io::{Error, ErrorKind};
    use std::sync::Arc;
    use std::time::Duration;

    fn bmc() -> Bmc {
        let settings = Settings {
            resolver: Resolver::Hosts("hosts".into()),
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
