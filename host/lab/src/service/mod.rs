//! The systems around the machines: one file a service. What a service holds is changed only by what causes it.

pub(crate) mod agent;
pub(crate) mod alertmanager;
pub(crate) mod conftool;
pub(crate) mod debmonitor;
pub(crate) mod http;
pub(crate) mod httpbb;
pub(crate) mod icinga;
pub(crate) mod job;
pub(crate) mod netbox;
pub(crate) mod phabricator;
pub(crate) mod puppet;
pub(crate) mod puppet_ca;
pub(crate) mod puppetdb;

use crate::machine::Machine;
use crate::time::Millis;
use crate::world::World;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use wreimage_capability::Fault;

/// The state of every service.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Services {
    /// Capabilities whose system does not answer.
    pub(crate) unreachable: BTreeSet<String>,
    /// Capabilities whose system refuses us.
    pub(crate) denied: BTreeSet<String>,
    /// So many more times the system answers with a server error.
    pub(crate) errors: BTreeMap<String, u32>,
    pub(crate) jobs: BTreeMap<String, job::Job>,
    pub(crate) puppet: puppet::Puppet,
    pub(crate) puppet_ca: puppet_ca::PuppetCa,
    pub(crate) puppetdb: puppetdb::PuppetDb,
    pub(crate) icinga: icinga::Icinga,
    pub(crate) alertmanager: alertmanager::Alertmanager,
    pub(crate) conftool: conftool::Conftool,
    pub(crate) debmonitor: debmonitor::Debmonitor,
    pub(crate) httpbb: httpbb::Httpbb,
    pub(crate) phabricator: phabricator::Phabricator,
    pub(crate) http: http::Endpoints,
    pub(crate) netbox: netbox::Netbox,
}

/// The capabilities that stand on a service, and what people call it.
pub(crate) const SERVICES: [(&str, &str); 10] = [
    ("puppet-ca", "Puppet CA"),
    ("puppetdb", "PuppetDB"),
    ("icinga", "Icinga"),
    ("alertmanager", "Alertmanager"),
    ("conftool", "conftool"),
    ("debmonitor", "Debmonitor"),
    ("httpbb", "deployment server"),
    ("phabricator", "Phabricator"),
    ("http", "HTTP endpoints"),
    ("netbox", "NetBox"),
];

/// Which services have known a host for long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settled {
    pub(crate) puppetdb: bool,
    pub(crate) icinga: bool,
    pub(crate) debmonitor: bool,
}

impl Settled {
    pub(crate) const EVERYWHERE: Settled = Settled {
        puppetdb: true,
        icinga: true,
        debmonitor: true,
    };
}

impl Services {
    /// Makes a host known as it is after years in production. What its agent holds is held by the authority, too.
    pub(crate) fn settle(&mut self, machine: &Machine, known: Settled) {
        let host = &machine.name;
        if let Some(fingerprint) = machine
            .disk
            .as_ref()
            .and_then(|disk| disk.agent.fingerprint.clone())
        {
            let held = puppet_ca::Held::Signed(fingerprint);
            self.puppet_ca.held.insert(machine.fqdn().to_owned(), held);
        }
        if known.puppetdb {
            let node = puppetdb::Node::settled(machine);
            self.puppetdb.nodes.insert(host.clone(), node);
        }
        if known.icinga {
            self.icinga
                .hosts
                .insert(host.clone(), icinga::Monitored::default());
        }
        if known.debmonitor {
            self.debmonitor.hosts.insert(host.clone());
        }
    }

    /// Moves every time by the same span.
    pub(crate) fn shift(&mut self, shift: impl Fn(Millis) -> Millis) {
        for job in self.jobs.values_mut() {
            job.ends = shift(job.ends);
        }
        self.icinga.shift(&shift);
        self.alertmanager.shift(&shift);
        self.phabricator.shift(&shift);
    }
}

impl World {
    /// What a service is called in a fault: `PuppetDB lab1`.
    pub(crate) fn system(&self, service: &str) -> String {
        let title = SERVICES
            .iter()
            .find(|(name, _)| *name == service)
            .map_or(service, |(_, title)| title);
        format!("{title} {}", self.site)
    }

    /// Whether a service answers at all. An error that was to come has come.
    pub(crate) fn answers(&mut self, service: &str) -> Result<(), Fault> {
        let services = &self.services;
        let well = !services.unreachable.contains(service)
            && !services.denied.contains(service)
            && services.errors.get(service).is_none_or(|left| *left == 0);
        if well {
            return Ok(());
        }
        let system = self.system(service);
        if self.services.unreachable.contains(service) {
            let text = format!("{system} does not answer");
            return Err(Fault::unreachable(
                &format!("{service}.unreachable"),
                system,
                text,
            ));
        }
        if let Some(left) = self.services.errors.get_mut(service)
            && *left > 0
        {
            *left -= 1;
            let text = format!("{system} answers 500 Internal Server Error");
            return Err(
                Fault::unreachable(&format!("{service}.server-error"), system, text)
                    .with("status", "500"),
            );
        }
        if self.services.denied.contains(service) {
            let text = format!(
                "{system} answers 403 Forbidden: the credentials may not do this; mend them, then try again"
            );
            return Err(
                Fault::denied(&format!("{service}.denied"), system, text).with("status", "403")
            );
        }
        Ok(())
    }
}
