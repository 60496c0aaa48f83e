//! Changes that stop half-way, as a scenario brings them about.

use crate::machine::Accepts;
use crate::world::World;
use std::sync::Arc;

impl World {
    /// Sets `pooled` in the first of the host's objects only; the names of the services that were and were not written.
    pub fn pool_first(&mut self, host: &str, value: &str) -> (Vec<String>, Vec<String>) {
        let objects = self.services.conftool.objects.get_mut(host);
        let mut objects = objects.into_iter().flatten();
        let mut written = Vec::new();
        if let Some(first) = objects.next() {
            value.clone_into(&mut first.pooled);
            written.push(first.service.clone());
        }
        let others = objects.map(|other| other.service.clone()).collect();
        for service in &written {
            self.tell(host, format!("pooled={value} in {service} only"));
        }
        (written, others)
    }

    /// The first Puppet run has installed the keys of production and failed after that: the installer's key is gone, and
    /// the system is not configured.
    pub fn first_run_stops_half_way(&mut self, host: &str) {
        if let Some(machine) = self.machines.get_mut(host).map(Arc::make_mut)
            && let Some(disk) = &mut machine.disk
        {
            disk.accepts = Accepts::Production;
            disk.agent.disabled = None;
            disk.agent.reports += 1;
            self.tell(
                host,
                "its first Puppet run has installed the production keys, and fails",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn half_a_change_is_half_a_change() {
        let mut world = World::builtin().unwrap();
        let (written, others) = world.pool_first("host1001", "no");
        assert_eq!(
            (written, others),
            (vec!["apache2".to_owned()], vec!["nginx".to_owned()])
        );
        let pooled = |world: &World| -> Vec<String> {
            let objects = world.services.conftool.of("host1001").into_iter();
            objects.map(|object| object.pooled).collect()
        };
        assert_eq!(pooled(&world), ["no", "yes"]);
        assert_eq!(world.pool_first("host1002", "no"), (vec![], vec![]));
        world
            .machine_mut("host1001")
            .unwrap()
            .disk
            .as_mut()
            .unwrap()
            .accepts = Accepts::Installer;
        world.first_run_stops_half_way("host1001");
        let disk = world.machine("host1001").unwrap().disk.clone().unwrap();
        assert_eq!(disk.accepts, Accepts::Production);
    }
}
