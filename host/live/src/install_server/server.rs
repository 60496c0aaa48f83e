//! Running a script on the install server.

use super::answer::{Answer, Waiting};
use super::here::Here;
use super::script::Script;
use super::transport::{Lane, Printed, QUOTED, Transport};
use crate::redact;
use std::time::Duration;
use wreimage_capability::Fault;

/// The install server of a site. All hosts of a process share it.
pub(crate) struct InstallServer {
    transport: Box<dyn Transport>,
    /// Where the scripts read boot ID and uptime: `/proc`.
    proc: String,
}

impl InstallServer {
    /// One that is reached in this way. Makes no traffic.
    pub(crate) fn new(transport: impl Transport + 'static, proc: &str) -> Self {
        InstallServer {
            transport: Box::new(transport),
            proc: proc.to_owned(),
        }
    }

    /// This machine, whatever the site's install server is.
    pub(crate) fn here() -> Self {
        InstallServer::new(Here, "/proc")
    }

    /// Whether it is this machine.
    pub(crate) fn is_here(&self) -> bool {
        self.transport.is_here()
    }

    /// Names it in messages.
    pub(crate) fn system(&self) -> String {
        self.transport.system()
    }

    /// Where the scripts read boot ID and uptime.
    pub(crate) fn proc(&self) -> &str {
        &self.proc
    }

    /// Runs a script in one execution; `waits` gets who holds the lock that it waits for.
    ///
    /// # Errors
    /// `unreachable` or `timeout` when no answer came: whether the script took effect is not known then, unless the code is
    /// `dhcp.not-sent`. `rejected` when what came is not an answer.
    pub(crate) async fn run(
        &self,
        lane: Lane,
        script: &Script,
        timeout: Duration,
        mut waits: impl FnMut(&str) + Send,
    ) -> Result<Answer, Fault> {
        let script = script.clone().set("proc", &self.proc).text();
        let mut waiting = Waiting::default();
        let mut watch = |bytes: &[u8]| {
            if let Some(holder) = waiting.push(bytes) {
                waits(&holder);
            }
        };
        let sent = self.transport.send(lane, script, timeout, &mut watch);
        let printed = sent.await?;
        if printed.is_cut {
            return Err(self.garbled(&printed, "it is too long"));
        }
        let mut answer =
            Answer::parse(&printed.stdout).map_err(|why| self.garbled(&printed, &why))?;
        let stderr = printed.stderr.trim();
        if !stderr.is_empty() {
            answer.fields.push(("stderr".to_owned(), stderr.to_owned()));
        }
        Ok(answer)
    }

    fn garbled(&self, printed: &Printed, why: &str) -> Fault {
        let system = self.system();
        let stdout = String::from_utf8_lossy(&printed.stdout);
        let begin = redact::head(stdout.trim(), QUOTED);
        let words = match (begin.is_empty(), printed.stderr.trim()) {
            (true, "") => "nothing was printed".to_owned(),
            (true, stderr) => stderr.to_owned(),
            (false, stderr) => format!("{begin} {stderr}"),
        };
        let message = format!(
            "the answer of {system} cannot be read: {why} ({}; {words})",
            printed.ended
        );
        Fault::rejected("dhcp.answer", system, message)
    }
}

#[cfg(test)]
mod tests {
    use super::super::answer::LIMIT;
    use super::*;
    use std::time::Instant;
    use wreimage_capability::FaultKind;

    /// What became of a script with this body, how long that took, and how often a holder of the lock was named.
    async fn play(body: &str, timeout: Duration) -> (Result<Answer, Fault>, Duration, usize) {
        let library = super::super::LIBRARY;
        let script = Script::new(&[library]).function("main", body);
        let (start, mut named) = (Instant::now(), 0);
        let server = InstallServer::here();
        let answer = server.run(Lane::Quick, &script, timeout, |_| named += 1);
        let answer = answer.await;
        (answer, start.elapsed(), named)
    }

    #[tokio::test]
    async fn an_answer_without_end_ends_with_its_deadline() {
        let bodies = [
            "while :; do print_text waiting 'run r1'; done",
            "while :; do printf %05000d 0; done",
            "while :; do echo error >&2; done",
        ];
        for body in bodies {
            let (answer, took, named) = play(body, Duration::from_secs(2)).await;
            let fault = answer.unwrap_err();
            assert_eq!(fault.kind, FaultKind::Timeout, "{body}: {fault:?}");
            assert!(fault.message.len() < 600, "{}", fault.message.len());
            assert!(took < Duration::from_secs(20), "{body}: {took:?}");
            assert!(named <= 1, "{body}: {named} lines of progress");
        }
    }

    #[tokio::test]
    async fn an_answer_that_is_too_long_is_not_read() {
        let long = format!("head -c {} /dev/zero | tr '\\0' x; finish ok", LIMIT + 1);
        let (answer, _, _) = play(&long, Duration::from_secs(60)).await;
        let fault = answer.unwrap_err();
        assert_eq!(fault.code, "dhcp.answer");
        assert!(fault.message.contains("it is too long"), "{fault:?}");
        assert!(fault.message.len() < 2000, "{}", fault.message.len());
        let whole = "head -c 100000 /dev/zero | tr '\\0' x >&2; finish ok";
        let (answer, _, _) = play(whole, Duration::from_secs(60)).await;
        let answer = answer.unwrap();
        assert_eq!(answer.status, "ok");
        assert!(answer.word("stderr").len() <= QUOTED);
    }

    #[tokio::test]
    async fn secrets_are_taken_out_before_errors_are_cut() {
        redact::remember(&"kumquat-marmalade".to_owned().into());
        let body = format!(
            "printf kumquat-marmalade >&2; printf %0{}d 0 >&2; finish ok",
            QUOTED - 10
        );
        let (answer, _, _) = play(&body, Duration::from_secs(60)).await;
        let answer = answer.unwrap();
        let stderr = answer.word("stderr");
        assert!(
            stderr.ends_with("00000") && !stderr.contains("malade"),
            "{stderr}"
        );
    }
}
