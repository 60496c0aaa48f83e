//! The inventory from a file of the site.

use super::inventory::{Inventory, InventoryHost};
use crate::target::Target;
use wreimage_capability::netbox::{
    Device, DeviceKind, DeviceStatus, Firmware, Provider, ScriptResult, ScriptTimeout, SwitchPort,
};
use wreimage_capability::{Call, Fault, HostSnapshot};

/// Answers from an inventory file, which is read anew for each call.
pub(crate) struct FileInventory {
    inventory: Inventory,
    target: Target,
    site: String,
}

impl FileInventory {
    pub(crate) fn new(inventory: Inventory, target: &Target, site: &str) -> Self {
        FileInventory {
            inventory,
            target: target.clone(),
            site: site.to_owned(),
        }
    }

    fn entry(&self) -> Result<InventoryHost, Fault> {
        self.inventory.entry(&self.target.host)
    }

    fn system(&self) -> String {
        self.inventory.system()
    }
}

impl FileInventory {
    /// The device of the host.
    pub(crate) fn device(&self) -> Result<Device, Fault> {
        let entry = self.entry()?;
        let kind = match entry.kind.as_deref() {
            None | Some("physical") => DeviceKind::Physical,
            Some("virtual") => DeviceKind::Virtual,
            Some(other) => DeviceKind::Other(other.to_owned()),
        };
        let status = match entry.status.as_deref() {
            Some(word) => DeviceStatus::from_word(word),
            None => {
                return Err(Fault::rejected(
                    "netbox.incomplete",
                    self.system(),
                    format!(
                        "the entry of {} in {} lacks `status`; add it",
                        self.target.host,
                        self.inventory.path.display()
                    ),
                ));
            }
        };
        let firmware = match entry.firmware.as_deref() {
            None | Some("bios") => Firmware::Bios,
            Some("uefi") => Firmware::Uefi,
            Some(other) => Firmware::Other(other.to_owned()),
        };
        let derived = self.target.derived();
        let device = Device {
            name: self.target.host.clone(),
            management_fqdn: entry
                .management_fqdn(|| derived.management.clone().unwrap_or_default()),
            fqdn: entry.fqdn.unwrap_or_else(|| derived.fqdn.clone()),
            site: entry.site.unwrap_or_else(|| self.site.clone()),
            status,
            kind,
            firmware,
            vendor: entry.vendor,
            serial: entry.serial,
            machine_uuid: entry.machine_uuid.map(|uuid| uuid.to_ascii_lowercase()),
            primary_ip: entry.primary_ip,
            mac: entry.mac.map(|mac| mac.to_ascii_lowercase()),
            tags: entry.tags,
            extra: Vec::new(),
        };
        // A name that is none must not get as far as a check.
        self.target.names_in(&HostSnapshot::of(device.clone()))?;
        Ok(device)
    }

    /// The switch port of its primary interface.
    pub(crate) fn switch_port(&self) -> Result<SwitchPort, Fault> {
        let entry = self.entry()?;
        if entry.is_virtual() {
            return Err(Fault::unsupported(
                "netbox.virtual",
                self.system(),
                format!(
                    "{} is a virtual machine and has no switch port",
                    self.target.host
                ),
            ));
        }
        let port = entry.switch_port.ok_or_else(|| {
            Fault::not_found(
                "netbox.not-cabled",
                self.system(),
                format!(
                    "the primary interface of {} is not cabled: add `switch-port` to its entry in {}",
                    self.target.host,
                    self.inventory.path.display()
                ),
            )
        })?;
        Ok(SwitchPort {
            switch_name: port.switch,
            port: port.port,
            vlan: port.vlan,
            extra: Vec::new(),
        })
    }

    /// A file is written by people.
    fn only_read(&self, what: &str) -> Fault {
        Fault::unsupported(
            "netbox.only-read",
            self.system(),
            format!(
                "{} is a file and is only read: {what} for {} by hand",
                self.inventory.path.display(),
                self.target.host
            ),
        )
    }
}

impl Provider for FileInventory {
    async fn set_status(&self, _call: &Call, _status: DeviceStatus) -> Result<(), Fault> {
        Err(self.only_read("change the status"))
    }

    async fn run_script(
        &self,
        _call: &Call,
        name: String,
        _timeout: ScriptTimeout,
    ) -> Result<ScriptResult, Fault> {
        Err(self.only_read(&format!("do what the script {name} would do")))
    }

    async fn get_device(&self, _call: &Call) -> Result<Device, Fault> {
        self.device()
    }

    async fn get_switch_port(&self, _call: &Call) -> Result<SwitchPort, Fault> {
        self.switch_port()
    }
}
