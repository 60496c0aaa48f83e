//! The install server: this machine, or another one by SSH. Both run the same commands.

use super::lock::Held;
use crate::child::{Child, OUTPUT_LIMIT};
use crate::dns::Names;
use crate::ssh::{Connection, Door, Ended, ExecFailure, HostKeys, Login, Patience, WayIn, quote};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncRead;
use tokio::sync::Mutex;
use wreimage_capability::Fault;
use wreimage_capability::remote::Exit;

/// For everything but the include tool. One call runs some twenty of these besides the include tool and the wait for the
/// lock, and must end before the gate's deadline.
pub(super) const SMALL: Duration = Duration::from_secs(5);

/// Exit statuses of the scripts below.
const ABSENT: i64 = 44;
const OTHER: i64 = 45;

const READ: &str = "test -e \"$1\" || exit 44; cat \"$1\"";
/// The temporary name does not end in `.conf`, so that the include tool never takes half a file.
const WRITE: &str = "set -e; umask 022; t=\"$1.wreimage-$$\"; trap 'rm -f \"$t\"' EXIT; printf %s \"$2\" | base64 -d \
                     > \"$t\"; test \"$(sha256sum < \"$t\" | cut -c1-64)\" = \"$3\"; mv -f \"$t\" \"$1\"";
/// Before the file goes it is noted that the DHCP server still has to forget it: whoever comes next does that if this call
/// does not come to its end.
const REMOVE: &str = "test -e \"$1\" || exit 44; test \"$(sha256sum < \"$1\" | cut -c1-64)\" = \"$2\" || exit 45; echo \
                      \"$1 $4\" >> \"$3/unsettled\" && rm -f \"$1\"";

/// Where the DHCP automation is.
pub(super) enum Server {
    Local,
    Ssh(Box<Far>),
}

/// An install server behind SSH.
pub(super) struct Far {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) names: Names,
    pub(super) login: Login,
    pub(super) known_hosts: PathBuf,
    pub(super) patience: Patience,
    /// The connection of the last command, while it lasts: one call makes many commands.
    pub(super) connection: Mutex<Option<Arc<Connection>>>,
}

impl Far {
    async fn connect(&self, system: &str) -> Result<Connection, Fault> {
        let addresses = self.names.resolve(&self.host).await.map_err(|fault| {
            Fault::unreachable(
                "dhcp.unreachable",
                system,
                format!("{system}: {}", fault.message),
            )
        })?;
        let door = Door {
            name: &self.host,
            addresses: &addresses,
            port: self.port,
            patience: self.patience,
        };
        let way = WayIn {
            login: &self.login,
            host_keys: HostKeys::Known(self.known_hosts.clone()),
        };
        Connection::open(&door, way)
            .await
            .map_err(|failure| failure.fault(system))
    }

    /// Runs a command over the connection of the last one. What was not sent is sent over a new one.
    async fn exec(
        &self,
        system: &str,
        command: &str,
        timeout: Duration,
    ) -> Result<Result<Ended, ExecFailure>, Fault> {
        let mut kept = self.connection.lock().await;
        if let Some(connection) = kept.take() {
            match connection.exec(command, timeout).await {
                Err(ExecFailure::NotSent(_)) => {}
                Ok(ended) => {
                    *kept = Some(connection);
                    return Ok(Ok(ended));
                }
                failed => return Ok(failed),
            }
        }
        let connection = Arc::new(self.connect(system).await?);
        let ended = connection.exec(command, timeout).await;
        if ended.is_ok() {
            *kept = Some(connection);
        }
        Ok(ended)
    }

    /// Starts a command that goes on, over the connection of the last one.
    async fn start(
        &self,
        system: &str,
        command: &str,
    ) -> Result<Result<Going, ExecFailure>, Fault> {
        let mut kept = self.connection.lock().await;
        let going = |connection: &Arc<Connection>, stdout| Going {
            stdout: Box::new(stdout),
            _alive: Box::new(connection.clone()),
        };
        if let Some(connection) = kept.take()
            && let Ok(stdout) = connection.start(command, SMALL).await
        {
            let going = going(&connection, stdout);
            *kept = Some(connection);
            return Ok(Ok(going));
        }
        let connection = Arc::new(self.connect(system).await?);
        let started = connection.start(command, SMALL).await;
        Ok(started.map(|stdout| {
            let going = going(&connection, stdout);
            *kept = Some(connection);
            going
        }))
    }
}

