//! Servers of one datagram a question.

use std::net::UdpSocket;

/// Answers each datagram with those that the function makes of it, one after the other. The port on the loopback address.
pub fn answering(answer: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> u16 {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let port = socket.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((size, from)) = socket.recv_from(&mut buffer) {
            for reply in answer(&buffer[..size]) {
                let _ = socket.send_to(&reply, from);
            }
        }
    });
    port
}
