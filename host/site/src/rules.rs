//! What a site file must have beyond its types: keys that its providers need, names that exist.

use crate::SiteError;
use crate::error::line_of;
use crate::file::SiteFile;
use crate::tables::{
    DhcpProvider, DhcpTable, DnsProvider, Expiry, IpmiProvider, NetboxProvider, RemoteProvider,
};
use crate::target::is_name;
use crate::units::Period;
use std::ops::Range;
use std::path::Path;
use wreimage_capability::{ALL, Effect, Server};

// The gate gives a call 300 s, and its fault knows less than the provider's own. With these bounds the steps that one call
// makes end before that, even when each takes its whole time.

/// Of one look-up. Each request to a BMC and each SSH connection makes one.
const DNS_TIMEOUT: Period = Period::secs(10);
/// Of one request with all its tries. A call makes four at most: it sets a boot device in two ways and reads back each.
/// A look at a lost power command begins its last read after 60 s and has 120 s.
const IPMI_TIMEOUT: Period = Period::secs(40);
/// Each try of a read looks up the BMC's name as well.
const IPMI_TRIES: u8 = 5;
/// Of the include tool. A call runs it twice, when it takes out what it wrote, among some twenty small commands.
const DHCP_TIMEOUT: Period = Period::secs(60);
/// Of telling somebody of a run: its end waits for it.
const NOTIFY_TIMEOUT: Period = Period::secs(60);
/// Of a published entry without a renewal. The shortest outlasts some renewals that did not get through.
const DHCP_EXPIRY: (Period, Period) = (Period::secs(600), Period::secs(7 * 24 * 3600));
/// Of each step of an SSH session. A call connects, logs in and runs two commands, each in a channel that it opens.
const REMOTE_TIMEOUT: Period = Period::secs(20);

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

    /// `key` in `table` is not longer than `most`.
    fn at_most(
        &self,
        value: Period,
        most: Period,
        at: Range<usize>,
        table: &str,
        key: &str,
    ) -> Result<(), SiteError> {
        if value <= most {
            return Ok(());
        }
        let message = format!(
            "the key `{key}` of [{table}] may be \"{most}\" at most, so that a call ends before wreimage gives it up; \
             lower it"
        );
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
    check_timeouts(&rules, file)?;
    check_grants(&rules, file)?;
    check_lab(&rules, file)?;
    check_notify(&rules, file)?;
    check_waits(&rules, file)
}

