//! An install server behind SSH: two connections for all hosts of a process.

use super::answer::LIMIT;
use super::transport::{Lane, Printed, Transport, end_of};
use crate::resolver::Resolver;
use crate::ssh::{Connection, Door, Ended, ExecFailure, HostKeys, Input, Login, Patience, WayIn};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore};
use wreimage_capability::remote::Exit;
use wreimage_capability::{BoxFuture, Fault};

/// Executions at the same time over one connection: sshd allows 10 sessions by default.
const SESSIONS: usize = 8;

/// How it is entered.
pub(crate) struct SshServer {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) resolver: Resolver,
    pub(crate) login: Login,
    pub(crate) known_hosts: PathBuf,
    pub(crate) patience: Patience,
    /// For what must never wait behind a publication.
    pub(crate) quick: SharedConnection,
    /// For publications and withdrawals.
    pub(crate) slow: SharedConnection,
}

/// A connection, while it lasts, and how many may use it now.
pub(crate) struct SharedConnection {
    connection: Mutex<Option<Arc<Connection>>>,
    sessions: Semaphore,
}

impl Default for SharedConnection {
    fn default() -> Self {
        SharedConnection {
            connection: Mutex::default(),
            sessions: Semaphore::new(SESSIONS),
        }
    }
}

impl SshServer {
    async fn connect(&self, system: &str) -> Result<Connection, Fault> {
        let addresses = self.resolver.resolve(&self.host).await.map_err(|fault| {
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

    /// The connection, and whether it is a new one. Callers that come together wait for one login.
    async fn connection(
        &self,
        shared: &SharedConnection,
        system: &str,
    ) -> Result<(Arc<Connection>, bool), Fault> {
        let mut kept = shared.connection.lock().await;
        if let Some(connection) = kept.as_ref().filter(|it| !it.is_closed()) {
            return Ok((connection.clone(), false));
        }
        let connection = Arc::new(self.connect(system).await?);
        *kept = Some(connection.clone());
        Ok((connection, true))
    }

    /// Sends a script to a shell there. What was not sent is sent over a new connection.
    async fn execute(
        &self,
        system: &str,
        lane: Lane,
        script: &str,
        timeout: Duration,
        watch: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<Result<Ended, ExecFailure>, Fault> {
        let shared = match lane {
            Lane::Quick => &self.quick,
            Lane::Slow => &self.slow,
        };
        // It is never closed.
        let _session = shared.sessions.acquire().await;
        // The shell is bound there too: the connection may be gone when the time is over.
        let command = format!("timeout -k 5 {} sh -s", timeout.as_secs().max(1));
        loop {
            let (connection, is_new) = self.connection(shared, system).await?;
            let input = Input {
                bytes: script.as_bytes(),
                limit: LIMIT,
            };
            let ended = connection
                .exec_with(&command, input, timeout + Duration::from_secs(6), watch)
                .await;
            // What a server sends without end would come over this connection.
            if ended.as_ref().map_or(true, |ended| ended.truncated) {
                let mut kept = shared.connection.lock().await;
                if kept.as_ref().is_some_and(|it| Arc::ptr_eq(it, &connection)) {
                    *kept = None;
                }
            }
            match ended {
                Err(ExecFailure::NotSent(_)) if !is_new => {}
                ended => return Ok(ended),
            }
        }
    }
}

impl SshServer {
    async fn run(
        &self,
        lane: Lane,
        script: String,
        timeout: Duration,
        watch: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<Printed, Fault> {
        let system = self.system();
        let ended = self.execute(&system, lane, &script, timeout, watch).await?;
        let ended = ended.map_err(|failure| broken(&system, failure))?;
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
}

impl Transport for SshServer {
    fn system(&self) -> String {
        format!("install server {}", self.host)
    }

    fn send<'a>(
        &'a self,
        lane: Lane,
        script: String,
        timeout: Duration,
        watch: &'a mut (dyn FnMut(&[u8]) + Send),
    ) -> BoxFuture<'a, Result<Printed, Fault>> {
        Box::pin(self.run(lane, script, timeout, watch))
    }
}

fn broken(system: &str, failure: ExecFailure) -> Fault {
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
