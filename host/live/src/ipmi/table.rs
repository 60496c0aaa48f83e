//! `[ipmi]`: how the BMCs are reached.

use crate::ConfigError;
use crate::capability::Choice;
use crate::defaults::{root, ten_seconds};
use crate::rules::Rules;
use crate::secret::SecretRef;
use crate::units::Period;
use serde::Deserialize;
use toml::Spanned;

/// Of one request with all its tries, so that a call ends before the gate gives it up after 300 s. A call makes four at most: it
/// sets a boot device in two ways and reads back each. A look at a lost power command begins its last read after 60 s and has
/// 120 s.
const TIMEOUT: Period = Period::secs(40);
/// Each try of a read looks up the BMC's name as well.
const TRIES: u8 = 5;

/// Who serves `ipmi`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IpmiProvider {
    /// The program `ipmitool`, over RMCP+ (`lanplus`).
    Ipmitool,
    /// The simulated data centre.
    Lab,
    /// The site has none.
    Absent,
}

/// `[ipmi]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct IpmiTable {
    /// Who serves it.
    pub provider: Spanned<IpmiProvider>,
    /// User name on the BMCs.
    #[serde(default = "root")]
    pub user: String,
    /// The password. Needed by `ipmitool`.
    pub password: Option<SecretRef>,
    /// UDP port of the BMCs.
    #[serde(default = "ipmi_port")]
    pub port: u16,
    /// Cipher suites in the order in which they are tried; 17 and 3 are allowed.
    #[serde(default = "suites")]
    pub cipher_suites: Vec<Suite>,
    /// How long one request may take, retransmissions included; times `tries`, 40 s at most.
    #[serde(default = "ten_seconds")]
    pub timeout: Period,
    /// How often a read that got no answer is made; 5 at most. What changes something is told once per call.
    #[serde(default = "two")]
    pub tries: u8,
    /// The program.
    #[serde(default = "ipmitool")]
    pub program: String,
}

/// A cipher suite of RMCP+ that encrypts and authenticates: 17 or 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u8")]
pub struct Suite(u8);

impl Suite {
    /// Its number.
    pub fn number(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Suite {
    type Error = &'static str;

    fn try_from(number: u8) -> Result<Self, &'static str> {
        match number {
            3 | 17 => Ok(Suite(number)),
            _ => Err(
                "only the cipher suites 17 and 3 are allowed: the others do not protect the password or the commands",
            ),
        }
    }
}

impl IpmiTable {
    pub(super) fn choice(&self) -> Choice {
        match self.provider.get_ref() {
            IpmiProvider::Lab => Choice::Lab,
            IpmiProvider::Absent => Choice::Absent,
            _ => Choice::Live,
        }
    }

    pub(super) fn validate(&self, rules: &Rules<'_>) -> Result<(), ConfigError> {
        let at = self.provider.span();
        if *self.provider.get_ref() == IpmiProvider::Ipmitool {
            let there = self.password.is_some();
            rules.needs(there, at.clone(), "ipmi", "ipmitool", "password")?;
            if self.cipher_suites.is_empty() {
                let message = "no cipher suite is allowed; name 17, 3 or both".to_owned();
                return Err(rules.error(at, "cipher-suites", message));
            }
        }
        if self.tries > TRIES {
            let message = format!("the key `tries` of [ipmi] may be {TRIES} at most; lower it");
            return Err(rules.error(at, "tries", message));
        }
        let all_tries = self.timeout.0.saturating_mul(self.tries.max(1).into());
        if all_tries > TIMEOUT.0 {
            let message = format!(
                "the key `timeout` of [ipmi], times `tries`, may be \"{TIMEOUT}\" at most, so that a call ends \
                 before wreimage gives it up; lower one of them"
            );
            return Err(rules.error(at, "timeout", message));
        }
        Ok(())
    }
}

fn ipmitool() -> String {
    "ipmitool".to_owned()
}

fn ipmi_port() -> u16 {
    623
}

fn two() -> u8 {
    2
}

fn suites() -> Vec<Suite> {
    vec![Suite(17), Suite(3)]
}
