//! What a site file must have beyond its types: keys that its providers need, names that exist.

use crate::SiteError;
use crate::error::line_of;
use crate::file::SiteFile;
use crate::tables::{DhcpProvider, DnsProvider, IpmiProvider, NetboxProvider, RemoteProvider};
use crate::target::is_name;
use std::ops::Range;
use std::path::Path;
use wreimage_capability::{ALL, Effect, Server};

struct Rules<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Rules<'_> {
    fn error(&self, at: Range<usize>, key: &str, message: String) -> SiteError {
        SiteError::Content {
            path: self.path.to_owned(),
            line: line_of(self.text, at.start),
            key: Some(key.to_owned()),
            message,
        }
    }

    /// `provider` in `table` needs `key`.
    fn needs(
        &self,
        there: bool,
        at: Range<usize>,
        table: &str,
        provider: &str,
        key: &str,
    ) -> Result<(), SiteError> {
        if there {
            return Ok(());
        }
        let message =
            format!("[{table}] with provider = \"{provider}\" needs the key `{key}`; add it");
        Err(self.error(at, key, message))
    }
}

/// Checks the rules; the first one that is broken is the error.
pub(crate) fn check(path: &Path, text: &str, file: &SiteFile) -> Result<(), SiteError> {
    let rules = Rules { path, text };
    if !is_name(file.domain.get_ref()) {
        let message =
            "`domain` is not a domain name: use lower-case letters, digits, dashes and dots"
                .to_owned();
        return Err(rules.error(file.domain.span(), "domain", message));
    }
    check_tables(&rules, file)?;
    check_grants(&rules, file)?;
    check_waits(&rules, file)
}

fn check_tables(rules: &Rules<'_>, file: &SiteFile) -> Result<(), SiteError> {
    if let Some(table) = &file.netbox
        && *table.provider.get_ref() == NetboxProvider::File
    {
        let at = table.provider.span();
        rules.needs(table.inventory.is_some(), at, "netbox", "file", "inventory")?;
    }
    if let Some(table) = &file.dns {
        let at = table.provider.span();
        match table.provider.get_ref() {
            DnsProvider::Server => {
                rules.needs(!table.servers.is_empty(), at, "dns", "server", "servers")?;
            }
            DnsProvider::Hosts => {
                rules.needs(table.hosts.is_some(), at, "dns", "hosts", "hosts")?
            }
            _ => {}
        }
    }
    if let Some(table) = &file.ipmi
        && *table.provider.get_ref() == IpmiProvider::Ipmitool
    {
        let at = table.provider.span();
        rules.needs(
            table.password.is_some(),
            at.clone(),
            "ipmi",
            "ipmitool",
            "password",
        )?;
        if table.cipher_suites.is_empty() {
            let message = "no cipher suite is allowed; name 17, 3 or both".to_owned();
            return Err(rules.error(at, "cipher-suites", message));
        }
    }
    if let Some(table) = &file.dhcp
        && *table.provider.get_ref() == DhcpProvider::DhcpIncludes
    {
        let at = table.provider.span();
        for (key, argv) in [
            ("include", &table.include),
            ("running", &table.running),
            ("started", &table.started),
        ] {
            rules.needs(!argv.is_empty(), at.clone(), "dhcp", "dhcpincludes", key)?;
        }
        if !is_relative_name(&table.snippets) {
            let message = "`snippets` is a folder inside of the automation folder; write it without `..` and without a \
                           slash at either end"
                .to_owned();
            return Err(rules.error(at, "snippets", message));
        }
    }
    if let Some(table) = &file.remote
        && *table.provider.get_ref() == RemoteProvider::Russh
    {
        let at = table.provider.span();
        let one = table.installer.is_some() || table.production.is_some();
        rules.needs(one, at.clone(), "remote", "russh", "production")?;
        rules.needs(!table.reboot.is_empty(), at, "remote", "russh", "reboot")?;
    }
    Ok(())
}

/// Letters, digits and `-_.` between single slashes, and nothing that leads upwards.
fn is_relative_name(name: &str) -> bool {
    name.split('/').all(|part| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    })
}

fn check_grants(rules: &Rules<'_>, file: &SiteFile) -> Result<(), SiteError> {
    for grant in &file.grants {
        for name in &grant.capabilities {
            if wreimage_capability::capability(name.get_ref()).is_none() {
                let known: Vec<&str> = ALL.iter().map(|capability| capability.name).collect();
                let message = format!(
                    "there is no capability `{}`; there are {}",
                    name.get_ref(),
                    known.join(", ")
                );
                return Err(rules.error(name.span(), "capabilities", message));
            }
        }
        if let Some(digest) = &grant.digest {
            let text = digest.get_ref();
            let is_digest =
                text.len() == 64 && text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
            if !is_digest {
                let message = "`digest` is a SHA-256 in 64 lower-case hexadecimal digits, as `wreimage inspect` prints \
                               it"
                    .to_owned();
                return Err(rules.error(digest.span(), "digest", message));
            }
        }
    }
    Ok(())
}

fn check_waits(rules: &Rules<'_>, file: &SiteFile) -> Result<(), SiteError> {
    for name in file.waits.keys() {
        let text = name.get_ref();
        let waits = || {
            ALL.iter()
                .filter(|capability| capability.server == Server::Provider)
                .flat_map(|capability| capability.functions)
                .filter(|function| function.effect == Effect::Wait)
                .map(ToString::to_string)
        };
        if text != crate::waits::DEFAULT && !waits().any(|function| function == *text) {
            let known: Vec<String> = waits().collect();
            let message = format!(
                "there is no function `{text}` that waits; the keys known here: default, {}",
                known.join(", ")
            );
            return Err(rules.error(name.span(), text, message));
        }
    }
    Ok(())
}
