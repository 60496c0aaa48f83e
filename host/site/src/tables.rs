//! The tables of a site file, one a capability: who serves it, and how that is reached.

use crate::secret::SecretRef;
use crate::units::Period;
use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use toml::Spanned;

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
    /// The inventory file; relative to the site file. The other live providers read it too.
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

/// Who serves `dhcp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DhcpProvider {
    /// Snippet files that `dhcpincludes` joins into the configuration of ISC DHCP.
    DhcpIncludes,
    /// The simulated data centre.
    Lab,
    /// The site has none.
    Absent,
}

/// `[dhcp]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DhcpTable {
    /// Who serves it.
    pub provider: Spanned<DhcpProvider>,
    /// The automation folder on the install server.
    #[serde(default = "automation")]
    pub folder: PathBuf,
    /// Folder of the snippets inside of it.
    #[serde(default = "snippets")]
    pub snippets: String,
    /// The proxy file that lists them, inside of the automation folder; `proxies/SNIPPETS.conf` unless given.
    pub proxy: Option<String>,
    /// The include tool: writes the proxy files, checks the configuration, restarts the server.
    #[serde(default = "include_command")]
    pub include: Vec<String>,
    /// Ends with status 0 while the DHCP server runs.
    #[serde(default = "running_command")]
    pub running: Vec<String>,
    /// Prints something that is another after each start of the DHCP server.
    #[serde(default = "started_command")]
    pub started: Vec<String>,
    /// How long the include tool may take; 60 s at most.
    #[serde(default = "one_minute")]
    pub timeout: Period,
    /// The install server, when it is another machine; entered by SSH.
    pub server: Option<InstallServer>,
    /// What each boot method is told; a method that is not here is not supported.
    #[serde(default)]
    pub boot: BootTable,
}

/// `[dhcp.server]`: the install server, entered by SSH.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct InstallServer {
    /// Name or address.
    pub host: String,
    /// TCP port.
    #[serde(default = "ssh_port")]
    pub port: u16,
    /// User.
    #[serde(default = "root")]
    pub user: String,
    /// Private key file; relative to the site file.
    pub key: PathBuf,
    /// Of an encrypted key file.
    pub passphrase: Option<SecretRef>,
    /// OpenSSH's file of known host keys; relative to the site file.
    pub known_hosts: PathBuf,
}

/// `[dhcp.boot]`: in all texts `{distribution}` and `{media}` are filled in.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BootTable {
    /// PXELINUX, files over HTTP.
    pub pxelinux_http: Option<PxelinuxHttp>,
    /// PXELINUX, files over TFTP.
    pub pxelinux_tftp: Option<PxelinuxTftp>,
    /// iPXE, chain-loaded over TFTP.
    pub ipxe: Option<Ipxe>,
    /// UEFI HTTP boot.
    pub uefi_http: Option<UefiHttp>,
}

/// `[dhcp.boot.pxelinux-http]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PxelinuxHttp {
    /// URL of the boot files, with a final slash.
    pub pathprefix: String,
}

/// `[dhcp.boot.pxelinux-tftp]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PxelinuxTftp {
    /// The boot loader.
    pub filename: String,
    /// Folder of the boot files, with a final slash.
    pub pathprefix: String,
}

/// `[dhcp.boot.ipxe]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Ipxe {
    /// What the firmware loads: iPXE itself.
    pub loader: String,
    /// What iPXE loads: its script.
    pub script: String,
    /// Option `root-path`, which tells the script what to install.
    #[serde(default = "root_path")]
    pub root_path: String,
}

/// `[dhcp.boot.uefi-http]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UefiHttp {
    /// URL of the boot loader; by address, since some firmware cannot resolve names.
    pub filename: String,
    /// Option `root-path`, which tells the loader's script what to install.
    #[serde(default = "root_path")]
    pub root_path: String,
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
fn root_path() -> String {
    "{distribution}-{media}".to_owned()
}
fn snippets() -> String {
    "ttyS1-115200".to_owned()
}
fn automation() -> PathBuf {
    PathBuf::from("/etc/dhcp/automation")
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
fn one_minute() -> Period {
    Period::secs(60)
}
fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}
fn include_command() -> Vec<String> {
    words("/usr/local/sbin/dhcpincludes -r commit")
}
fn running_command() -> Vec<String> {
    words("systemctl is-active --quiet isc-dhcp-server")
}
fn started_command() -> Vec<String> {
    words("systemctl show --value --property=ExecMainStartTimestampMonotonic isc-dhcp-server")
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
