//! `ipmi`: the machine's BMC.

pub(crate) mod answers;
pub(crate) mod classify;
pub(crate) mod identity;
mod ipmitool;
mod power;
mod refused;
mod session;
mod table;

pub use table::{IpmiProvider, IpmiTable, Suite};

use crate::ConfigError;
use crate::capability::{Choice, LiveCapability, Served};
use crate::check::CheckLine;
use crate::host::Host;
use crate::resolver::Resolver;
use crate::rules::Rules;
use crate::secret::{Secret, SecretRef};
use crate::secrets::Secrets;
use crate::shared::Shared;
use ipmitool::{Ipmitool, summary};
use power::power_word;
use session::Settings;
use std::sync::Arc;
use wreimage_capability::ipmi::Provider as _;
use wreimage_capability::{Call, Capability, ipmi};

/// Key of the password in the site file.
const PASSWORD: &str = "ipmi.password";

/// The BMCs of a site, reached by the program `ipmitool`.
pub struct Ipmi {
    table: Arc<IpmiTable>,
    password: Option<Secret>,
    resolver: Resolver,
}

impl Ipmi {
    fn of(&self, host: &Host) -> Ipmitool {
        let table = &self.table;
        let settings = Settings {
            resolver: self.resolver.clone(),
            port: table.port,
            user: table.user.clone(),
            password: self.password.clone(),
            suites: table.cipher_suites.clone(),
            timeout: table.timeout.0,
            tries: table.tries,
            program: table.program.clone(),
            memory: Default::default(),
        };
        Ipmitool::new(settings, &host.target, host.boot_ids.clone())
    }
}

impl LiveCapability for Ipmi {
    const CAPABILITY: &'static Capability = &ipmi::CAPABILITY;
    type Table = IpmiTable;

    fn choice(table: &IpmiTable) -> Choice {
        table.choice()
    }

    fn secrets(table: &IpmiTable) -> Vec<(&'static str, &SecretRef)> {
        let password = table.password.as_ref();
        password.map(|it| (PASSWORD, it)).into_iter().collect()
    }

    fn validate(table: &IpmiTable, rules: &Rules<'_>) -> Result<(), ConfigError> {
        table.validate(rules)
    }

    fn new(table: Arc<IpmiTable>, secrets: &Secrets, shared: &Shared) -> Self {
        Ipmi {
            table,
            password: secrets.get(PASSWORD),
            resolver: shared.resolver.clone(),
        }
    }

    fn open(&self, host: &Host) -> Served {
        ipmi::serve(self.of(host))
    }

    async fn check_host(&self, host: &Host, call: &Call) -> Vec<CheckLine> {
        let names = host.target.names(call).ok();
        let management = names.and_then(|names| names.management);
        let what = format!("BMC {}", management.as_deref().unwrap_or("(none)"));
        let bmc = self.of(host);
        let power = bmc.get_power_state(call).await;
        let power = power.map(|state| format!("power {}", power_word(&state)));
        let answered = power.is_ok();
        let mut lines = vec![CheckLine::of_answer(what.clone(), power)];
        // A BMC that refused once is not asked again.
        if answered {
            let info = bmc.get_device_info(call).await;
            lines.push(CheckLine::of_answer(
                format!("{what}, identity"),
                info.map(|info| summary(&info)),
            ));
        }
        lines
    }
}
