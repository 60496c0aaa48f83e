//! Running a script on the install server.

use super::answer::{Answer, LIMIT, Waiting};
use super::far::Far;
use super::script::Script;
use crate::child::{Child, ChildFailure};
use crate::redact;
use crate::site::Site;
use crate::ssh::{ExecFailure, Login, Patience};
use crate::tables::DhcpTable;
use std::time::Duration;
use wreimage_capability::Fault;
use wreimage_capability::remote::Exit;

/// How long a program's standard error is quoted.
const QUOTED: usize = 600;

/// Which executions must not wait for which others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Reads, renewals, leases.
    Quick,
    /// What waits for the lock of the DHCP automation.
    Slow,
}

/// The install server of a site. All hosts of a process share it.
pub(crate) struct InstallServer {
    place: Place,
    /// Where the scripts read boot ID and uptime: `/proc`.
    proc: String,
}

enum Place {
    Here,
    There(Box<Far>),
    #[cfg(test)]
    Played(std::sync::Arc<dyn Transport>),
}

/// Takes the place of the way to the install server in tests.
#[cfg(test)]
pub(crate) trait Transport: Send + Sync {
    /// Sends a script; what it printed, or a fault when no answer came.
    fn send(&self, script: String) -> futures::future::BoxFuture<'_, Result<Vec<u8>, Fault>>;
}

/// What a script printed, and how it ended.
struct Printed {
    ended: String,
    stdout: Vec<u8>,
    stderr: String,
    /// Whether a part of what it printed is missing.
    is_cut: bool,
}

impl InstallServer {
    /// The install server that `[dhcp]` names. Makes no traffic.
    pub(crate) fn new(table: &DhcpTable, site: &Site) -> Self {
        let place = table.server.as_ref().map_or(Place::Here, |server| {
            Place::There(Box::new(Far {
                host: server.host.clone(),
                port: server.port,
                names: site.names(),
                login: Login::new(
                    &server.user,
                    site.resolve(&server.key),
                    site.secrets.install_server.clone(),
                ),
                known_hosts: site.resolve(&server.known_hosts),
                patience: Patience {
                    connect: Duration::from_secs(5),
                    login: Duration::from_secs(10),
                },
                quick: Default::default(),
                slow: Default::default(),
            }))
        });
        InstallServer {
            place,
            proc: site.proc.clone(),
        }
    }

    /// This machine, whatever the site's install server is.
    pub(crate) fn here() -> Self {
        InstallServer {
            place: Place::Here,
            proc: "/proc".to_owned(),
        }
    }

    /// One that is played.
    #[cfg(test)]
    pub(crate) fn played(transport: std::sync::Arc<dyn Transport>, proc: String) -> Self {
        InstallServer {
            place: Place::Played(transport),
            proc,
        }
    }

    /// Whether it is this machine.
    pub(crate) fn is_here(&self) -> bool {
        matches!(self.place, Place::Here)
    }

    /// Names it in messages.
    pub(crate) fn system(&self) -> String {
        match &self.place {
            Place::There(far) => format!("install server {}", far.host),
            _ => "install server (this machine)".to_owned(),
        }
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
        let printed = match &self.place {
            Place::Here => self.run_here(script, timeout, &mut watch).await?,
            Place::There(far) => {
                self.run_there(far, lane, &script, timeout, &mut watch)
                    .await?
            }
            #[cfg(test)]
            Place::Played(transport) => Printed {
                ended: "no exit status".to_owned(),
                stdout: transport.send(script).await?,
                stderr: String::new(),
                is_cut: false,
            },
        };
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

    async fn run_here(
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

    async fn run_there(
        &self,
        far: &Far,
        lane: Lane,
        script: &str,
        timeout: Duration,
        watch: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<Printed, Fault> {
        let system = self.system();
        let ended = far.send(&system, lane, script, timeout, watch).await?;
        let ended = ended.map_err(|failure| self.broken(failure))?;
        Ok(Printed {
            ended: match ended.exit {
                Exit::Status(status) => format!("exit status {status}"),
                _ => "no exit status".to_owned(),
            },
            stderr: end_of(&ended.stderr.text()),
            is_cut: ended.truncated,
            stdout: ended.whole_stdout,
        })
    }

    fn broken(&self, failure: ExecFailure) -> Fault {
        let system = self.system();
        match failure {
            ExecFailure::NotSent(text) => {
                let message =
                    format!("{system} broke the connection before it had the request: {text}");
                Fault::unreachable("dhcp.not-sent", system, message)
            }
            ExecFailure::Lost(text) => {
                let message = format!("{system} broke the connection: {text}");
                Fault::unreachable("dhcp.unreachable", system, message)
            }
            ExecFailure::Timeout(after) => {
                let after = after.as_secs_f32();
                let message = format!("{system} did not answer within {after} s");
                Fault::timeout("dhcp.timeout", system, message)
            }
        }
    }
}

/// The end of what a program wrote, without secrets, for messages.
fn end_of(text: &str) -> String {
    redact::tail(text.trim().as_bytes(), false, QUOTED)
}

#[cfg(test)]
mod tests {
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
