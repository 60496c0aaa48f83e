//! What `[dhcp]` must have beyond its types.

use super::table::{BootTable, DhcpProvider, DhcpTable, Expiry, is_name};
use crate::ConfigError;
use crate::rules::Rules;
use crate::units::Period;
use std::ops::Range;

/// Of the include tool, so that a call ends before the gate gives it up after 300 s. A call runs it twice, when it takes out what
/// it wrote, among some twenty small commands.
const TIMEOUT: Period = Period::secs(60);
/// Of a published entry without a renewal. The shortest outlasts some renewals that did not get through.
const EXPIRY: (Period, Period) = (Period::secs(600), Period::secs(7 * 24 * 3600));

impl DhcpTable {
    pub(super) fn validate(&self, rules: &Rules<'_>) -> Result<(), ConfigError> {
        let at = self.provider.span();
        if *self.provider.get_ref() == DhcpProvider::DhcpIncludes {
            self.validate_automation(rules, &at)?;
        }
        validate_releases(rules, &self.boot, &at)?;
        rules.at_most(self.timeout, TIMEOUT, at.clone(), "dhcp", "timeout")?;
        let (least, most) = EXPIRY;
        if let Expiry::After(period) = self.expiry
            && !(least..=most).contains(&period)
        {
            let message = format!(
                "the key `expiry` of [dhcp] may be between \"{least}\" and \"{most}\": a run renews its entry every few \
                 minutes; or \"none\", and an entry stays when its run dies"
            );
            return Err(rules.error(at, "expiry", message));
        }
        Ok(())
    }

    fn validate_automation(&self, rules: &Rules<'_>, at: &Range<usize>) -> Result<(), ConfigError> {
        for (key, argv) in [
            ("include", &self.include),
            ("running", &self.running),
            ("started", &self.started),
            ("schedule", &self.schedule),
            ("scheduled", &self.scheduled),
            ("unschedule", &self.unschedule),
        ] {
            rules.needs(!argv.is_empty(), at.clone(), "dhcp", "dhcpincludes", key)?;
        }
        if !is_relative_name(&self.snippets) {
            let message = "`snippets` is a folder inside of the automation folder; write it without `..` and without a \
                           slash at either end"
                .to_owned();
            return Err(rules.error(at.clone(), "snippets", message));
        }
        Ok(())
    }
}

/// Either names or a command, and names that can be part of a boot path.
fn validate_releases(
    rules: &Rules<'_>,
    boot: &BootTable,
    at: &Range<usize>,
) -> Result<(), ConfigError> {
    let at = || at.clone();
    let names = !boot.distributions.is_empty() || !boot.media.is_empty();
    if names && !boot.list.is_empty() {
        let message =
            "[dhcp.boot] has both `list` and `distributions` or `media`: remove one of them"
                .to_owned();
        return Err(rules.error(at(), "list", message));
    }
    if boot.distributions.is_empty() && !boot.media.is_empty() {
        let message =
            "[dhcp.boot] has `media` without `distributions`: name the releases that have them"
                .to_owned();
        return Err(rules.error(at(), "media", message));
    }
    for (key, names) in [
        ("distributions", &boot.distributions),
        ("media", &boot.media),
    ] {
        if !names.iter().all(|name| is_name(name)) {
            let message = format!(
                "`{key}` of [dhcp.boot] takes names of lower-case letters, digits, dots and dashes"
            );
            return Err(rules.error(at(), key, message));
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
