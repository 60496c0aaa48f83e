//! The world in which a rehearsal goes on.

use std::sync::Arc;
use wreimage_capability::Clock;
use wreimage_engine::{Absent, Seen, Twin, TwinMaker};
use wreimage_lab::Lab;

/// Without this capability, whoever asks for a certificate gets it.
const PUPPET_CA: &str = "puppet-ca";

/// Makes the twin of a rehearsal in a lab of its own.
#[derive(Debug, Clone)]
pub struct LabTwin {
    /// Name of the site.
    site: String,
    /// The task that the run was started for.
    task: Option<String>,
    /// There is no `puppet-ca` to sign a request.
    autosign: bool,
}

impl LabTwin {
    /// For a run for this task, on a site without these capabilities.
    pub fn maker(site: &str, task: Option<&str>, absent: &Absent) -> Arc<dyn TwinMaker> {
        Arc::new(LabTwin {
            site: site.to_owned(),
            task: task.map(str::to_owned),
            autosign: absent.contains(PUPPET_CA),
        })
    }
}

impl TwinMaker for LabTwin {
    fn make(&self, host: &str, seen: &[Seen], clock: &dyn Clock) -> Result<Twin, String> {
        let reads: Vec<_> = seen
            .iter()
            .map(|seen| (seen.function, seen.arguments.clone(), seen.outcome.clone()))
            .collect();
        let lab = Lab::twin(&self.site, host, &reads, clock.now());
        if self.autosign {
            lab.autosign();
        }
        Ok(Twin {
            providers: lab.providers_for(host, self.task.as_deref()),
            clock: lab.clock(),
        })
    }
}
