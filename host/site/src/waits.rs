//! How long and how often waits look, by the site's word.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;
use toml::Spanned;
use wreimage_capability::WaitPolicy;
use wreimage_live::Period;

/// What a site says of one wait; what it does not say is as the guest asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Wait {
    /// Between two looks.
    pub interval: Option<Period>,
    /// From the call until the wait gives up.
    pub deadline: Option<Period>,
}

/// The key that stands for every wait that has no entry of its own.
pub(crate) const DEFAULT: &str = "default";

/// `[waits]`: `default`, and functions such as `"remote.wait-for-boot"`.
pub type WaitTable = BTreeMap<Spanned<String>, Wait>;

/// How long and how often waits look, by the site's word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waits(BTreeMap<String, Wait>);

impl Waits {
    pub(crate) fn new(table: &WaitTable) -> Self {
        Waits(
            table
                .iter()
                .map(|(name, wait)| (name.get_ref().clone(), *wait))
                .collect(),
        )
    }

    /// What the site says of a function such as `remote.wait-for-boot`; its own entry first, then the default.
    pub fn of(&self, function: &str) -> Wait {
        let own = self.0.get(function).copied().unwrap_or_default();
        let default = self.0.get(DEFAULT).copied().unwrap_or_default();
        Wait {
            interval: own.interval.or(default.interval),
            deadline: own.deadline.or(default.deadline),
        }
    }

    /// The policy that a guest asks for, with the values of the site in place of the guest's where it has some.
    pub fn apply(&self, function: &str, asked: WaitPolicy) -> WaitPolicy {
        let wait = self.of(function);
        let millis =
            |period: Option<Period>, asked| period.map_or(asked, |Period(time)| millis_of(time));
        WaitPolicy {
            deadline_ms: millis(wait.deadline, asked.deadline_ms),
            interval_ms: millis(wait.interval, asked.interval_ms),
        }
    }
}

fn millis_of(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_of_the_site_wins() {
        let table: WaitTable = toml::from_str(
            "default = { interval = \"5s\" }\n\"remote.wait-for-boot\" = { deadline = \"10m\" }",
        )
        .unwrap();
        let waits = Waits::new(&table);
        let asked = WaitPolicy {
            deadline_ms: 1,
            interval_ms: 2,
        };
        let boot = waits.apply("remote.wait-for-boot", asked);
        assert_eq!((boot.deadline_ms, boot.interval_ms), (600_000, 5_000));
        let other = waits.apply("puppet.wait", asked);
        assert_eq!((other.deadline_ms, other.interval_ms), (1, 5_000));
    }
}
