//! One machine's table in a world file.

use crate::bmc::{Answers, Bmc, Override, Quirks};
use crate::boot::{boot_id, host_key};
use crate::machine::{
    Accepts, Addresses, Condition, Counters, Hardware, Inventory, KernelBoot, Machine, Stage,
    Starts, System,
};
use crate::place::{Place, word};
use crate::release;
use crate::service::agent::Agent;
use crate::service::netbox::Script;
use crate::services_file::{
    DebmonitorFile, HttpbbFile, IcingaFile, PoolFile, PuppetDbFile, PuppetFile, Tables, Times,
};
use crate::time::Millis;
use crate::twin::circuit_id;
use crate::world::{World, WorldError};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use toml::Spanned;
use wreimage_capability::netbox::{Device, DeviceKind, DeviceStatus, Firmware, SwitchPort};

#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    #[default]
    Physical,
    Virtual,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Power {
    #[default]
    On,
    Off,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Raid {
    #[default]
    Healthy,
    Degraded,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct MachineFile {
    kind: Kind,
    firmware: Option<Starts>,
    vendor: Option<String>,
    serial: Option<String>,
    uuid: Option<Spanned<String>>,
    mac: Option<Spanned<String>>,
    address: Option<Spanned<String>>,
    management_address: Option<Spanned<String>>,
    pub(crate) switch: Option<Spanned<SwitchFile>>,
    power: Power,
    ignores_restarts: Times,
    raid: Raid,
    failed_units: BTreeSet<String>,
    disk: Option<Spanned<String>>,
    up: Option<Spanned<String>>,
    netbox: NetboxFile,
    dns: DnsFile,
    bmc: Option<Spanned<BmcFile>>,
    puppet: PuppetFile,
    puppetdb: PuppetDbFile,
    icinga: IcingaFile,
    debmonitor: DebmonitorFile,
    httpbb: HttpbbFile,
    conftool: Vec<PoolFile>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct SwitchFile {
    name: String,
    port: String,
    vlan: String,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct NetboxFile {
    status: Option<String>,
    tags: Vec<String>,
    firmware: Option<Starts>,
    serial: Option<String>,
    uuid: Option<Spanned<String>>,
    mac: Option<Spanned<String>>,
    address: Option<Spanned<String>>,
    switch: Option<Spanned<SwitchFile>>,
    cabled: Option<bool>,
    site: Option<Spanned<String>>,
    script: Script,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct DnsFile {
    host: Option<Vec<Spanned<String>>>,
    management: Option<Vec<Spanned<String>>>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct BmcFile {
    answers: Answers,
    serial: Option<String>,
    guid: Option<Spanned<String>>,
    product: Option<String>,
    firmware: Option<String>,
    keeps_override: bool,
    forgets_override_after: Option<Spanned<String>>,
    pxe_does_not_stick: u32,
    does_not_clear: Times,
    override_returns: u32,
    loses_boot_entry: bool,
}

/// How long a machine has been up when nothing is said.
pub(crate) const UP: Millis = 30 * 24 * 3600 * 1000;

impl MachineFile {
    /// What the table says of the services.
    pub(crate) fn services(&self) -> Tables<'_> {
        Tables {
            puppet: &self.puppet,
            puppetdb: &self.puppetdb,
            icinga: &self.icinga,
            debmonitor: &self.debmonitor,
            httpbb: &self.httpbb,
            conftool: &self.conftool,
            script: self.netbox.script,
        }
    }

    /// The machine that the table describes, in a world that has no machines yet.
    pub(crate) fn make(
        &self,
        place: &Place<'_>,
        world: &World,
        name: &str,
    ) -> Result<Machine, WorldError> {
        Maker {
            place,
            world,
            name,
            file: self,
        }
        .make()
    }
}

/// Makes one machine of its table.
struct Maker<'a> {
    place: &'a Place<'a>,
    world: &'a World,
    name: &'a str,
    file: &'a MachineFile,
}

impl Maker<'_> {
    fn make(&self) -> Result<Machine, WorldError> {
        let (file, place) = (self.file, self.place);
        let uuid = file.uuid.as_ref().map(|u| place.uuid(u)).transpose()?;
        let mac = file.mac.as_ref().map(|m| place.mac(m)).transpose()?;
        let switch = self.switch(file.switch.as_ref())?;
        let hardware = Hardware {
            serial: file.serial.clone(),
            uuid,
            mac,
            firmware: file.firmware.unwrap_or(Starts::Bios),
            circuit_id: switch.as_ref().map(circuit_id),
        };
        let disk = file
            .disk
            .as_ref()
            .map(|release| place.word(release, word::BOOT_PATH))
            .transpose()?
            .map(|release| System {
                release,
                installation: 0,
                accepts: Accepts::Production,
                host_key: host_key(self.world.seed, self.name, "system", 0),
                masked: BTreeSet::new(),
                boot_entry: true,
                agent: Agent::default(),
            });
        let up = file
            .up
            .as_ref()
            .map(|up| place.span_of_time(up))
            .transpose()?
            .unwrap_or(UP);
        let boot = disk
            .as_ref()
            .filter(|_| file.power == Power::On)
            .map(|system| KernelBoot {
                id: boot_id(self.world.seed, self.name, 0),
                started: self.world.now.saturating_sub(up),
                command_line: release::command_line(&system.release),
                host_key: system.host_key.clone(),
                told: false,
                commands: BTreeMap::new(),
            });
        Ok(Machine {
            name: self.name.to_owned(),
            addresses: self.addresses()?,
            bmc: self.bmc(&hardware)?,
            inventory: self.inventory(&hardware, switch)?,
            known_host_key: disk.as_ref().map(|system| system.host_key.clone()),
            stage: match (file.power, &boot) {
                (Power::Off, _) => Stage::Off,
                (Power::On, Some(_)) => Stage::OsUp,
                (Power::On, None) => Stage::NothingBootable,
            },
            since: self.world.now.saturating_sub(up),
            until: None,
            hardware,
            disk,
            boot,
            restarted: None,
            ignores_restarts: file.ignores_restarts.count(),
            condition: Condition {
                raid_degraded: file.raid == Raid::Degraded,
                failed_units: file.failed_units.clone(),
            },
            generation: 0,
            counters: Counters::default(),
            told: BTreeSet::new(),
        })
    }

    fn switch(
        &self,
        given: Option<&Spanned<SwitchFile>>,
    ) -> Result<Option<SwitchPort>, WorldError> {
        let Some(given) = given else { return Ok(None) };
        if self.file.kind == Kind::Virtual {
            return Err(self
                .place
                .error(given.span(), "a virtual machine has no switch port"));
        }
        let SwitchFile { name, port, vlan } = given.get_ref().clone();
        let good = |text: &String| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-./_".contains(&b))
        };
        if ![&name, &port, &vlan].into_iter().all(good) {
            return Err(self.place.error(
                given.span(),
                "name, port and vlan are made of letters, digits and `-./_`",
            ));
        }
        Ok(Some(SwitchPort {
            switch_name: name,
            port,
            vlan,
            extra: Vec::new(),
        }))
    }

    fn addresses(&self) -> Result<Addresses, WorldError> {
        let list = |given: &Option<Vec<Spanned<String>>>, default: &Option<Spanned<String>>| {
            let addresses: Vec<&Spanned<String>> = match given {
                Some(list) => list.iter().collect(),
                None => default.iter().collect(),
            };
            addresses
                .into_iter()
                .map(|address| self.place.address(address))
                .collect::<Result<Vec<_>, _>>()
        };
        let file = self.file;
        if let Some(address) = &file.management_address
            && file.kind == Kind::Virtual
        {
            return Err(self.place.error(
                address.span(),
                "a virtual machine has no management interface",
            ));
        }
        Ok(Addresses {
            host: list(&file.dns.host, &file.address)?,
            management: list(&file.dns.management, &file.management_address)?,
        })
    }

    fn bmc(&self, hardware: &Hardware) -> Result<Option<Bmc>, WorldError> {
        let given = match &self.file.bmc {
            Some(given) if self.file.kind == Kind::Virtual => {
                return Err(self
                    .place
                    .error(given.span(), "a virtual machine has no BMC"));
            }
            _ if self.file.kind == Kind::Virtual => return Ok(None),
            Some(given) => given.get_ref().clone(),
            None => BmcFile::default(),
        };
        let guid = given
            .guid
            .as_ref()
            .map(|g| self.place.uuid(g))
            .transpose()?;
        let forgets_override_after = given
            .forgets_override_after
            .as_ref()
            .map(|after| self.place.span_of_time(after))
            .transpose()?;
        Ok(Some(Bmc {
            answers: given.answers,
            manufacturer: self.file.vendor.clone(),
            product: given.product,
            serial: given.serial.or_else(|| hardware.serial.clone()),
            guid: guid.or_else(|| hardware.uuid.clone()),
            firmware: given.firmware,
            boot_override: Override::none(),
            override_generation: 0,
            boot_entry_lost: false,
            quirks: Quirks {
                keeps_override: given.keeps_override,
                forgets_override_after,
                pxe_does_not_stick: given.pxe_does_not_stick,
                does_not_clear: given.does_not_clear.count(),
                override_returns: given.override_returns,
                loses_boot_entry: given.loses_boot_entry,
            },
        }))
    }

    fn inventory(
        &self,
        hardware: &Hardware,
        switch: Option<SwitchPort>,
    ) -> Result<Inventory, WorldError> {
        let (file, place) = (self.file, self.place);
        let netbox = &file.netbox;
        let domain = &self.world.domain;
        // An empty text in `netbox` means that the inventory has nothing there.
        let left_out = |given: &Option<Spanned<String>>| {
            given.as_ref().is_some_and(|g| g.get_ref().is_empty())
        };
        let device = Device {
            name: self.name.to_owned(),
            fqdn: format!("{}.{domain}", self.name),
            management_fqdn: (file.kind == Kind::Physical)
                .then(|| format!("{}.mgmt.{domain}", self.name)),
            site: match &netbox.site {
                Some(site) => place.word(site, word::NAME)?,
                None => self.world.site.clone(),
            },
            status: DeviceStatus::from_word(netbox.status.as_deref().unwrap_or("active")),
            kind: match file.kind {
                Kind::Physical => DeviceKind::Physical,
                Kind::Virtual => DeviceKind::Virtual,
            },
            firmware: match netbox.firmware.unwrap_or(hardware.firmware) {
                Starts::Bios => Firmware::Bios,
                Starts::Uefi => Firmware::Uefi,
            },
            vendor: file.vendor.clone(),
            serial: netbox
                .serial
                .clone()
                .or_else(|| hardware.serial.clone())
                .filter(|serial| !serial.is_empty()),
            machine_uuid: match &netbox.uuid {
                uuid if left_out(uuid) => None,
                Some(uuid) => Some(place.uuid(uuid)?),
                None => hardware.uuid.clone(),
            },
            primary_ip: match netbox.address.as_ref().or(file.address.as_ref()) {
                _ if left_out(&netbox.address) => None,
                Some(address) => Some(place.address(address)?),
                None => None,
            },
            mac: match &netbox.mac {
                mac if left_out(mac) => None,
                Some(mac) => Some(place.mac(mac)?),
                None => hardware.mac.clone(),
            },
            tags: netbox.tags.clone(),
            extra: Vec::new(),
        };
        let switch_port = match (&netbox.switch, netbox.cabled) {
            (_, Some(false)) => None,
            (Some(given), _) => self.switch(Some(given))?,
            (None, _) => switch,
        };
        Ok(Inventory {
            device,
            switch_port,
        })
    }
}
