//! Whether the host's certificate is valid: another person or program may have revoked it since it was signed.

use crate::options::Asked;
use wreimage_sdk::puppet_ca::{self, Certificate};
use wreimage_sdk::{Fault, FaultKind, Step, text};

/// Why Puppet gets no catalogue for the host, by the word of its certificate authority; `None` when the certificate is valid,
/// or when the authority cannot be asked.
pub fn trouble(asked: &Asked) -> Option<String> {
    if asked.lacks(&["puppet-ca"]).is_some() {
        return None;
    }
    let found = puppet_ca::get_certificate().ok()?;
    invalid(&asked.host, &found)
}

/// Names the certificate in what Puppet has failed with, when it is not valid.
pub fn explain(asked: &Asked, fault: Fault) -> Fault {
    if fault.is(FaultKind::Cancelled) {
        return fault;
    }
    match trouble(asked) {
        Some(trouble) => fault.and(&trouble),
        None => fault,
    }
}

/// Fails the step when the certificate is not valid any more.
///
/// # Errors
/// `cancelled`. That the authority cannot be asked is a warning.
pub fn verify(asked: &Asked, step: &mut Step) -> Result<(), Fault> {
    let failed = "whether the certificate of the host is still valid is not known";
    let Some(found) = step.tolerates(failed, puppet_ca::get_certificate())? else {
        return Ok(());
    };
    if let Some(trouble) = invalid(&asked.host, &found) {
        step.fails(trouble);
    }
    Ok(())
}

fn invalid(host: &str, certificate: &Certificate) -> Option<String> {
    let state = match certificate {
        Certificate::Signed(_) => return None,
        Certificate::Revoked(fingerprint) => format!("was revoked (fingerprint {fingerprint})"),
        Certificate::Absent => "was removed".to_owned(),
        Certificate::Requested(_) => "was removed, and a new request waits".to_owned(),
        Certificate::Other(state) => format!("is `{}`", text::line(state, 80)),
    };
    Some(format!(
        "The certificate of {host} at the Puppet CA {state} after this run had it signed, so Puppet gets no catalogue for {host}. \
         Find out why before you enrol the host again."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_signed_certificate_is_valid() {
        assert_eq!(
            invalid("host1001", &Certificate::Signed("AA".to_owned())),
            None
        );
        for (certificate, words) in [
            (
                Certificate::Revoked("AA:0B".to_owned()),
                "was revoked (fingerprint AA:0B)",
            ),
            (Certificate::Absent, "was removed after"),
            (
                Certificate::Requested("AA".to_owned()),
                "a new request waits",
            ),
            (Certificate::Other("expired".to_owned()), "is `expired`"),
        ] {
            let trouble = invalid("host1001", &certificate).unwrap();
            assert!(trouble.contains(words), "{trouble}");
        }
    }
}