fn check_notify(rules: &Rules<'_>, file: &SiteFile) -> Result<(), SiteError> {
    let Some(table) = &file.notify else {
        return Ok(());
    };
    if let Some(command) = &table.command
        && command.get_ref().first().is_none_or(String::is_empty)
    {
        let message = "the command of [notify] names no program".to_owned();
        return Err(rules.error(command.span(), "command", message));
    }
    if let Some(url) = &table.url
        && !["https://", "http://"]
            .iter()
            .any(|it| url.get_ref().starts_with(it))
    {
        let message = "the `url` of [notify] begins with neither https:// nor http://".to_owned();
        return Err(rules.error(url.span(), "url", message));
    }
    if let (Some(url), Some(_)) = (&table.url, &table.url_secret) {
        let message = "[notify] has both `url` and `url-secret`: name one of them".to_owned();
        return Err(rules.error(url.span(), "url", message));
    }
    if table.command.is_none() && table.url.is_none() && table.url_secret.is_none() {
        let message =
            "[notify] names nobody: add `command`, `url` or `url-secret`, or remove it".to_owned();
        return Err(rules.error(0..0, "notify", message));
    }
    let (timeout, at) = (*table.timeout.get_ref(), table.timeout.span());
    rules.at_most(timeout, NOTIFY_TIMEOUT, at, "notify", "timeout")
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
            ("schedule", &table.schedule),
            ("scheduled", &table.scheduled),
            ("unschedule", &table.unschedule),
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
    if let Some(table) = &file.dhcp {
        check_releases(rules, table)?;
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

/// Either names or a command, and names that can be part of a boot path.
fn check_releases(rules: &Rules<'_>, table: &DhcpTable) -> Result<(), SiteError> {
    let (at, boot) = (table.provider.span(), &table.boot);
    let names = !boot.distributions.is_empty() || !boot.media.is_empty();
    if names && !boot.list.is_empty() {
        let message =
            "[dhcp.boot] has both `list` and `distributions` or `media`: remove one of them"
                .to_owned();
        return Err(rules.error(at, "list", message));
    }
    if boot.distributions.is_empty() && !boot.media.is_empty() {
        let message =
            "[dhcp.boot] has `media` without `distributions`: name the releases that have them"
                .to_owned();
        return Err(rules.error(at, "media", message));
    }
    for (key, names) in [
        ("distributions", &boot.distributions),
        ("media", &boot.media),
    ] {
        if !names.iter().all(|name| crate::dhcp::is_name(name)) {
            let message = format!(
                "`{key}` of [dhcp.boot] takes names of lower-case letters, digits, dots and dashes"
            );
            return Err(rules.error(at, key, message));
        }
    }
    Ok(())
}

fn check_timeouts(rules: &Rules<'_>, file: &SiteFile) -> Result<(), SiteError> {
    if let Some(table) = &file.dns {
        let at = table.provider.span();
        rules.at_most(table.timeout, DNS_TIMEOUT, at, "dns", "timeout")?;
    }
    if let Some(table) = &file.ipmi {
        let at = table.provider.span();
        if table.tries > IPMI_TRIES {
            let message =
                format!("the key `tries` of [ipmi] may be {IPMI_TRIES} at most; lower it");
            return Err(rules.error(at, "tries", message));
        }
        let all_tries = table.timeout.0.saturating_mul(table.tries.max(1).into());
        if all_tries > IPMI_TIMEOUT.0 {
            let message = format!(
                "the key `timeout` of [ipmi], times `tries`, may be \"{IPMI_TIMEOUT}\" at most, so that a call ends \
                 before wreimage gives it up; lower one of them"
            );
            return Err(rules.error(at, "timeout", message));
        }
    }
    if let Some(table) = &file.dhcp {
        let at = table.provider.span();
        rules.at_most(table.timeout, DHCP_TIMEOUT, at.clone(), "dhcp", "timeout")?;
        let (least, most) = DHCP_EXPIRY;
        if let Expiry::After(period) = table.expiry
            && !(least..=most).contains(&period)
        {
            let message = format!(
                "the key `expiry` of [dhcp] may be between \"{least}\" and \"{most}\": a run renews its entry every few \
                 minutes; or \"none\", and an entry stays when its run dies"
            );
            return Err(rules.error(at, "expiry", message));
        }
    }
    if let Some(table) = &file.remote {
        for (key, value) in [
            ("connect-timeout", table.connect_timeout),
            ("login-timeout", table.login_timeout),
            ("read-timeout", table.read_timeout),
        ] {
            let at = table.provider.span();
            rules.at_most(value, REMOTE_TIMEOUT, at, "remote", key)?;
        }
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

/// Capabilities that choose their provider in a table of their own.
const OWN_TABLE: [&str; 5] = ["netbox", "dns", "ipmi", "dhcp", "remote"];

fn check_lab(rules: &Rules<'_>, file: &SiteFile) -> Result<(), SiteError> {
    let others = || {
        ALL.iter()
            .filter(|capability| capability.server == Server::Provider)
            .map(|capability| capability.name)
            .filter(|name| !OWN_TABLE.contains(name))
    };
    for name in file.lab.iter().flat_map(|lab| &lab.capabilities) {
        let text = name.get_ref().as_str();
        let message = if OWN_TABLE.contains(&text) {
            format!("`{text}` has a table of its own: say provider = \"lab\" in [{text}]")
        } else if others().any(|other| other == text) {
            continue;
        } else {
            let known: Vec<&str> = others().collect();
            format!(
                "there is no such capability; those known here: {}",
                known.join(", ")
            )
        };
        return Err(rules.error(name.span(), "capabilities", message));
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