/// A command that goes on until this is dropped, or the connection breaks: its standard input ends then.
pub(super) struct Going {
    pub(super) stdout: Box<dyn AsyncRead + Send + Sync + Unpin>,
    _alive: Box<dyn Any + Send + Sync>,
}

/// A command that ended.
#[derive(Debug, Clone)]
pub(super) struct Ran {
    /// Exit status; `None` after a signal.
    pub(super) status: Option<i64>,
    pub(super) stdout: String,
    pub(super) stderr: String,
    /// Whether a part of the output is missing: there was too much of it.
    cut: bool,
}

impl Ran {
    /// A command that ended so and printed this.
    #[cfg(test)]
    pub(super) fn new(status: i64, stdout: &str) -> Self {
        Ran {
            status: Some(status),
            stdout: stdout.to_owned(),
            stderr: String::new(),
            cut: false,
        }
    }

    pub(super) fn ok(&self) -> bool {
        self.status == Some(0)
    }

    /// Exit status and the end of what was written, for messages.
    pub(super) fn told(&self) -> String {
        let status = self
            .status
            .map_or_else(|| "a signal".to_owned(), |it| format!("exit status {it}"));
        let text = format!("{}\n{}", self.stdout.trim(), self.stderr.trim());
        let text = text.trim();
        let skip = text.chars().count().saturating_sub(1500);
        let end: String = text.chars().skip(skip).collect();
        if end.is_empty() {
            status
        } else {
            format!("{status}: {end}")
        }
    }
}

fn with_arguments<'a>(script: &'a str, arguments: &[&'a str]) -> Vec<&'a str> {
    let mut argv = vec!["sh", "-c", script, "sh"];
    argv.extend_from_slice(arguments);
    argv
}

/// What became of a removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Removed {
    Yes,
    Absent,
    /// The file is another one and stays.
    Other,
}

impl Server {
    /// Names it in faults.
    pub(super) fn system(&self) -> String {
        match self {
            Server::Local => "install server (this machine)".to_owned(),
            Server::Ssh(far) => format!("install server {}", far.host),
        }
    }

    /// Runs a command there.
    pub(super) async fn run<S: AsRef<str>>(
        &self,
        argv: &[S],
        timeout: Duration,
    ) -> Result<Ran, Fault> {
        match self {
            Server::Local => self.run_here(argv, timeout).await,
            Server::Ssh(far) => self.run_there(far, argv, timeout).await,
        }
    }

    /// Starts a command there that goes on.
    pub(super) async fn start<S: AsRef<str>>(&self, argv: &[S]) -> Result<Going, Fault> {
        let unreachable = |why: String| Fault::unreachable("dhcp.unreachable", self.system(), why);
        match self {
            Server::Local => {
                let child = Child::new(argv);
                let child = child.ok_or_else(|| unreachable("a command is empty".to_owned()))?;
                let (going, stdout) = child.start().map_err(|it| unreachable(it.to_string()))?;
                let stdout = stdout.ok_or_else(|| unreachable("no output".to_owned()))?;
                Ok(Going {
                    stdout: Box::new(stdout),
                    _alive: Box::new(going),
                })
            }
            Server::Ssh(far) => {
                let started = far.start(&self.system(), &quote(argv)).await?;
                started.map_err(|failure| self.broken(argv, failure))
            }
        }
    }

    /// What a command that did not end by itself says of an install server behind SSH.
    fn broken<S: AsRef<str>>(&self, argv: &[S], failure: ExecFailure) -> Fault {
        let system = self.system();
        match failure {
            ExecFailure::NotSent(text) | ExecFailure::Lost(text) => {
                let message = format!("{system} broke the connection: {text}");
                Fault::unreachable("dhcp.unreachable", system, message)
            }
            ExecFailure::Timeout(after) => {
                let program = argv.first().map_or("", AsRef::as_ref);
                let after = after.as_secs_f32();
                let message = format!("`{program}` did not end on {system} within {after} s");
                Fault::timeout("dhcp.timeout", system, message)
            }
        }
    }

