//! Puppet's certificate authority, for the host's name and no other.

use crate::WaitPolicy;
pub use crate::bindings::wreimage::puppet_ca::puppet_ca::Certificate;
use crate::role::Role;

crate::table::effects! {
    /// Speaks to the certificate authority for the run's host.
    puppet_ca "wreimage:puppet-ca/puppet-ca@0.1.0" served by Provider in crate::bindings::wreimage::puppet_ca::puppet_ca;
    read get_signed_at() -> Option<u64>,
        role Role::CertificateSigned(|answer| serde_json::from_value(answer.clone()).ok());
    read get_certificate() -> Certificate;
    wait wait_for_request(policy: WaitPolicy) -> String;
    write sign(fingerprint: String) -> ();
    write clean() -> bool;
}
