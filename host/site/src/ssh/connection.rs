//! Opening a connection: address, host key, login.

use super::known_hosts::{HostKeysOf, Verdict};
use super::{Login, tcp};
use russh::client::{self, AuthResult, Handle};
use russh::keys::{Algorithm, HashAlg, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate};
use russh::{Disconnect, Preferred};
use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wreimage_capability::Fault;

/// A connection that says nothing for this long is asked whether it lives; after two silent questions it is dead.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// Which host keys are accepted.
#[derive(Debug, Clone)]
pub(crate) enum HostKeys {
    /// Those that this file has for the host.
    Known(PathBuf),
    /// Any; the caller judges by the fingerprint.
    Any,
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SshFailure {
    /// Nothing accepts connections, or what does breaks them.
    Unreachable(String),
    /// It did not get on in time.
    Timeout(String),
    /// The host key is not to be trusted.
    HostKey(String),
    /// The key is not accepted.
    AuthRefused(String),
    /// The key file cannot be used.
    OwnKey(String),
}

impl SshFailure {
    /// The code of the fault when a key is not accepted.
    pub(crate) const AUTH_REFUSED: &str = "remote.auth-refused";

    pub(crate) fn fault(self, system: &str) -> Fault {
        match self {
            SshFailure::Unreachable(text) => Fault::unreachable("remote.unreachable", system, text),
            SshFailure::Timeout(text) => Fault::timeout("remote.timeout", system, text),
            SshFailure::HostKey(text) => Fault::denied("remote.host-key", system, text),
            // A machine on its way up or down refuses keys, so a later try may well succeed.
            SshFailure::AuthRefused(text) => Fault::denied(Self::AUTH_REFUSED, system, text),
            SshFailure::OwnKey(text) => Fault::denied("remote.key-file", system, text),
        }
    }
}

/// A connection with a login.
pub(crate) struct Connection {
    pub(super) handle: Handle<Client>,
    /// SHA-256 fingerprint of the host key.
    pub(crate) fingerprint: String,
}

/// Takes the host key and says whether to go on.
pub(super) struct Client {
    policy: Policy,
    seen: Arc<Mutex<Option<(PublicKey, Verdict)>>>,
}

enum Policy {
    Known(HostKeysOf),
    Any,
}

impl client::Handler for Client {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        key: &PublicKeyOrCertificate,
    ) -> Result<bool, russh::Error> {
        let key = key.public_key();
        let verdict = match &self.policy {
            Policy::Known(keys) => keys.verdict(&key),
            Policy::Any => Verdict::Known,
        };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some((key, verdict));
        Ok(verdict == Verdict::Known)
    }
}

/// How long the parts of opening a connection may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) connect: Duration,
    pub(crate) login: Duration,
}