    async fn run_here<S: AsRef<str>>(&self, argv: &[S], timeout: Duration) -> Result<Ran, Fault> {
        let unreachable = |why: String| Fault::unreachable("dhcp.unreachable", self.system(), why);
        let child = Child::new(argv).ok_or_else(|| unreachable("a command is empty".to_owned()))?;
        let ended = child.run(timeout).await.map_err(|failure| {
            Fault::timeout("dhcp.command", self.system(), failure.to_string())
        })?;
        Ok(Ran {
            status: ended.status.code().map(i64::from),
            stdout: String::from_utf8_lossy(&ended.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&ended.stderr).into_owned(),
            cut: ended.stdout.len() >= OUTPUT_LIMIT,
        })
    }

    async fn run_there<S: AsRef<str>>(
        &self,
        far: &Far,
        argv: &[S],
        timeout: Duration,
    ) -> Result<Ran, Fault> {
        let system = self.system();
        let ended = far.exec(&system, &quote(argv), timeout).await?;
        let ended = ended.map_err(|failure| self.broken(argv, failure))?;
        Ok(Ran {
            status: match ended.exit {
                Exit::Status(status) => Some(i64::from(status)),
                _ => None,
            },
            stdout: if ended.truncated {
                ended.stdout.text()
            } else {
                String::from_utf8_lossy(&ended.whole_stdout).into_owned()
            },
            stderr: ended.stderr.text(),
            cut: ended.truncated,
        })
    }

    /// Runs a shell script with arguments.
    pub(super) async fn script(&self, script: &str, arguments: &[&str]) -> Result<Ran, Fault> {
        self.run(&with_arguments(script, arguments), SMALL).await
    }

    /// The same, for one that changes something.
    pub(super) async fn fenced_script(
        &self,
        held: &Held,
        script: &str,
        arguments: &[&str],
    ) -> Result<Ran, Fault> {
        self.fenced(held, &with_arguments(script, arguments), SMALL)
            .await
    }

    fn failed(&self, what: &str, path: &str, ran: &Ran) -> Fault {
        Fault::denied(
            "dhcp.file",
            self.system(),
            format!(
                "{path} cannot be {what} on {}: {}",
                self.system(),
                ran.told()
            ),
        )
    }

    /// The text of a file; `None` when it is not there.
    pub(super) async fn read(&self, path: &str) -> Result<Option<String>, Fault> {
        let ran = self.script(READ, &[path]).await?;
        match ran.status {
            // Half a file must not be judged as if it were all of it.
            Some(0) if ran.cut => Err(Fault::rejected(
                "dhcp.file-too-large",
                self.system(),
                format!(
                    "{path} on {} is too large for a file of the DHCP automation and was not read to its end; look at \
                     what it is, and at `dhcp.folder` and `dhcp.proxy` of the site file",
                    self.system()
                ),
            )),
            Some(0) => Ok(Some(ran.stdout)),
            Some(ABSENT) => Ok(None),
            _ => Err(self.failed("read", path, &ran)),
        }
    }

    /// Writes a file by renaming a whole one into its place.
    pub(super) async fn write(
        &self,
        held: &Held,
        path: &str,
        text: &str,
        digest: &str,
    ) -> Result<(), Fault> {
        let encoded = STANDARD.encode(text);
        let arguments = [path, &encoded, digest];
        let ran = self.fenced_script(held, WRITE, &arguments).await?;
        if ran.ok() {
            Ok(())
        } else {
            Err(self.failed("written", path, &ran))
        }
    }

    /// Removes a file that has this digest, and notes in the folder `state` that `proxy` may still include it.
    pub(super) async fn remove(
        &self,
        held: &Held,
        path: &str,
        digest: &str,
        state: &str,
        proxy: &str,
    ) -> Result<Removed, Fault> {
        let arguments = [path, digest, state, proxy];
        let ran = self.fenced_script(held, REMOVE, &arguments).await?;
        match ran.status {
            Some(0) => Ok(Removed::Yes),
            Some(ABSENT) => Ok(Removed::Absent),
            Some(OTHER) => Ok(Removed::Other),
            _ => Err(self.failed("removed", path, &ran)),
        }
    }

    /// Runs one of the site's small commands.
    pub(super) async fn small(&self, argv: &[String]) -> Result<Ran, Fault> {
        self.run(argv, SMALL).await
    }
}
