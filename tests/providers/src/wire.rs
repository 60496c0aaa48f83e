//! The way to a server, which can be cut.

use crate::tools::tcp_port;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Carries what comes to its port to another one of loopback.
pub struct Wire {
    /// TCP port on 127.0.0.1.
    pub port: u16,
    cut: Arc<AtomicBool>,
    ends: Arc<Mutex<Vec<TcpStream>>>,
}

impl Wire {
    /// A wire to that port.
    pub fn to(port: u16) -> Self {
        let wire = Wire {
            port: tcp_port(),
            cut: Arc::default(),
            ends: Arc::default(),
        };
        let listener = TcpListener::bind(("127.0.0.1", wire.port)).unwrap();
        let (cut, ends) = (wire.cut.clone(), wire.ends.clone());
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let far = TcpStream::connect(("127.0.0.1", port));
                let (Ok(far), false) = (far, cut.load(Ordering::SeqCst)) else {
                    continue;
                };
                let mut ends = ends.lock().unwrap();
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    ends.push(from.try_clone().unwrap());
                    std::thread::spawn(move || carry(from, to));
                }
            }
        });
        wire
    }

    /// Breaks what goes over it; `true` keeps it from carrying anything from now on.
    pub fn cut(&self, stays: bool) {
        self.cut.store(stays, Ordering::SeqCst);
        for end in self.ends.lock().unwrap().drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = vec![0; 65536];
    while let Ok(count) = from.read(&mut buffer) {
        if count == 0 || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
