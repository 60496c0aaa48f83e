//! Tests of web services.

use crate::machine::Stage;
use crate::world::World;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use wreimage_capability::Fault;
use wreimage_capability::httpbb::Report;

/// Suites that there are, and hosts that fail them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Httpbb {
    pub(crate) suites: BTreeSet<String>,
    pub(crate) fails: BTreeSet<String>,
}

impl World {
    /// Runs a suite against the host: it passes when an enrolled system is up.
    pub(crate) fn run_suite(&self, host: &str, suite: &str) -> Result<Report, Fault> {
        let all = &self.services.httpbb.suites;
        if !all.contains(suite) && !self.rehearsal {
            let shown: String = suite.chars().take(64).collect();
            let names: Vec<&str> = all.iter().map(String::as_str).collect();
            return Err(Fault::not_found(
                "httpbb.no-suite",
                self.system("httpbb"),
                format!("there is no suite {shown:?}; there is {}", names.join(", ")),
            ));
        }
        let (serves, fqdn) = match self.machine(host) {
            Some(machine) => (
                machine.stage == Stage::OsUp
                    && machine
                        .disk
                        .as_ref()
                        .is_some_and(|disk| disk.agent.configured),
                machine.fqdn(),
            ),
            None => (false, host),
        };
        let output = if !serves {
            format!("Sending to {fqdn}...\nERROR: connection refused\n")
        } else if self.services.httpbb.fails.contains(host) {
            format!(
                "Sending to {fqdn}...\nFAIL: 132 requests sent to {fqdn}. 2 with failed assertions.\n"
            )
        } else {
            format!(
                "Sending to {fqdn}...\nPASS: 132 requests sent to {fqdn}. All assertions passed.\n"
            )
        };
        Ok(Report {
            passed: output.contains("PASS"),
            output_tail: output,
            blob: None,
            extra: Vec::new(),
        })
    }
}
