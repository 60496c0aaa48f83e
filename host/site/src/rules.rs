//! What a site file must have beyond its types: names that exist, bounds. What the table of a capability must have is checked by
//! the capability.

use crate::file::SiteFile;
use wreimage_capability::{ALL, Effect, Server};
use wreimage_live::{ConfigError, Period, Rules, Tables, is_name};

/// Of telling somebody of a run: its end waits for it.
const NOTIFY_TIMEOUT: Period = Period::secs(60);

/// Checks the rules; the first one that is broken is the error.
pub(crate) fn check(rules: &Rules<'_>, file: &SiteFile) -> Result<(), ConfigError> {
    if !is_name(file.domain.get_ref()) {
        let message =
            "`domain` is not a domain name: use lower-case letters, digits, dashes and dots"
                .to_owned();
        return Err(rules.error(file.domain.span(), "domain", message));
    }
    file.tables.validate(rules)?;
    let has_server = file.tables.has_install_server();
    file.lease.validate(rules, has_server)?;
    check_grants(rules, file)?;
    check_lab(rules, file)?;
    check_notify(rules, file)?;
    check_waits(rules, file)
}

fn check_notify(rules: &Rules<'_>, file: &SiteFile) -> Result<(), ConfigError> {
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

fn check_grants(rules: &Rules<'_>, file: &SiteFile) -> Result<(), ConfigError> {
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

/// Whether the capability chooses its provider in a table of its own.
fn has_table(capability: &str) -> bool {
    Tables::names().any(|name| name == capability)
}

fn check_lab(rules: &Rules<'_>, file: &SiteFile) -> Result<(), ConfigError> {
    let others = || {
        ALL.iter()
            .filter(|capability| capability.server == Server::Provider)
            .map(|capability| capability.name)
            .filter(|name| !has_table(name))
    };
    for name in file.lab.iter().flat_map(|lab| &lab.capabilities) {
        let text = name.get_ref().as_str();
        let message = if has_table(text) {
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

fn check_waits(rules: &Rules<'_>, file: &SiteFile) -> Result<(), ConfigError> {
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
