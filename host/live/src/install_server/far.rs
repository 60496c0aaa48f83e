//! An install server behind SSH: two connections for all hosts of a process.

use super::answer::LIMIT;
use super::server::Lane;
use crate::dns::Names;
use crate::ssh::{Connection, Door, Ended, ExecFailure, HostKeys, Input, Login, Patience, WayIn};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore};
use wreimage_capability::Fault;

/// Executions at the same time over one connection: sshd allows 10 sessions by default.
const SESSIONS: usize = 8;

/// How it is entered.
pub(crate) struct Far {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) names: Names,
    pub(crate) login: Login,
    pub(crate) known_hosts: PathBuf,
    pub(crate) patience: Patience,
    /// For what must never wait behind a publication.
    pub(crate) quick: Road,
    /// For publications and withdrawals.
    pub(crate) slow: Road,
}

/// A connection, while it lasts, and how many may use it now.
pub(crate) struct Road {
    connection: Mutex<Option<Arc<Connection>>>,
    sessions: Semaphore,
}

impl Default for Road {
    fn default() -> Self {
        Road {
            connection: Mutex::default(),
            sessions: Semaphore::new(SESSIONS),
        }
    }
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

    /// The connection of this road, and whether it is a new one. Callers that come together wait for one login.
    async fn connection(
        &self,
        road: &Road,
        system: &str,
    ) -> Result<(Arc<Connection>, bool), Fault> {
        let mut kept = road.connection.lock().await;
        if let Some(connection) = kept.as_ref().filter(|it| !it.is_closed()) {
            return Ok((connection.clone(), false));
        }
        let connection = Arc::new(self.connect(system).await?);
        *kept = Some(connection.clone());
        Ok((connection, true))
    }

    /// Sends a script to a shell there. What was not sent is sent over a new connection.
    pub(super) async fn send(
        &self,
        system: &str,
        lane: Lane,
        script: &str,
        timeout: Duration,
        watch: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<Result<Ended, ExecFailure>, Fault> {
        let road = match lane {
            Lane::Quick => &self.quick,
            Lane::Slow => &self.slow,
        };
        // It is never closed.
        let _session = road.sessions.acquire().await;
        // The shell is bound there too: the connection may be gone when the time is over.
        let command = format!("timeout -k 5 {} sh -s", timeout.as_secs().max(1));
        loop {
            let (connection, is_new) = self.connection(road, system).await?;
            let input = Input {
                bytes: script.as_bytes(),
                limit: LIMIT,
            };
            let ended = connection
                .exec_with(&command, input, timeout + Duration::from_secs(6), watch)
                .await;
            // What a server sends without end would come over this connection.
            if ended.as_ref().map_or(true, |ended| ended.truncated) {
                let mut kept = road.connection.lock().await;
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
