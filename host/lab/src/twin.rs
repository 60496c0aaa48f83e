//! A world that stands in for one real machine.

use crate::bmc::Bmc;
use crate::boot::{boot_id, host_key};
use crate::event::Queue;
use crate::history::History;
use crate::install_server::InstallServer;
use crate::lease::LeaseFolder;
use crate::machine::{
    Accepts, Addresses, Condition, Counters, Hardware, Inventory, KernelBoot, Machine, Stage,
    Starts, System,
};
use crate::release;
use crate::service::agent::Agent;
use crate::service::puppet_ca::fingerprint;
use crate::service::{Services, Settled};
use crate::time::Times;
use crate::world::World;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wreimage_capability::netbox::{Device, DeviceKind, DeviceStatus, Firmware, SwitchPort};
use wreimage_capability::{Function, to_millis};

/// What a system is called whose release nobody has told.
pub(crate) const UNKNOWN_RELEASE: &str = "unknown";

impl World {
    /// A world with one healthy host, changed by what was read from its real systems.
    pub(crate) fn twin(
        site: &str,
        host: &str,
        reads: &[(&'static Function, Value, Value)],
        start: Timestamp,
    ) -> World {
        let mut world = World {
            now: to_millis(start),
            rehearsal: true,
            ..bare(site)
        };
        world.adopt(host);
        for (function, arguments, outcome) in reads {
            world.follow(host, function, arguments, outcome);
        }
        world
    }

    /// Adds a healthy machine that runs a system of an unknown release, enrolled.
    pub(crate) fn adopt(&mut self, host: &str) {
        let fqdn = format!("{host}.{}", self.domain);
        let device = Device {
            name: host.to_owned(),
            management_fqdn: Some(format!("{host}.mgmt.{}", self.domain)),
            fqdn,
            site: self.site.clone(),
            status: DeviceStatus::Active,
            kind: DeviceKind::Physical,
            firmware: Firmware::Bios,
            vendor: None,
            serial: None,
            machine_uuid: None,
            primary_ip: Some("192.0.2.1".to_owned()),
            mac: Some("02:00:5e:00:53:01".to_owned()),
            tags: Vec::new(),
            extra: Vec::new(),
        };
        let port = SwitchPort {
            switch_name: "switch".to_owned(),
            port: "port".to_owned(),
            vlan: "vlan".to_owned(),
            extra: Vec::new(),
        };
        // Nobody has told; a day is longer than any wait.
        let long_ago = self.now.saturating_sub(24 * 3600 * 1000);
        let system = System {
            release: UNKNOWN_RELEASE.to_owned(),
            installation: 0,
            accepts: Accepts::Production,
            host_key: host_key(self.seed, host, "system", 0),
            masked: BTreeSet::new(),
            boot_entry: true,
            agent: Agent::settled(Some(fingerprint(self.seed, &device.fqdn, 0)), long_ago),
        };
        let machine = Machine {
            name: host.to_owned(),
            addresses: Addresses {
                host: vec!["192.0.2.1".to_owned()],
                management: vec!["198.51.100.1".to_owned()],
            },
            hardware: Hardware {
                serial: None,
                uuid: None,
                mac: device.mac.clone(),
                firmware: Starts::Bios,
                circuit_id: Some(circuit_id(&port)),
            },
            inventory: Inventory {
                device,
                switch_port: Some(port),
            },
            bmc: Some(Bmc::healthy(None, None, None)),
            known_host_key: Some(system.host_key.clone()),
            stage: Stage::OsUp,
            since: self.now,
            until: None,
            boot: Some(KernelBoot {
                id: boot_id(self.seed, host, 0),
                started: long_ago,
                command_line: release::command_line(&system.release),
                host_key: system.host_key.clone(),
                told: false,
                commands: BTreeMap::new(),
            }),
            disk: Some(system),
            restarted: None,
            ignores_restarts: 0,
            condition: Condition::default(),
            generation: 0,
            counters: Counters::default(),
            told: BTreeSet::new(),
        };
        self.services.settle(&machine, Settled::EVERYWHERE);
        self.machines.insert(host.to_owned(), Arc::new(machine));
    }
}

/// A site without machines whose install server has every boot path.
pub(crate) fn bare(site: &str) -> World {
    World {
        site: site.to_owned(),
        domain: format!("{site}.invalid"),
        now: 0,
        seed: 0,
        times: Times::default(),
        real_time: false,
        rehearsal: false,
        machines: BTreeMap::new(),
        server: InstallServer {
            reachable: true,
            rejects: 0,
            boot_server: format!("apt.{site}.invalid"),
            boot_address: "192.0.2.5".to_owned(),
            distributions: Vec::new(),
            media: Vec::new(),
            lists: None,
            installs: BTreeMap::new(),
            any_boot_path: true,
            entries: BTreeMap::new(),
            publications: 0,
        },
        lease: LeaseFolder::default(),
        services: Services::default(),
        events: Queue::default(),
        history: History::default(),
    }
}

/// What a switch inserts as option 82 for that port.
pub(crate) fn circuit_id(port: &SwitchPort) -> String {
    format!("{}:{}.0:{}", port.switch_name, port.port, port.vlan)
}
