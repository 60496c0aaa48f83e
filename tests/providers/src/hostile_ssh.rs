//! SSH servers that misbehave: before the login as plain TCP servers, after it by the server of the same library as the client's.

use crate::site::TestSite;
use crate::sshd::keygen;
use russh::keys::PrivateKey;
use russh::server::{
    self, Auth, ChannelOpenHandle, Config, Handler, Msg, Session, VerifiedPublicKey,
};
use russh::{Channel, ChannelId};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What a server sends that never gets to the login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// One line without an end.
    EndlessLine,
    /// Lines without an end, none of which is a version.
    EndlessLines,
    /// Its version, and nothing else.
    Version,
    /// Its version, and then bytes without an end that are no packets.
    Noise,
}

/// What a server does with a command after the login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Standard output without an end.
    EndlessOutput,
    /// Standard error without an end.
    EndlessErrors,
    /// An answer and an exit status, and the channel stays open.
    NeverCloses,
    /// An answer and an exit status.
    Answers,
}

/// A server on a port of loopback.
pub struct HostileSsh {
    /// Its TCP port.
    pub port: u16,
    open: Arc<AtomicUsize>,
}

impl HostileSsh {
    /// A server that never gets to the login.
    pub fn before(behaviour: Before) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let open = Arc::new(AtomicUsize::new(0));
        let count = open.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let count = count.clone();
                count.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    send(stream, behaviour);
                    count.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        HostileSsh { port, open }
    }

    /// A server that lets everybody in. Each connection shows the next of these host keys, the last one for ever; they are files of
    /// the site's folder.
    pub fn after(site: &TestSite, behaviour: After, host_keys: &[&str]) -> Self {
        let configs: Vec<Arc<Config>> = host_keys
            .iter()
            .map(|name| {
                let text = std::fs::read_to_string(site.path(name)).unwrap();
                Arc::new(Config {
                    keys: vec![text.parse::<PrivateKey>().unwrap()],
                    auth_rejection_time: Duration::from_millis(10),
                    ..Config::default()
                })
            })
            .collect();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let open = Arc::new(AtomicUsize::new(0));
        let count = open.clone();
        // A runtime of its own: the test's must not be held up by what the server does.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let mut number = 0;
                while let Ok((stream, _)) = listener.accept().await {
                    let config = configs[number.min(configs.len() - 1)].clone();
                    number += 1;
                    let count = count.clone();
                    count.fetch_add(1, Ordering::SeqCst);
                    tokio::spawn(async move {
                        if let Ok(session) =
                            server::run_stream(config, stream, Entered { behaviour }).await
                        {
                            let _ = session.await;
                        }
                        count.fetch_sub(1, Ordering::SeqCst);
                    });
                }
            });
        });
        HostileSsh { port, open }
    }

    /// Writes the keys that a client needs, and makes this one the host's known key.
    pub fn prepare(site: &TestSite, known: &str) {
        for name in ["installer", "production", "host-a", "host-b"] {
            keygen(&site.path(name), "ed25519", "");
        }
        let key = std::fs::read_to_string(site.path(&format!("{known}.pub"))).unwrap();
        site.write("known_hosts", &format!("host1001.lab1.test {key}"));
    }

    /// The `[remote]` table of a site whose hosts are entered here.
    pub fn table(&self, site: &TestSite, more: &str) -> String {
        let known = std::fs::read_to_string(site.path("known_hosts")).unwrap();
        let named = known.replace(
            "host1001.lab1.test ",
            &format!("[host1001.lab1.test]:{} ", self.port),
        );
        site.write("known_hosts", &named);
        format!(
            "[remote]\nprovider = \"russh\"\nuser = \"root\"\nport = {}\n{more}\n\
             [remote.installer]\nkey = \"installer\"\n\
             [remote.production]\nkey = \"production\"\nknown-hosts = \"known_hosts\"\n",
            self.port
        )
    }

    /// Waits until the client has closed every connection.
    ///
    /// # Panics
    /// When it has not after this time.
    pub fn wait_until_left(&self, longest: Duration) {
        let end = Instant::now() + longest;
        while self.open.load(Ordering::SeqCst) > 0 {
            assert!(Instant::now() < end, "the client holds its connection");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Ends when the client has gone.
fn send(mut stream: TcpStream, behaviour: Before) {
    let first: &[u8] = match behaviour {
        Before::EndlessLine | Before::EndlessLines => b"",
        Before::Version | Before::Noise => b"SSH-2.0-hostile\r\n",
    };
    let _ = stream.write_all(first);
    let more: &[u8] = match behaviour {
        Before::EndlessLine => &[b'x'; 4096],
        Before::EndlessLines => &b"hello\r\n".repeat(500),
        Before::Noise => &[0x41; 4096],
        Before::Version => {
            // Until the client has gone.
            let mut buffer = [0; 4096];
            while stream.read(&mut buffer).is_ok_and(|count| count > 0) {}
            return;
        }
    };
    while stream.write_all(more).is_ok() {}
}

struct Entered {
    behaviour: After,
}

impl Handler for Entered {
    type Error = russh::Error;

    async fn auth_publickey(
        &mut self,
        _user: &str,
        _key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, russh::Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _command: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_success(channel)?;
        let handle = session.handle();
        let behaviour = self.behaviour;
        tokio::spawn(async move {
            let piece = vec![b'x'; 32_000];
            match behaviour {
                After::EndlessOutput => while handle.data(channel, piece.clone()).await.is_ok() {},
                After::EndlessErrors => {
                    while handle
                        .extended_data(channel, 1, piece.clone())
                        .await
                        .is_ok()
                    {}
                }
                After::NeverCloses | After::Answers => {
                    let answer = format!("wreimage-answer\n{}\n", crate::sshd::BOOT_ID);
                    let _ = handle.data(channel, answer.into_bytes()).await;
                    let _ = handle.exit_status_request(channel, 0).await;
                    if behaviour == After::Answers {
                        let _ = handle.eof(channel).await;
                        let _ = handle.close(channel).await;
                    }
                }
            }
        });
        Ok(())
    }
}

/// The memory of this process, in MiB.
///
/// # Panics
/// Where the kernel does not say.
pub fn memory() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes / 1024
}
