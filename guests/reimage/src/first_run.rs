//! The first Puppet run: the new system becomes what it is to be.

use crate::options::Asked;
use crate::{certificate, meanwhile, policy};
use wreimage_sdk::{Actions, Fault, FaultKind, Offers, Step, attempt, puppet, text};

/// Name of the phase.
pub const PHASE: &str = "first run";

/// Under which a first run names the reason with which the agent had been disabled.
const WAS_DISABLED: &str = "was-disabled";

/// Runs Puppet for the first time; on failure the operator decides. Whether it has been run.
///
/// # Errors
/// When it failed and the operator decides to stop, or nobody can be asked.
pub fn run(asked: &Asked, actions: &mut Actions) -> Result<bool, Fault> {
    let done = actions.phase(PHASE).long_step_unless(
        "Run Puppet for the first time",
        asked.lacks(&["puppet"]),
        policy::FIRST_RUN_USUALLY,
        |step| first_run(asked, step),
    )?;
    Ok(done == Some(true))
}

fn first_run(asked: &Asked, step: &mut Step) -> Result<bool, Fault> {
    let offers = Offers {
        retry: Some("run it again"),
        skip: Some("go on without; the host may lack some of what it is to be"),
        abort: "stop here; the new OS stays as it is",
        ..Offers::default()
    };
    let run = attempt(&offers, step, |step| {
        let run = puppet::first_run(policy::FIRST_RUN_TIMEOUT)?;
        // The output is kept, however it ended.
        step.evidence("exit status", run.status);
        step.evidence("output", run.blob.as_deref().unwrap_or("not kept"));
        let was_disabled = run.extra.iter().find(|(key, _)| key == WAS_DISABLED);
        if let Some((_, reason)) = was_disabled {
            step.warns(meanwhile::enabled(&asked.host, reason));
        }
        if run.succeeded {
            return Ok(run);
        }
        let failed = Fault::new(
            FaultKind::Rejected,
            "reimage.first-run-failed",
            &asked.host,
            format!(
                "the first Puppet run on {} failed with exit status {}: {}",
                asked.host,
                run.status,
                text::last_lines(&run.output_tail, 3)
            ),
        );
        Err(certificate::explain(asked, failed))
    })?;
    if let Some(run) = &run {
        step.says(run.to_string());
    }
    Ok(run.is_some())
}
