//! Puppet's certificate authority.

use crate::boot::noise;
use crate::machine::Machine;
use crate::time::Millis;
use crate::world::World;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use wreimage_capability::Fault;
use wreimage_capability::puppet_ca::Certificate;

/// What the authority holds, by full certificate name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct PuppetCa {
    pub(crate) held: BTreeMap<String, Held>,
    /// Hosts in whose name another request arrives than the one that their agent made.
    pub(crate) forged: BTreeSet<String>,
    /// When the valid certificates were signed, by full name.
    #[serde(default)]
    pub(crate) signed: BTreeMap<String, Millis>,
    /// It signs every request at once, and replaces what it held.
    pub(crate) autosign: bool,
}

/// What is held under one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Held {
    /// A request with this fingerprint.
    Requested(String),
    /// A valid certificate with this fingerprint.
    Signed(String),
    /// One that is valid no more.
    Revoked(String),
}

impl PuppetCa {
    /// What is held under exactly this name.
    pub(crate) fn get(&self, name: &str) -> Certificate {
        match self.held.get(name) {
            None => Certificate::Absent,
            Some(Held::Requested(fingerprint)) => Certificate::Requested(fingerprint.clone()),
            Some(Held::Signed(fingerprint)) => Certificate::Signed(fingerprint.clone()),
            Some(Held::Revoked(fingerprint)) => Certificate::Revoked(fingerprint.clone()),
        }
    }

    pub(crate) fn follow(&mut self, name: &str, certificate: Certificate) {
        let held = match certificate {
            Certificate::Requested(fingerprint) => Held::Requested(fingerprint),
            Certificate::Signed(fingerprint) => Held::Signed(fingerprint),
            Certificate::Revoked(fingerprint) => Held::Revoked(fingerprint),
            Certificate::Absent | Certificate::Other(_) => {
                self.held.remove(name);
                return;
            }
        };
        self.held.insert(name.to_owned(), held);
    }
}

/// A SHA-256 fingerprint, in upper-case pairs with colons, that follows from the seed, the name and a count.
pub(crate) fn fingerprint(seed: u64, name: &str, number: u64) -> String {
    let pairs: Vec<String> = noise(seed, name, "certificate", number)
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    pairs.join(":")
}

impl World {
    /// The name under which the host's certificate is held.
    pub(crate) fn certificate_name(&self, host: &str) -> String {
        self.machine(host)
            .map(|machine| machine.fqdn().to_owned())
            .unwrap_or_default()
    }

    /// Signs the host's request, if it is the one with this fingerprint.
    pub(crate) fn sign(&mut self, host: &str, wanted: &str) -> Result<(), Fault> {
        let system = self.system("puppet-ca");
        let name = self.certificate_name(host);
        match self.services.puppet_ca.held.get(&name) {
            Some(Held::Signed(there)) if there == wanted => return Ok(()),
            Some(Held::Signed(there)) => {
                return Err(Fault::conflict(
                    "puppet-ca.already-signed",
                    system,
                    format!(
                        "a certificate of {name} with the fingerprint {there} is signed already; clean it first"
                    ),
                ));
            }
            Some(Held::Requested(there)) if there == wanted => {}
            Some(Held::Requested(there)) => {
                return Err(Fault::conflict(
                    "puppet-ca.fingerprint",
                    system,
                    format!(
                        "the request of {name} has the fingerprint {there}, not {wanted}: somebody else may have made it; it was \
                         not signed"
                    ),
                )
                .with("requested", there.clone()));
            }
            Some(Held::Revoked(_)) | None => {
                return Err(Fault::not_found(
                    "puppet-ca.no-request",
                    system,
                    format!("there is no certificate request of {name}"),
                ));
            }
        }
        self.services
            .puppet_ca
            .held
            .insert(name.clone(), Held::Signed(wanted.to_owned()));
        let now = self.now;
        self.services.puppet_ca.signed.insert(name, now);
        self.tell(host, "its certificate is signed");
        self.agent_changes(host, |agent, now| {
            if agent.fingerprint.as_deref() == Some(wanted) {
                agent.certified = true;
                agent.runs_since = now;
            }
        });
        Ok(())
    }

    /// An agent without a certificate that runs at a site that signs by itself gets one.
    pub(crate) fn autosign(&mut self, host: &str) {
        let certified = self
            .machine(host)
            .and_then(Machine::agent)
            .is_none_or(|agent| agent.certified);
        if certified || !self.services.puppet_ca.autosign {
            return;
        }
        let name = self.certificate_name(host);
        self.services.puppet_ca.held.remove(&name);
        if let Ok(made) = self.agent_requests(host)
            && let Err(fault) = self.sign(host, &made)
        {
            self.tell(host, fault.message);
        }
    }

    /// An administrator has revoked the host's certificate.
    pub fn revoke(&mut self, host: &str) {
        let name = self.certificate_name(host);
        if let Some(Held::Signed(fingerprint)) = self.services.puppet_ca.held.get(&name).cloned() {
            let revoked = Held::Revoked(fingerprint);
            self.services.puppet_ca.held.insert(name, revoked);
            self.tell(host, "its certificate is revoked");
            self.agent_changes(host, |agent, _| agent.certified = false);
        }
    }

    /// When the certificate of that name that is valid now was signed.
    pub(crate) fn signed_at(&self, name: &str) -> Option<Millis> {
        let authority = &self.services.puppet_ca;
        let is_valid = matches!(authority.held.get(name), Some(Held::Signed(_)));
        is_valid.then(|| authority.signed.get(name).copied().unwrap_or(0))
    }

    /// Removes whatever is held of the host; whether there was something.
    pub(crate) fn clean(&mut self, host: &str) -> bool {
        let name = self.certificate_name(host);
        let there = self.services.puppet_ca.held.remove(&name).is_some();
        if there {
            self.tell(host, "its certificate is cleaned");
        }
        self.agent_changes(host, |agent, _| agent.certified = false);
        there
    }
}
