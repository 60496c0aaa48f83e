//! Opening a connection: address, host key, login.

use super::known_hosts::{HostKeysOf, Verdict};
use super::{Login, tcp};
use russh::client::{self, AuthResult, Handle};
use russh::keys::{
    Algorithm, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate,
};
use russh::{Disconnect, Preferred};
use std::borrow::Cow;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use wreimage_capability::{Fault, PinnedBoot};
use wreimage_facts::code;

/// A connection that says nothing for this long is asked whether it lives; after two silent questions it is dead.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// Which host keys are accepted.
#[derive(Debug, Clone)]
pub(crate) enum HostKeys {
    /// Those that this file has for the host.
    Known(PathBuf),
    /// Those that this file has for the host, and the one with this fingerprint, which the host's certificate has reported.
    Reported(PathBuf, Arc<str>),
    /// The one of the boot that the run has accepted.
    Pinned(Arc<PinnedBoot>),
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
    /// The host key, of which this is the fingerprint, is not to be trusted.
    HostKey(String, String),
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
            SshFailure::HostKey(text, fingerprint) => {
                Fault::denied(code::HOST_KEY, system, text).with("offered", fingerprint)
            }
            // A machine on its way up or down refuses keys, so a later try may well succeed.
            SshFailure::AuthRefused(text) => Fault::denied(Self::AUTH_REFUSED, system, text),
            SshFailure::OwnKey(text) => Fault::denied(code::KEY_FILE, system, text),
        }
    }
}

/// A connection with a login.
pub(crate) struct Connection {
    pub(super) handle: Handle<Client>,
    _socket: Socket,
    /// SHA-256 fingerprint of the host key.
    pub(crate) fingerprint: String,
}

/// Where a machine is entered, and how long that may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Door<'a> {
    pub(crate) name: &'a str,
    pub(crate) addresses: &'a [IpAddr],
    pub(crate) port: u16,
    pub(crate) patience: Patience,
}

/// As whom, and at which host keys.
#[derive(Clone)]
pub(crate) struct WayIn<'a> {
    pub(crate) login: &'a Login,
    pub(crate) host_keys: HostKeys,
}

/// Takes the host key and says whether to go on.
pub(super) struct Client {
    name: String,
    policies: Vec<Policy>,
    seen: Seen,
}

/// The host key, and for each way in why it is not to be trusted there.
type Seen = Arc<Mutex<Option<(PublicKey, Vec<Option<String>>)>>>;

enum Policy {
    /// The file, its keys of the host, and the fingerprint of another one that is trusted.
    Known(PathBuf, HostKeysOf, Option<Arc<str>>),
    Unreadable(String),
    Pinned(Arc<PinnedBoot>),
    Any,
}

impl Policy {
    fn new(host_keys: &HostKeys, door: &Door<'_>) -> Self {
        let path = match host_keys {
            HostKeys::Known(path) | HostKeys::Reported(path, _) => path,
            HostKeys::Pinned(boot) => return Policy::Pinned(boot.clone()),
            HostKeys::Any => return Policy::Any,
        };
        // Not the addresses: one that another machine had before would vouch for that machine.
        match HostKeysOf::read(path, door.name, door.port) {
            Ok(keys) => Policy::Known(
                path.clone(),
                keys,
                match host_keys {
                    HostKeys::Reported(_, fingerprint) => Some(fingerprint.clone()),
                    _ => None,
                },
            ),
            Err(error) => Policy::Unreadable(format!(
                "the known host keys in {} cannot be read: {error}",
                path.display()
            )),
        }
    }

    /// Why this host key is not to be trusted.
    fn distrusts(&self, name: &str, key: &PublicKey) -> Option<String> {
        let shown = fingerprint(key);
        let (file, keys, reported) = match self {
            Policy::Known(path, keys, reported) => (path.display(), keys, reported.as_deref()),
            Policy::Unreadable(why) => return Some(why.clone()),
            Policy::Pinned(boot) if boot.host_key == shown => return None,
            Policy::Pinned(boot) => {
                return Some(format!(
                    "{name} shows the host key {shown}, and this run has accepted {} in the boot {}; either the machine has \
                     restarted by itself or another one answers: find out before you continue",
                    boot.host_key, boot.boot_id
                ));
            }
            Policy::Any => return None,
        };
        match keys.verdict(key) {
            Verdict::Known => None,
            Verdict::Unknown | Verdict::Changed(_) if reported == Some(shown.as_str()) => None,
            Verdict::Unknown => Some(format!(
                "{name} shows the host key {shown}, and {file} has none of this host; add it there if it is the right one"
            )),
            Verdict::Changed(line) => Some(format!(
                "{name} shows the host key {shown}, and {file}, line {line}, has another; either the machine was \
                 reinstalled or somebody stands between: find out before you correct the file"
            )),
            Verdict::Revoked(line) => Some(format!(
                "{name} shows the host key {shown}, which {file}, line {line}, marks as revoked"
            )),
        }
    }
}

impl client::Handler for Client {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        key: &PublicKeyOrCertificate,
    ) -> Result<bool, russh::Error> {
        let key = key.public_key();
        let distrust = |policy: &Policy| policy.distrusts(&self.name, &key);
        let reasons: Vec<Option<String>> = self.policies.iter().map(distrust).collect();
        let go_on = reasons.contains(&None);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some((key, reasons));
        Ok(go_on)
    }
}

/// How long the parts of opening a connection may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) connect: Duration,
    pub(crate) login: Duration,
}

