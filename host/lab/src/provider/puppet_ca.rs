//! The certificate authority.

use crate::seat::Seat;
use wreimage_capability::puppet_ca::{Certificate, Provider};
use wreimage_capability::{Call, Fault, Polled, WaitPolicy};

pub(crate) struct PuppetCa(pub(crate) Seat);

const SERVICE: &str = "puppet-ca";

impl Provider for PuppetCa {
    async fn get_certificate(&self, call: &Call) -> Result<Certificate, Fault> {
        let certificate = self.0.service(SERVICE, |world, host| {
            Ok(world.services.puppet_ca.get(&world.certificate_name(host)))
        })?;
        self.0.mark(
            call,
            "puppet-ca.get-certificate",
            "what the certificate authority holds",
        );
        Ok(certificate)
    }

    async fn get_signed_at(&self, _call: &Call) -> Result<Option<u64>, Fault> {
        self.0.service(SERVICE, |world, host| {
            Ok(world.signed_at(&world.certificate_name(host)))
        })
    }

    async fn wait_for_request(
        &self,
        _call: &Call,
        _policy: WaitPolicy,
    ) -> Result<Polled<String>, Fault> {
        self.0.service(SERVICE, |world, host| {
            let name = world.certificate_name(host);
            match world.services.puppet_ca.get(&name) {
                Certificate::Requested(fingerprint) => Ok(Polled::Ready(fingerprint)),
                Certificate::Signed(fingerprint) => Err(Fault::conflict(
                    "puppet-ca.already-signed",
                    world.system(SERVICE),
                    format!("a certificate of {name} with the fingerprint {fingerprint} is signed already"),
                )),
                Certificate::Revoked(_) => Ok(Polled::pending("only a revoked certificate")),
                Certificate::Absent | Certificate::Other(_) => {
                    Ok(Polled::pending(format!("no request of {name}")))
                }
            }
        })
    }

    async fn sign(&self, _call: &Call, fingerprint: String) -> Result<(), Fault> {
        self.0
            .service(SERVICE, |world, host| world.sign(host, &fingerprint))
    }

    async fn clean(&self, call: &Call) -> Result<bool, Fault> {
        let there = self
            .0
            .service(SERVICE, |world, host| Ok(world.clean(host)))?;
        self.0.mark(
            call,
            "puppet-ca.get-certificate",
            "whether the certificate authority held anything of the host",
        );
        Ok(there)
    }
}
