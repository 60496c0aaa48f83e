//! The tables of a site file, one a capability: who serves it, and how that is reached.

use crate::secret::SecretRef;
use crate::units::Period;
use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use toml::Spanned;

mod dhcp;
mod lease;

pub use dhcp::{
    BootTable, DhcpProvider, DhcpTable, Expiry, InstallServer, Ipxe, ListOn, PxelinuxHttp,
    PxelinuxTftp, UefiHttp,
};
pub use lease::{LeaseProvider, LeaseTable};

/// Who serves `netbox`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetboxProvider {
    /// A file of the site.
    File,
    /// The simulated data centre.
    Lab,
    /// The site has none.
    Absent,
}

/// `[netbox]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NetboxTable {
    /// Who serves it.
    pub provider: Spanned<NetboxProvider>,
    /// The inventory file; relative to the site file.
    pub inventory: Option<PathBuf>,
}

/// Who serves `dns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DnsProvider {
    /// The system's resolver, as configured in `/etc`.
    System,
    /// The name servers that the table names.
    Server,
    /// A hosts file.
    Hosts,
    /// The simulated data centre.
    Lab,
    /// The site has none.
    Absent,
}

/// `[dns]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DnsTable {
    /// Who serves it.
    pub provider: Spanned<DnsProvider>,
    /// Addresses of name servers, for `server`; port 53 unless one is given.
    #[serde(default)]
    pub servers: Vec<NameServer>,
    /// The hosts file, for `hosts`; relative to the site file.
    pub hosts: Option<PathBuf>,
    /// How long one look-up may take; 10 s at most.
    #[serde(default = "five_seconds")]
    pub timeout: Period,
}

/// Address of a name server: `10.0.0.53` or `10.0.0.53:5353`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct NameServer(pub SocketAddr);

impl TryFrom<String> for NameServer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(NameServer(SocketAddr::new(address, 53)));
        }
        text.parse()
            .map(NameServer)
            .map_err(|_| "a name server is written as an address, such as \"10.0.0.53\"".to_owned())
    }
}

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

fn root() -> String {
    "root".to_owned()
}
fn ipmitool() -> String {
    "ipmitool".to_owned()
}
fn ipmi_port() -> u16 {
    623
}
fn ssh_port() -> u16 {
    22
}
fn two() -> u8 {
    2
}
fn suites() -> Vec<Suite> {
    vec![Suite(17), Suite(3)]
}
fn two_seconds() -> Period {
    Period::secs(2)
}
fn five_seconds() -> Period {
    Period::secs(5)
}
fn ten_seconds() -> Period {
    Period::secs(10)
}
fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}
fn reboot_command() -> Vec<String> {
    words("reboot")
}

/// `[lab]`: the systems around the machine that the simulated data centre stands in for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LabTable {
    /// Capabilities, such as `puppet`; those with a table of their own are chosen there.
    pub capabilities: Vec<Spanned<String>>,
    /// The world file; without it a world in which only the host is, and is known everywhere.
    pub world: Option<PathBuf>,
}