impl Connection {
    /// Connects to the first of these addresses that answers, and logs in.
    ///
    /// # Errors
    /// See [`SshFailure`]; all messages name the host.
    pub(crate) async fn open(
        name: &str,
        addresses: &[IpAddr],
        port: u16,
        login: &Login,
        host_keys: &HostKeys,
        patience: Patience,
    ) -> Result<Self, SshFailure> {
        let key = login.key().await.map_err(SshFailure::OwnKey)?;
        let sockets: Vec<SocketAddr> = addresses
            .iter()
            .map(|ip| SocketAddr::new(*ip, port))
            .collect();
        let policy = match host_keys {
            HostKeys::Any => Policy::Any,
            HostKeys::Known(path) => {
                // Not the addresses: one that another machine had before would vouch for that machine.
                let keys = HostKeysOf::read(path, name, port).map_err(|error| {
                    SshFailure::HostKey(format!(
                        "the known host keys in {} cannot be read: {error}",
                        path.display()
                    ))
                })?;
                Policy::Known(keys)
            }
        };
        let stream = tcp::connect(&sockets, patience.connect)
            .await
            .map_err(|error| {
                SshFailure::Unreachable(format!(
                    "{name} does not accept SSH on port {port}: {error}"
                ))
            })?;
        let _ = stream.set_nodelay(true);
        let config = Arc::new(client::Config {
            keepalive_interval: Some(KEEPALIVE),
            keepalive_max: 2,
            nodelay: true,
            preferred: preferred(&policy),
            ..client::Config::default()
        });
        let seen = Arc::new(Mutex::new(None));
        let client = Client {
            policy,
            seen: seen.clone(),
        };
        let work = async {
            let mut handle = client::connect_stream(config, stream, client)
                .await
                .map_err(|error| refusal(name, host_keys, &seen, &error))?;
            let hash = match key.algorithm() {
                Algorithm::Rsa { .. } => handle
                    .best_supported_rsa_hash()
                    .await
                    .map_err(|error| broken(name, &error))?
                    .flatten(),
                _ => None,
            };
            let answer = handle
                .authenticate_publickey(&login.user, PrivateKeyWithHashAlg::new(key, hash))
                .await
                .map_err(|error| broken(name, &error))?;
            match answer {
                AuthResult::Success => Ok(handle),
                AuthResult::Failure { .. } => Err(SshFailure::AuthRefused(format!(
                    "{name} refuses the key {} for user `{}`",
                    login.key.display(),
                    login.user
                ))),
            }
        };
        let handle = tokio::time::timeout(patience.login, work)
            .await
            .map_err(|_| {
                SshFailure::Timeout(format!(
                    "{name} accepted the connection, but the login did not end within {} s",
                    patience.login.as_secs_f32()
                ))
            })??;
        let key = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        let fingerprint = key.map_or_else(String::new, |(key, _)| fingerprint(&key));
        Ok(Connection {
            handle,
            fingerprint,
        })
    }

    /// Says goodbye; a far end that does not listen any more is no error.
    pub(crate) async fn close(self) {
        let goodbye = self.handle.disconnect(Disconnect::ByApplication, "", "");
        let _ = tokio::time::timeout(Duration::from_millis(200), goodbye).await;
    }
}

fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

fn broken(name: &str, error: &russh::Error) -> SshFailure {
    SshFailure::Unreachable(format!(
        "{name} broke the connection during the login: {error}"
    ))
}

fn refusal(
    name: &str,
    host_keys: &HostKeys,
    seen: &Mutex<Option<(PublicKey, Verdict)>>,
    error: &russh::Error,
) -> SshFailure {
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let (HostKeys::Known(path), Some((key, verdict))) = (host_keys, seen.as_ref()) else {
        return broken(name, error);
    };
    match host_key_message(name, path, key, *verdict) {
        Some(message) => SshFailure::HostKey(message),
        None => broken(name, error),
    }
}

fn host_key_message(name: &str, path: &Path, key: &PublicKey, verdict: Verdict) -> Option<String> {
    let (file, shown) = (path.display(), fingerprint(key));
    match verdict {
        Verdict::Known => None,
        Verdict::Unknown => Some(format!(
            "{name} shows the host key {shown}, and {file} has none of this host; add it there if it is the right one"
        )),
        Verdict::Changed(line) => Some(format!(
            "{name} shows the host key {shown}, and {file}, line {line}, has another; either the machine was reinstalled \
             or somebody stands between: find out before you correct the file"
        )),
        Verdict::Revoked(line) => Some(format!(
            "{name} shows the host key {shown}, which {file}, line {line}, marks as revoked"
        )),
    }
}

/// The algorithms of the known keys first: a server with several host keys then shows one that can be judged.
fn preferred(policy: &Policy) -> Preferred {
    let mut preferred = Preferred::default();
    if let Policy::Known(keys) = policy {
        let known = keys.algorithms();
        let is_known = |algorithm: &Algorithm| {
            known.iter().any(|it| match (it, algorithm) {
                (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }) => true,
                (a, b) => a == b,
            })
        };
        let (mut first, rest): (Vec<Algorithm>, Vec<Algorithm>) =
            preferred.key.iter().cloned().partition(is_known);
        first.extend(rest);
        preferred.key = Cow::Owned(first);
    }
    preferred
}
