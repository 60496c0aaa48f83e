//! `[lease]`: what orders the controllers that may change a host.

use crate::ConfigError;
use crate::rules::Rules;
use crate::units::Period;
use serde::Deserialize;
use toml::Spanned;

/// Of a claim on a host without a renewal. A shorter one would not outlast a BMC that is slow, a longer one keeps others away.
const TTL: (Period, Period) = (Period::secs(60), Period::secs(900));

/// Where claims on hosts are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeaseProvider {
    /// In a folder of the install server that `[dhcp]` names.
    InstallServer,
    /// Nowhere: only the runs of one state folder are ordered.
    None,
}

/// `[lease]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LeaseTable {
    /// Where claims are kept; on the install server wherever `dhcp` is live, unless the table has another.
    pub provider: Option<Spanned<LeaseProvider>>,
    /// For how long a claim is fresh after its last heartbeat; 60 s to 15 min. The lease folder keeps the value that it was
    /// created with.
    #[serde(default = "five_minutes")]
    pub ttl: Spanned<Period>,
}

impl Default for LeaseTable {
    fn default() -> Self {
        LeaseTable {
            provider: None,
            ttl: five_minutes(),
        }
    }
}

impl LeaseTable {
    /// Whether claims are kept on the install server, where there is one.
    pub(crate) fn is_wanted(&self) -> bool {
        self.provider
            .as_ref()
            .is_none_or(|provider| *provider.get_ref() == LeaseProvider::InstallServer)
    }

    /// Checks the rules; `has_server` when a table of the site names an install server that is live.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn validate(&self, rules: &Rules<'_>, has_server: bool) -> Result<(), ConfigError> {
        let (least, most) = TTL;
        let ttl = *self.ttl.get_ref();
        if ttl < least || ttl > most {
            let message = format!("the key `ttl` of [lease] is from \"{least}\" to \"{most}\"");
            return Err(rules.error(self.ttl.span(), "ttl", message));
        }
        if let Some(provider) = &self.provider
            && *provider.get_ref() == LeaseProvider::InstallServer
            && !has_server
        {
            let message = "[lease] with provider = \"install-server\" needs [dhcp] with provider = \"dhcpincludes\": the lease \
                           is kept there"
                .to_owned();
            return Err(rules.error(provider.span(), "provider", message));
        }
        Ok(())
    }
}

fn five_minutes() -> Spanned<Period> {
    Spanned::new(0..0, Period::secs(300))
}
