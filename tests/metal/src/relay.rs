//! The switch's DHCP relay, which says on which port a client is (option 82).
//!
//! ISC's relay puts the name of a Linux interface into the circuit-id; a real
//! access switch puts `switch:port.unit:vlan` there, with slashes in it.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use jiff::Timestamp;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::clock::now;
use crate::namespaces::Namespace;
use crate::process::run;
use crate::sync::lock;

const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;
const REQUEST: u8 = 1;
/// Options follow the fixed fields and the magic cookie (RFC 2131, 2132).
const FIXED: usize = 240;
const MESSAGE_TYPE: u8 = 53;
const AGENT_INFORMATION: u8 = 82;
const CIRCUIT_ID: u8 = 1;

/// A DHCP message that has passed the switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// When.
    pub at: Timestamp,
    /// `DISCOVER`, `OFFER`, `REQUEST`, `ACK`, `NAK` or a number.
    pub kind: String,
    /// The client's MAC address.
    pub mac: String,
    /// The client's address, in an answer.
    pub address: Option<Ipv4Addr>,
    /// The circuit-id: what the switch has put in, or what the server has echoed.
    pub circuit_id: Option<String>,
}

/// The relay; dropping it stops it.
#[derive(Debug)]
pub struct Relay {
    passed: Arc<Mutex<Vec<Passed>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Where the relay stands and what it calls its ports.
#[derive(Debug, Clone)]
pub(crate) struct Wiring {
    pub(crate) bridge: &'static str,
    pub(crate) gateway: Ipv4Addr,
    pub(crate) server: Ipv4Addr,
    /// Bridge port and circuit-id.
    pub(crate) ports: Vec<(&'static str, String)>,
}

impl Relay {
    /// Starts it on a thread of its own inside the switch's namespace.
    ///
    /// # Errors
    ///
    /// The namespace cannot be entered or port 67 cannot be taken.
    pub(crate) fn start(switch: &Namespace, wiring: Wiring, log: &Path) -> Result<Self> {
        let namespace = File::open(switch.path()).context("cannot open the switch's namespace")?;
        let mut log = File::create(log)?;
        let passed = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (ready, started) = channel();
        let (shared, stopped) = (Arc::clone(&passed), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let socket = match enter(&namespace) {
                Ok(socket) => {
                    let _ = ready.send(Ok(()));
                    socket
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                    return;
                }
            };
            let mut buffer = [0; 4096];
            while !stopped.load(Ordering::Relaxed) {
                let packet = match socket.recv(&mut buffer) {
                    Ok(size) => buffer.get(..size).unwrap_or_default(),
                    Err(error)
                        if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                    {
                        continue;
                    }
                    Err(error) => {
                        let _ = writeln!(log, "{:.3} {error}", now());
                        continue;
                    }
                };
                match pass(&socket, &wiring, packet) {
                    Ok(message) => {
                        let _ = writeln!(log, "{message:?}");
                        lock(&shared).push(message);
                    }
                    Err(error) => {
                        let _ = writeln!(log, "{:.3} {error:#}", now());
                    }
                }
            }
        });
        let relay = Self {
            passed,
            stop,
            thread: Some(thread),
        };
        started
            .recv()
            .context("the relay's thread has died")?
            .context("the relay does not start")?;
        Ok(relay)
    }

