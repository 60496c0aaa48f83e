//! The world file: TOML in, a [`World`] out, or the line and key that are wrong.

use crate::event::Queue;
use crate::history::History;
use crate::install_server::{InstallServer, releases};
use crate::lease::LeaseFolder;
use crate::place::{Place, word};
use crate::service::Services;
use crate::services_file::{self, ServicesFile, TaskFile};
use crate::table::{self, MachineFile};
use crate::time::Times;
use crate::world::{World, WorldError};
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use toml::Spanned;
use wreimage_capability::to_millis;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WorldFile {
    site: Spanned<String>,
    domain: Spanned<String>,
    start: Spanned<String>,
    #[serde(default)]
    seed: u64,
    distributions: Vec<Spanned<String>>,
    media: Vec<Spanned<String>>,
    #[serde(default)]
    times: TimesFile,
    #[serde(default)]
    install_server: InstallServerFile,
    #[serde(default)]
    services: ServicesFile,
    #[serde(default)]
    task: Vec<TaskFile>,
    #[serde(default)]
    machine: BTreeMap<Spanned<String>, MachineFile>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct TimesFile {
    post: Option<Spanned<String>>,
    network_load: Option<Spanned<String>>,
    pxe_timeout: Option<Spanned<String>>,
    installer_boot: Option<Spanned<String>>,
    installation: Option<Spanned<String>>,
    os_boot: Option<Spanned<String>>,
    shutdown: Option<Spanned<String>>,
    entry_expiry: Option<Spanned<String>>,
    agent_after_boot: Option<Spanned<String>>,
    agent_run: Option<Spanned<String>>,
    agent_period: Option<Spanned<String>>,
    first_agent_run: Option<Spanned<String>>,
    certificate_request: Option<Spanned<String>>,
    exported_resource: Option<Spanned<String>>,
    checks: Option<Spanned<String>>,
    recheck: Option<Spanned<String>>,
    debmonitor_period: Option<Spanned<String>>,
    netbox_script: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct InstallServerFile {
    boot_server: Option<Spanned<String>>,
    boot_address: Option<Spanned<String>>,
    reachable: bool,
    rejects: u32,
    lists: Option<Vec<Spanned<String>>>,
    installs: BTreeMap<Spanned<String>, Spanned<String>>,
}

impl Default for InstallServerFile {
    fn default() -> Self {
        InstallServerFile {
            boot_server: None,
            boot_address: None,
            reachable: true,
            rejects: 0,
            lists: None,
            installs: BTreeMap::new(),
        }
    }
}

pub(crate) fn parse(text: &str) -> Result<World, WorldError> {
    let place = Place::of(text);
    let file: WorldFile = toml::from_str(text).map_err(|error| place.toml(&error))?;
    let start: Timestamp = file.start.get_ref().parse().map_err(|_| {
        place.error(
            file.start.span(),
            "is not a time such as `2026-01-05T08:00:00Z`",
        )
    })?;
    let now = to_millis(start);
    if now < table::UP {
        return Err(place.error(file.start.span(), "is too early"));
    }
    let site = place.word(&file.site, word::NAME)?;
    let domain = place.word(&file.domain, word::DOMAIN)?;
    let mut world = World {
        times: times(&place, &file.times)?,
        server: install_server(&place, &file, &domain)?,
        lease: LeaseFolder::default(),
        site,
        domain,
        now,
        seed: file.seed,
        real_time: false,
        rehearsal: false,
        machines: BTreeMap::new(),
        services: Services::default(),
        events: Queue::default(),
        history: History::default(),
    };
    services_file::site(&place, &mut world, &file.services, &file.task)?;
    let mut ports = BTreeMap::new();
    for (name, machine) in &file.machine {
        place.word(name, word::NAME)?;
        let mut made = machine.make(&place, &world, name.get_ref())?;
        services_file::machine(&place, &mut world, &mut made, &machine.services())?;
        if let (Some(port), Some(switch)) = (&made.hardware.circuit_id, &machine.switch)
            && let Some(other) = ports.insert(port.clone(), made.name.clone())
        {
            return Err(place.error(
                switch.span(),
                &format!("{other} is plugged in there already"),
            ));
        }
        world.machines.insert(made.name.clone(), Arc::new(made));
    }
    Ok(world)
}

fn times(place: &Place<'_>, file: &TimesFile) -> Result<Times, WorldError> {
    let mut times = Times::default();
    for (given, time) in [
        (&file.post, &mut times.post),
        (&file.network_load, &mut times.network_load),
        (&file.pxe_timeout, &mut times.pxe_timeout),
        (&file.installer_boot, &mut times.installer_boot),
        (&file.installation, &mut times.installation),
        (&file.os_boot, &mut times.os_boot),
        (&file.shutdown, &mut times.shutdown),
        (&file.entry_expiry, &mut times.entry_expiry),
        (&file.agent_after_boot, &mut times.agent_after_boot),
        (&file.agent_run, &mut times.agent_run),
        (&file.agent_period, &mut times.agent_period),
        (&file.first_agent_run, &mut times.first_agent_run),
        (&file.certificate_request, &mut times.certificate_request),
        (&file.exported_resource, &mut times.exported_resource),
        (&file.checks, &mut times.checks),
        (&file.recheck, &mut times.recheck),
        (&file.debmonitor_period, &mut times.debmonitor_period),
        (&file.netbox_script, &mut times.netbox_script),
    ] {
        if let Some(given) = given {
            *time = place.span_of_time(given)?;
        }
    }
    Ok(times)
}

/// What boot paths install instead of what they say.
fn installs(
    place: &Place<'_>,
    given: &BTreeMap<Spanned<String>, Spanned<String>>,
    distributions: &[Spanned<String>],
) -> Result<BTreeMap<String, String>, WorldError> {
    let mut installs = BTreeMap::new();
    for (path, release) in given {
        if !distributions
            .iter()
            .any(|it| it.get_ref() == path.get_ref())
        {
            return Err(place.error(path.span(), "is not one of `distributions`"));
        }
        installs.insert(
            path.get_ref().clone(),
            place.word(release, word::BOOT_PATH)?,
        );
    }
    Ok(installs)
}

fn install_server(
    place: &Place<'_>,
    file: &WorldFile,
    domain: &str,
) -> Result<InstallServer, WorldError> {
    let words = |list: &[Spanned<String>]| {
        list.iter()
            .map(|text| place.word(text, word::BOOT_PATH))
            .collect::<Result<Vec<_>, _>>()
    };
    let server = &file.install_server;
    let media = words(&file.media)?;
    let lists = server.lists.as_deref().map(words).transpose()?;
    Ok(InstallServer {
        reachable: server.reachable,
        rejects: server.rejects,
        boot_server: match &server.boot_server {
            Some(name) => place.word(name, word::DOMAIN)?,
            None => format!("apt.{domain}"),
        },
        boot_address: match &server.boot_address {
            Some(address) => place.address(address)?,
            None => "192.0.2.5".to_owned(),
        },
        distributions: words(&file.distributions)?,
        lists: lists.map(|lists| releases(&lists, &media)),
        media,
        installs: installs(place, &server.installs, &file.distributions)?,
        any_boot_path: false,
        entries: BTreeMap::new(),
        publications: 0,
    })
}
