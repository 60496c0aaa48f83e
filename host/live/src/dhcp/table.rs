//! `[dhcp]`: the install server, its programs, and what the boot methods are told.

use crate::capability::Choice;
use crate::defaults::{root, ssh_port, words};
use crate::secret::SecretRef;
use crate::units::Period;
use serde::{Deserialize, Deserializer};
use std::path::PathBuf;
use toml::Spanned;

/// Bytes of the name of a release: as many as `publish` takes.
pub(super) const RELEASE_NAME: usize = 64;

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
    /// After this long without a sign of life of its run the install server takes an entry out by itself.
    #[serde(default = "two_hours")]
    pub expiry: Expiry,
    /// Has the install server run `{script}` by a shell, each minute from now on, until `unschedule`. `{host}` is filled in.
    #[serde(default = "schedule_command")]
    pub schedule: Vec<String>,
    /// Ends with status 0 while that is so.
    #[serde(default = "scheduled_command")]
    pub scheduled: Vec<String>,
    /// Ends it.
    #[serde(default = "unschedule_command")]
    pub unschedule: Vec<String>,
    /// How long the include tool may take; 60 s at most.
    #[serde(default = "one_minute")]
    pub timeout: Period,
    /// The install server, when it is another machine; entered by SSH.
    pub server: Option<ServerTable>,
    /// What each boot method is told; a method that is not here is not supported.
    #[serde(default)]
    pub boot: BootTable,
}

impl DhcpTable {
    pub(super) fn choice(&self) -> Choice {
        match self.provider.get_ref() {
            DhcpProvider::Lab => Choice::Lab,
            DhcpProvider::Absent => Choice::Absent,
            _ => Choice::Live,
        }
    }

    /// The automation folder without a final slash.
    pub(super) fn folder(&self) -> String {
        let folder = self.folder.to_string_lossy();
        folder.trim_end_matches('/').to_owned()
    }
}

/// When an entry that nobody renews is taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// Never: `none` in the site file.
    Never,
    /// That long after the last renewal.
    After(Period),
}

impl<'de> Deserialize<'de> for Expiry {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a time such as \"2h\", or \"none\"")]
        enum Written {
            Word(Word),
            Period(Period),
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Word {
            None,
        }
        Ok(match Written::deserialize(from)? {
            Written::Word(Word::None) => Expiry::Never,
            Written::Period(period) => Expiry::After(period),
        })
    }
}

/// `[dhcp.server]`: the install server, entered by SSH.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ServerTable {
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

/// Where the command runs that lists the releases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListOn {
    /// On the install server.
    #[default]
    InstallServer,
    /// On this machine.
    Controller,
}

/// `[dhcp.boot]`: in all texts `{distribution}` and `{media}` are filled in.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BootTable {
    /// Code names of the releases that can be installed; a run for another one is refused before anything is changed.
    #[serde(default)]
    pub distributions: Vec<String>,
    /// Boot media that each of them has; empty when that is not known.
    #[serde(default)]
    pub media: Vec<String>,
    /// Prints the releases instead: one a line, its code name and then its boot media.
    #[serde(default)]
    pub list: Vec<String>,
    /// Where `list` runs.
    #[serde(default)]
    pub list_on: ListOn,
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

fn root_path() -> String {
    "{distribution}-{media}".to_owned()
}
fn snippets() -> String {
    "ttyS1-115200".to_owned()
}
fn automation() -> PathBuf {
    PathBuf::from("/etc/dhcp/automation")
}
fn one_minute() -> Period {
    Period::secs(60)
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
fn two_hours() -> Expiry {
    Expiry::After(Period::secs(7200))
}
fn schedule_command() -> Vec<String> {
    words(
        "systemd-run --quiet --collect --unit=wreimage-dhcp-{host} --on-active=60 --on-unit-inactive=60 \
         --timer-property=AccuracySec=1s sh {script}",
    )
}
fn scheduled_command() -> Vec<String> {
    words("systemctl is-active --quiet wreimage-dhcp-{host}.timer")
}
fn unschedule_command() -> Vec<String> {
    words("systemctl stop wreimage-dhcp-{host}.timer")
}

/// What can be the name of a release or of boot media.
pub(super) fn is_name(word: &str) -> bool {
    !word.is_empty()
        && word.len() <= RELEASE_NAME
        && word
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-'))
}
