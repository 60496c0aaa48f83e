//! `netbox`: the inventory.

mod file;
mod inventory;
mod table;

pub use inventory::{InventoryFile, InventoryHost, InventoryPort};
pub use table::{NetboxProvider, NetboxTable};

use crate::ConfigError;
use crate::capability::{Choice, LiveCapability, NamedFile, Served};
use crate::host::Host;
use crate::rules::Rules;
use crate::secrets::Secrets;
use crate::shared::{Place, Shared};
use file::FileInventory;
use inventory::Inventory;
use std::sync::Arc;
use wreimage_capability::{Capability, Fault, HostSnapshot, netbox};

/// The inventory of a site, which is a file.
pub struct Netbox {
    inventory: Inventory,
    site: String,
}

fn inventory(table: &NetboxTable, place: &Place) -> Option<Inventory> {
    let path = table.inventory.as_ref()?;
    Some(Inventory::new(place.resolve(path)))
}

impl Netbox {
    fn of(&self, host: &Host) -> FileInventory {
        FileInventory::new(self.inventory.clone(), &host.target, &self.site)
    }
}

impl LiveCapability for Netbox {
    const CAPABILITY: &'static Capability = &netbox::CAPABILITY;
    type Table = NetboxTable;

    fn choice(table: &NetboxTable) -> Choice {
        table.choice()
    }

    fn validate(table: &NetboxTable, rules: &Rules<'_>) -> Result<(), ConfigError> {
        table.validate(rules)
    }

    fn files(table: &NetboxTable, place: &Place) -> Vec<NamedFile> {
        let read = |inventory: Inventory| {
            let hosts = inventory.read().map(|file| file.hosts.len());
            let name = format!("inventory {}", inventory.path.display());
            (name, hosts.map(|hosts| format!("{hosts} hosts")))
        };
        inventory(table, place).map(read).into_iter().collect()
    }

    fn share(table: &NetboxTable, _secrets: &Secrets, shared: &mut Shared) {
        shared.has_inventory = table.choice() == Choice::Live;
    }

    fn new(table: Arc<NetboxTable>, _secrets: &Secrets, shared: &Shared) -> Self {
        // A table without the key is refused when it is validated.
        let inventory = inventory(&table, &shared.place);
        Netbox {
            inventory: inventory
                .unwrap_or_else(|| Inventory::new(shared.place.resolve("".as_ref()))),
            site: shared.place.name.clone(),
        }
    }

    fn open(&self, host: &Host) -> Served {
        netbox::serve(self.of(host))
    }

    fn snapshot(&self, host: &Host) -> Option<Result<HostSnapshot, Fault>> {
        let inventory = self.of(host);
        Some(inventory.device().map(|device| HostSnapshot {
            switch_port: inventory.switch_port().ok(),
            ..HostSnapshot::of(device)
        }))
    }
}
