//! `wreimage site check`: every read-only way to each system, tried.

use crate::dns::Names;
use crate::ipmi::{power_word, summary};
use crate::open;
use crate::redact::without_secrets;
use crate::site::{Choice, Site};
use crate::ssh::SshFailure;
use crate::target::Target;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use wreimage_capability::ipmi::Provider as _;
use wreimage_capability::remote::Identity;
use wreimage_capability::{Call, Fault, HostSnapshot};

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckLine {
    /// What was tried, such as `BMC host1001.mgmt.lab1.test`.
    pub what: String,
    /// Whether it went well.
    pub ok: bool,
    /// What was found, or what is wrong and what to do.
    pub message: String,
}

impl CheckLine {
    fn of(what: impl Into<String>, result: Result<String, String>) -> Self {
        let (ok, message) = match result {
            Ok(message) => (true, message),
            Err(message) => (false, message),
        };
        CheckLine {
            what: without_secrets(&what.into()).into_owned(),
            ok,
            message: without_secrets(&message).into_owned(),
        }
    }

    fn fault(what: impl Into<String>, result: Result<String, Fault>) -> Self {
        Self::of(what, result.map_err(|fault| fault.message))
    }
}

pub(crate) async fn check(site: &Site, host: Option<&str>) -> Vec<CheckLine> {
    let mut lines = vec![CheckLine::of(
        format!("site file {}", site.path().display()),
        Ok(choices(site)),
    )];
    if let Some(inventory) = site.inventory() {
        let read = inventory.read();
        lines.push(CheckLine::of(
            format!("inventory {}", inventory.path.display()),
            read.map(|file| format!("{} hosts", file.hosts.len()))
                .map_err(|error| error.to_string()),
        ));
    }
    if let Some(notifier) = site.notifier() {
        lines.push(CheckLine::of("[notify]", Ok(notifier.shown())));
    }
    if let Some(state) = site.state()
        && let Ok(folder) = std::fs::metadata(&state)
    {
        let shared = shared(folder.permissions().mode());
        lines.push(CheckLine::of(
            format!("records in {}", state.display()),
            shared,
        ));
    }
    for secret in site.secrets.all() {
        let read = secret.read().await;
        lines.push(CheckLine::of(
            format!("secret {}", secret.key()),
            read.map(|_| format!("read from {}", secret.reference()))
                .map_err(|error| error.to_string()),
        ));
    }
    // The install server is the same for every host; any name will do to speak of it.
    if let Ok(target) = site.target(host.unwrap_or("check"))
        && let Some(dhcp) = open::dhcpincludes(site, &target)
    {
        let checked = dhcp.check().await;
        let answered = checked.is_ok();
        lines.push(CheckLine::fault(dhcp.system(), checked));
        if answered {
            let what = format!("{}, expiry of DHCP entries", dhcp.system());
            lines.push(CheckLine::fault(what, dhcp.check_expiry().await));
            if let Some(releases) = dhcp.check_releases().await {
                let what = format!("{}, releases that it installs", dhcp.system());
                lines.push(CheckLine::fault(what, releases));
            }
        }
    }
    match host.map(|host| site.target(host)) {
        Some(Ok(target)) => lines.extend(check_host(site, &target).await),
        Some(Err(error)) => lines.push(CheckLine::of("host", Err(error.to_string()))),
        None => {}
    }
    lines
}

/// Who can see the records of runs, by the mode of their folder.
fn shared(mode: u32) -> Result<String, String> {
    const GROUP_WRITES: u32 = 0o020;
    const SET_GROUP: u32 = 0o2000;
    match (mode & GROUP_WRITES != 0, mode & SET_GROUP != 0) {
        (false, _) => Ok("for their owner alone".to_owned()),
        (true, true) => Ok("shared with the folder's group".to_owned()),
        (true, false) => Err(
            "the folder's group may write here, and what is made here gets another group: run `chmod g+s` on the folder"
                .to_owned(),
        ),
    }
}

fn choices(site: &Site) -> String {
    let words: Vec<String> = site
        .choices()
        .iter()
        .map(|(name, choice)| {
            let word = match choice {
                Choice::Live => "live",
                Choice::Lab => "lab",
                Choice::Absent => "absent",
            };
            format!("{name} {word}")
        })
        .collect();
    words.join(", ")
}

async fn check_host(site: &Site, target: &Target) -> Vec<CheckLine> {
    let mut lines = Vec::new();
    let mut call = Call::alone();
    // There is no run that has read the inventory.
    if let Some(inventory) = open::inventory(site, target) {
        let device = inventory.device();
        lines.push(CheckLine::fault(
            format!("inventory entry of {}", target.host),
            device.clone().map(|device| device.fqdn),
        ));
        let Ok(device) = device else { return lines };
        call.snapshot = Some(Arc::new(HostSnapshot {
            switch_port: inventory.switch_port().ok(),
            ..HostSnapshot::of(device)
        }));
    }
    let host = match target.names(&call) {
        Ok(names) => names,
        Err(fault) => {
            lines.push(CheckLine::of("host", Err(fault.message)));
            return lines;
        }
    };
    let names = site.names();
    if site.is_live("dns") {
        lines.push(resolve(&names, &host.fqdn).await);
        if let Some(management) = &host.management {
            lines.push(resolve(&names, management).await);
        }
    }
    if let Some(ipmi) = open::ipmitool(site, target, None) {
        let what = format!("BMC {}", host.management.as_deref().unwrap_or("(none)"));
        let power = ipmi.get_power_state(&call).await;
        let power = power.map(|state| format!("power {}", power_word(&state)));
        let answered = power.is_ok();
        lines.push(CheckLine::fault(what.clone(), power));
        // A BMC that refused once is not asked again.
        if answered {
            let info = ipmi.get_device_info(&call).await;
            lines.push(CheckLine::fault(
                format!("{what}, identity"),
                info.map(|info| summary(&info)),
            ));
        }
    }
    if let Some(ways) = open::ways(site, target).map(Arc::new)
        && let Ok(machine) = ways.of(&call)
    {
        for (at, word, there) in [
            (
                Identity::Production,
                "production",
                ways.production.is_some(),
            ),
            (Identity::Installer, "installer", ways.installer.is_some()),
        ] {
            if there {
                let what = format!("SSH to {} as {word}", host.fqdn);
                let seen = machine.boot_id_at(at).await;
                lines.push(judge_login(what, at, seen));
            }
        }
    }
    lines
}

/// An enrolled machine refuses the installer's key: that is no failure of the site.
fn judge_login(what: String, at: Identity, seen: Result<String, Fault>) -> CheckLine {
    match seen {
        Ok(boot_id) => CheckLine::of(what, Ok(format!("logged in; boot id {boot_id}"))),
        Err(fault) if at == Identity::Installer && fault.code == SshFailure::AUTH_REFUSED => {
            CheckLine::of(
                what,
                Ok("the host refuses this key, as an enrolled one does".to_owned()),
            )
        }
        Err(fault) => CheckLine::of(what, Err(fault.message)),
    }
}

async fn resolve(names: &Names, name: &str) -> CheckLine {
    let found = names.resolve(name).await;
    CheckLine::fault(
        format!("name {name}"),
        found.map(|addresses| {
            let words: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            words.join(", ")
        }),
    )
}