    /// All messages so far.
    pub fn passed(&self) -> Vec<Passed> {
        lock(&self.passed).clone()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Moves this thread, and only it, into the namespace.
fn enter(namespace: &File) -> Result<UdpSocket> {
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, SERVER_PORT))?;
    socket.set_broadcast(true)?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    Ok(socket)
}

fn pass(socket: &UdpSocket, wiring: &Wiring, packet: &[u8]) -> Result<Passed> {
    let mut message = Message::parse(packet).context("not a DHCP message")?;
    let mac = message.mac();
    if message.operation() == REQUEST {
        let port = port_of(wiring.bridge, &mac)?;
        let circuit_id = wiring
            .ports
            .iter()
            .find(|(name, _)| Some(*name) == port.as_deref())
            .map(|(_, circuit_id)| circuit_id.clone());
        message.relay(wiring.gateway, circuit_id.as_deref())?;
        socket.send_to(&message.bytes(), (wiring.server, SERVER_PORT))?;
        Ok(Passed {
            at: now(),
            kind: message.kind(),
            mac,
            address: None,
            circuit_id,
        })
    } else {
        let circuit_id = message.circuit_id();
        message
            .options
            .retain(|(code, _)| *code != AGENT_INFORMATION);
        socket.send_to(&message.bytes(), (Ipv4Addr::BROADCAST, CLIENT_PORT))?;
        Ok(Passed {
            at: now(),
            kind: message.kind(),
            mac,
            address: message.given(),
            circuit_id,
        })
    }
}

/// The bridge port behind which the switch has seen this address.
fn port_of(bridge: &str, mac: &str) -> Result<Option<String>> {
    // Runs in this thread's namespace.
    let table = run(
        Command::new("bridge").args(["fdb", "show", "br", bridge]),
        Duration::from_secs(5),
    )?;
    Ok(table.lines().find_map(|line| {
        let rest = line.strip_prefix(mac)?.strip_prefix(" dev ")?;
        rest.contains("master")
            .then(|| rest.split(' ').next().unwrap_or_default().to_owned())
    }))
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Message {
    head: [u8; FIXED],
    options: Vec<(u8, Vec<u8>)>,
}

impl Message {
    fn parse(packet: &[u8]) -> Option<Self> {
        let (head, mut rest) = packet.split_first_chunk::<FIXED>()?;
        let mut options = Vec::new();
        loop {
            match rest {
                [] | [255, ..] => break,
                [0, tail @ ..] => rest = tail,
                [code, size, tail @ ..] => {
                    let (value, next) = tail.split_at_checked(usize::from(*size))?;
                    options.push((*code, value.to_vec()));
                    rest = next;
                }
                [_] => return None,
            }
        }
        Some(Self {
            head: *head,
            options,
        })
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head.to_vec();
        for (code, value) in &self.options {
            bytes.push(*code);
            bytes.push(u8::try_from(value.len()).unwrap_or(u8::MAX));
            bytes.extend(value);
        }
        bytes.push(255);
        // The smallest message of BOOTP; some clients drop shorter ones.
        bytes.resize(bytes.len().max(300), 0);
        bytes
    }

    fn option(&self, code: u8) -> Option<&[u8]> {
        self.options
            .iter()
            .find(|(other, _)| *other == code)
            .map(|(_, value)| value.as_slice())
    }

    fn operation(&self) -> u8 {
        self.head[0]
    }

    fn mac(&self) -> String {
        let bytes: Vec<String> = self.head[28..34]
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        bytes.join(":")
    }

    /// `yiaddr`: the address that the server gives.
    fn given(&self) -> Option<Ipv4Addr> {
        let mut address = [0; 4];
        address.copy_from_slice(&self.head[16..20]);
        Some(Ipv4Addr::from(address)).filter(|address| !address.is_unspecified())
    }

    fn kind(&self) -> String {
        match self.option(MESSAGE_TYPE) {
            Some([1]) => "DISCOVER".to_owned(),
            Some([2]) => "OFFER".to_owned(),
            Some([3]) => "REQUEST".to_owned(),
            Some([5]) => "ACK".to_owned(),
            Some([6]) => "NAK".to_owned(),
            other => format!("{other:?}"),
        }
    }

    /// Marks the message as relayed (RFC 1542, 3046).
    fn relay(&mut self, gateway: Ipv4Addr, circuit_id: Option<&str>) -> Result<()> {
        self.head[3] = self.head[3].saturating_add(1);
        self.head[24..28].copy_from_slice(&gateway.octets());
        // A client has no business to say where it is.
        self.options.retain(|(code, _)| *code != AGENT_INFORMATION);
        if let Some(circuit_id) = circuit_id {
            let size = u8::try_from(circuit_id.len())
                .ok()
                .filter(|size| *size <= 253)
                .ok_or_else(|| anyhow!("the circuit-id {circuit_id:?} is too long"))?;
            let mut value = vec![CIRCUIT_ID, size];
            value.extend(circuit_id.bytes());
            self.options.push((AGENT_INFORMATION, value));
        }
        Ok(())
    }

    fn circuit_id(&self) -> Option<String> {
        let mut rest = self.option(AGENT_INFORMATION)?;
        while let [code, size, tail @ ..] = rest {
            let (value, next) = tail.split_at_checked(usize::from(*size))?;
            if *code == CIRCUIT_ID {
                return Some(String::from_utf8_lossy(value).into_owned());
            }
            rest = next;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn discover() -> Vec<u8> {
        let mut packet = vec![0; FIXED];
        packet[0] = REQUEST;
        packet[28..34].copy_from_slice(&[0x52, 0x54, 0, 0x64, 0x10, 1]);
        packet.extend([MESSAGE_TYPE, 1, 1, AGENT_INFORMATION, 3, 1, 1, b'x', 255]);
        packet
    }

    #[test]
    fn the_switch_says_the_port_and_not_the_client() {
        let mut message = Message::parse(&discover()).unwrap();
        assert_eq!(message.circuit_id().as_deref(), Some("x"));
        message
            .relay(Ipv4Addr::new(10, 64, 0, 1), Some("asw1:ge-0/0/1.0:v"))
            .unwrap();
        let again = Message::parse(&message.bytes()).unwrap();
        assert_eq!(again.circuit_id().as_deref(), Some("asw1:ge-0/0/1.0:v"));
        assert_eq!(again.mac(), "52:54:00:64:10:01");
        assert_eq!(again.kind(), "DISCOVER");
        assert_eq!(again.head[24..28], [10, 64, 0, 1]);
        assert_eq!(again.head[3], 1);
    }

    #[test]
    fn an_option_that_is_cut_off_is_no_message() {
        let packet = discover();
        assert_eq!(Message::parse(&packet[..packet.len() - 2]), None);
    }
}
