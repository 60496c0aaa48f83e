//! What Puppet knows of the host.

use crate::seat::Seat;
use crate::service::puppetdb::{EXPORTED, Node};
use wreimage_capability::puppetdb::{HostKey, Provider};
use wreimage_capability::{Call, Fault, Polled, WaitPolicy};

pub(crate) struct PuppetDb(pub(crate) Seat);

const SERVICE: &str = "puppetdb";

impl Provider for PuppetDb {
    async fn is_known(&self, call: &Call) -> Result<bool, Fault> {
        let known = self.0.service(SERVICE, |world, host| {
            Ok(world.services.puppetdb.nodes.contains_key(host))
        })?;
        self.0
            .mark(call, "puppetdb.is-known", "whether PuppetDB knows the host");
        Ok(known)
    }

    async fn get_fact(&self, call: &Call, name: String) -> Result<Option<String>, Fault> {
        let fact = self.0.service(SERVICE, |world, host| {
            let node = world.services.puppetdb.nodes.get(host);
            Ok(node
                .and_then(|node| node.facts.get(&name))
                .map(ToString::to_string))
        })?;
        self.0.mark(
            call,
            &format!("puppetdb.get-fact {name}"),
            "what PuppetDB knows of the host",
        );
        Ok(fact)
    }

    async fn get_host_keys(&self, _call: &Call) -> Result<Vec<HostKey>, Fault> {
        self.0.service(SERVICE, |world, host| {
            let node = world.services.puppetdb.nodes.get(host);
            Ok(node.map_or_else(Vec::new, Node::host_keys))
        })
    }

    async fn wait_for_resource(
        &self,
        _call: &Call,
        resource_type: String,
        _policy: WaitPolicy,
    ) -> Result<Polled<()>, Fault> {
        self.0.service(SERVICE, |world, host| {
            let node = world.services.puppetdb.nodes.get(host);
            let count = match node {
                Some(node) if resource_type == EXPORTED => node.resources,
                _ => 0,
            };
            let kind: String = resource_type.chars().take(60).collect();
            match count {
                0 if node.is_none() => Ok(Polled::pending(format!("PuppetDB does not know {host}"))),
                0 => Ok(Polled::pending(format!("no {kind} with the title {host}"))),
                1 => Ok(Polled::Ready(())),
                _ => Err(Fault::conflict(
                    "puppetdb.several-resources",
                    world.system(SERVICE),
                    format!(
                        "{count} {kind} have the title {host}; deactivate the certificate name that should not be there"
                    ),
                )),
            }
        })
    }

    async fn deactivate(&self, call: &Call) -> Result<bool, Fault> {
        let there = self
            .0
            .service(SERVICE, |world, host| Ok(world.deactivate(host)))?;
        self.0
            .mark(call, "puppetdb.is-known", "whether PuppetDB knew the host");
        Ok(there)
    }
}
