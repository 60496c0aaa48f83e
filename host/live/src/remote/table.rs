//! `[remote]`: how the hosts are entered, and what a guest may run there.

use crate::ConfigError;
use crate::capability::Choice;
use crate::defaults::{root, ssh_port, ten_seconds, words};
use crate::rules::Rules;
use crate::secret::SecretRef;
use crate::units::Period;
use serde::Deserialize;
use std::path::PathBuf;
use toml::Spanned;

/// Of each step of an SSH session, so that a call ends before the gate gives it up after 300 s. A call connects, logs in and runs
/// two commands, each in a channel that it opens.
const TIMEOUT: Period = Period::secs(20);

/// Who serves `remote`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RemoteProvider {
    /// The built-in SSH client.
    Russh,
    /// The simulated data centre.
    Lab,
    /// The site has none.
    Absent,
}

/// `[remote]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RemoteTable {
    /// Who serves it.
    pub provider: Spanned<RemoteProvider>,
    /// User on the hosts.
    #[serde(default = "root")]
    pub user: String,
    /// TCP port.
    #[serde(default = "ssh_port")]
    pub port: u16,
    /// How long a machine may take to accept a connection. Short: a machine that is down does not answer at all.
    #[serde(default = "two_seconds")]
    pub connect_timeout: Period,
    /// How long key exchange and login may take together; 20 s at most, as the other two.
    #[serde(default = "ten_seconds")]
    pub login_timeout: Period,
    /// How long one read may take.
    #[serde(default = "ten_seconds")]
    pub read_timeout: Period,
    /// The program that reboots, with its arguments; it runs detached.
    #[serde(default = "reboot_command")]
    pub reboot: Vec<String>,
    /// Commands that a guest may run. `*` in a word stands for any text, the last word `**` for any further words;
    /// `{host}` and `{fqdn}` are filled in.
    #[serde(default)]
    pub allow: Vec<Vec<String>>,
    /// The identity that an installer and a fresh system accept.
    pub installer: Option<InstallerIdentity>,
    /// The identity that an enrolled system accepts.
    pub production: Option<ProductionIdentity>,
}

/// `[remote.installer]`: the host key is trusted on first use, for one boot.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct InstallerIdentity {
    /// Private key file; relative to the site file.
    pub key: PathBuf,
    /// Of an encrypted key file.
    pub passphrase: Option<SecretRef>,
}

/// `[remote.production]`: the host key must be a known one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProductionIdentity {
    /// Private key file; relative to the site file.
    pub key: PathBuf,
    /// Of an encrypted key file.
    pub passphrase: Option<SecretRef>,
    /// OpenSSH's file of known host keys; relative to the site file.
    pub known_hosts: PathBuf,
}

impl RemoteTable {
    pub(super) fn choice(&self) -> Choice {
        match self.provider.get_ref() {
            RemoteProvider::Lab => Choice::Lab,
            RemoteProvider::Absent => Choice::Absent,
            _ => Choice::Live,
        }
    }

    pub(super) fn validate(&self, rules: &Rules<'_>) -> Result<(), ConfigError> {
        let at = self.provider.span();
        if *self.provider.get_ref() == RemoteProvider::Russh {
            let one = self.installer.is_some() || self.production.is_some();
            rules.needs(one, at.clone(), "remote", "russh", "production")?;
            let reboot = !self.reboot.is_empty();
            rules.needs(reboot, at.clone(), "remote", "russh", "reboot")?;
        }
        for (key, value) in [
            ("connect-timeout", self.connect_timeout),
            ("login-timeout", self.login_timeout),
            ("read-timeout", self.read_timeout),
        ] {
            rules.at_most(value, TIMEOUT, at.clone(), "remote", key)?;
        }
        Ok(())
    }
}

fn two_seconds() -> Period {
    Period::secs(2)
}

fn reboot_command() -> Vec<String> {
    words("reboot")
}
