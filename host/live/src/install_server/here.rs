//! An install server that is this machine.

use super::answer::LIMIT;
use super::transport::{Lane, Printed, Transport, end_of};
use crate::child::{Child, ChildFailure};
use std::time::Duration;
use wreimage_capability::{BoxFuture, Fault};

/// A shell of this machine.
pub(crate) struct Here;

impl Here {
    async fn run(
        &self,
        script: String,
        timeout: Duration,
        watch: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<Printed, Fault> {
        let system = self.system();
        let unreachable = |why: String| Fault::unreachable("dhcp.not-sent", system.clone(), why);
        let mut child =
            Child::new(&["sh", "-s"]).ok_or_else(|| unreachable("no shell".to_owned()))?;
        child.input(script.into_bytes()).limit(LIMIT);
        let ended = child.run_watched(timeout, watch).await;
        let ended = ended.map_err(|failure| match failure {
            ChildFailure::NotStarted(..) => unreachable(failure.to_string()),
            _ => Fault::timeout(
                "dhcp.timeout",
                system.clone(),
                format!("{system}: {failure}"),
            ),
        })?;
        Ok(Printed {
            ended: ended.exit(),
            stderr: end_of(&String::from_utf8_lossy(&ended.stderr)),
            is_cut: ended.is_cut,
            stdout: ended.stdout,
        })
    }
}

impl Transport for Here {
    fn system(&self) -> String {
        "install server (this machine)".to_owned()
    }

    fn is_here(&self) -> bool {
        true
    }

    fn send<'a>(
        &'a self,
        _lane: Lane,
        script: String,
        timeout: Duration,
        watch: &'a mut (dyn FnMut(&[u8]) + Send),
    ) -> BoxFuture<'a, Result<Printed, Fault>> {
        Box::pin(self.run(script, timeout, watch))
    }
}
