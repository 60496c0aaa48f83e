//! Consent that is given in advance.

use crate::failure::Failure;
use wreimage_runs::Hosts;

/// The hosts for which consent is given.
pub fn consented(given: &str) -> Result<Hosts, Failure> {
    Hosts::parse(given).map_err(|why| Failure::Usage(format!("--yes: {why}")))
}