impl Connection {
    /// Connects to the first of the door's addresses that answers, and logs in.
    ///
    /// # Errors
    /// See [`SshFailure`]; all messages name the host.
    pub(crate) async fn open(door: &Door<'_>, way: WayIn<'_>) -> Result<Self, SshFailure> {
        let opened = Self::open_first(door, &[way]).await;
        opened
            .map(|(_, connection)| connection)
            .map_err(|failures| {
                let nothing =
                    || SshFailure::Unreachable(format!("no way into {} was tried", door.name));
                failures.into_iter().next().unwrap_or_else(nothing)
            })
    }

    /// Connects once and logs in on the first of these ways that opens; which one that is. All of them have the same
    /// user, as a server does not let it change within a connection. One connection costs a slow machine much less
    /// than one for each way.
    ///
    /// # Errors
    /// A failure for each way, in their order.
    pub(crate) async fn open_first(
        door: &Door<'_>,
        ways: &[WayIn<'_>],
    ) -> Result<(usize, Self), Vec<SshFailure>> {
        let each = |failure: SshFailure| vec![failure; ways.len()];
        let mut keys = Vec::new();
        for way in ways {
            let key = way.login.key().await;
            keys.push(key.map_err(|why| each(SshFailure::OwnKey(why)))?);
        }
        let policies: Vec<Policy> = ways
            .iter()
            .map(|way| Policy::new(&way.host_keys, door))
            .collect();
        let sockets: Vec<SocketAddr> = door
            .addresses
            .iter()
            .map(|ip| SocketAddr::new(*ip, door.port))
            .collect();
        let name = door.name;
        let stream = tcp::connect(&sockets, door.patience.connect)
            .await
            .map_err(|error| {
                each(SshFailure::Unreachable(format!(
                    "{name} does not accept SSH on port {}: {error}",
                    door.port
                )))
            })?;
        let _ = stream.set_nodelay(true);
        let socket = Socket::of(&stream).map_err(|error| each(broken(name, &error.into())))?;
        let config = Arc::new(client::Config {
            keepalive_interval: Some(KEEPALIVE),
            keepalive_max: 2,
            nodelay: true,
            preferred: preferred(&policies),
            ..client::Config::default()
        });
        let seen = Seen::default();
        let client = Client {
            name: name.to_owned(),
            policies,
            seen: seen.clone(),
        };
        let work = async {
            let connected = client::connect_stream(config, stream, client).await;
            let seen = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
            let (mut handle, key, reasons) = match (connected, seen) {
                (Ok(handle), Some((key, reasons))) => (handle, key, reasons),
                (Ok(_), None) => return Err(each(broken(name, &russh::Error::UnknownKey))),
                (Err(error), seen) => {
                    let refused = seen
                        .as_ref()
                        .map(|(key, reasons)| (fingerprint(key), reasons));
                    let reason = |at: usize| {
                        let (key, reasons) = refused.as_ref()?;
                        Some((reasons.get(at).cloned().flatten()?, key.clone()))
                    };
                    let failure = |at| match reason(at) {
                        Some((why, key)) => SshFailure::HostKey(why, key),
                        None => broken(name, &error),
                    };
                    return Err((0..ways.len()).map(failure).collect());
                }
            };
            let mut failures = Vec::new();
            for (at, ((way, own), reason)) in ways.iter().zip(keys).zip(reasons).enumerate() {
                failures.push(match reason {
                    Some(why) => SshFailure::HostKey(why, fingerprint(&key)),
                    None => match log_in(name, &mut handle, way.login, own).await {
                        Ok(()) => return Ok((at, handle, fingerprint(&key))),
                        Err(failure) => failure,
                    },
                });
            }
            Err(failures)
        };
        let (at, handle, fingerprint) = tokio::time::timeout(door.patience.login, work)
            .await
            .map_err(|_| {
                each(SshFailure::Timeout(format!(
                    "{name} accepted the connection, but the login did not end within {} s",
                    door.patience.login.as_secs_f32()
                )))
            })??;
        Ok((
            at,
            Connection {
                handle,
                _socket: socket,
                fingerprint,
            },
        ))
    }

    /// Whether it is known to be gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// Says goodbye; a far end that does not listen any more is no error.
    pub(crate) async fn close(self) {
        let goodbye = self.handle.disconnect(Disconnect::ByApplication, "", "");
        let _ = tokio::time::timeout(Duration::from_millis(200), goodbye).await;
    }
}

/// The socket of a connection, which is shut down with it. The task that serves the connection ends by itself only when the server lets it:
/// not while a key exchange is stalled, nor while the server does not read.
struct Socket(std::net::TcpStream);

impl Socket {
    fn of(stream: &TcpStream) -> std::io::Result<Self> {
        let descriptor = stream.as_fd().try_clone_to_owned()?;
        Ok(Socket(descriptor.into()))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // One that the server has closed already is no error.
        let _ = self.0.shutdown(Shutdown::Both);
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

async fn log_in(
    name: &str,
    handle: &mut Handle<Client>,
    login: &Login,
    key: Arc<PrivateKey>,
) -> Result<(), SshFailure> {
    // Only RSA keys have a choice of hashes, and there are none of them.
    let answer = handle
        .authenticate_publickey(&login.user, PrivateKeyWithHashAlg::new(key, None))
        .await
        .map_err(|error| broken(name, &error))?;
    match answer {
        AuthResult::Success => Ok(()),
        AuthResult::Failure { .. } => Err(SshFailure::AuthRefused(format!(
            "{name} refuses the key {} for user `{}`",
            login.key.display(),
            login.user
        ))),
    }
}

/// The algorithms of the known keys first: a server with several host keys then shows one that can be judged.
fn preferred(policies: &[Policy]) -> Preferred {
    let mut preferred = Preferred::default();
    let known = policies.iter().find_map(|policy| match policy {
        Policy::Known(_, keys, _) => Some(keys.algorithms()),
        _ => None,
    });
    if let Some(known) = known {
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
