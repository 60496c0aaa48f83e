//! A TCP connection to a machine that may be starting.

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

/// A lost SYN is sent again by the kernel after 1, 3 and 7 s. A fresh one goes out each time this long instead, so that a
/// machine that comes up meanwhile is seen at once.
const FRESH: Duration = Duration::from_millis(200);
/// An attempt is given up after this long: fresh ones were made meanwhile, and each holds a socket.
const ATTEMPT: Duration = Duration::from_secs(3);

/// Connects to whichever address answers first.
///
/// # Errors
/// The first refusal, when there is one address; of several, a refusal of each. Otherwise timed out.
pub(super) async fn connect(addresses: &[SocketAddr], patience: Duration) -> io::Result<TcpStream> {
    let mut attempts = FuturesUnordered::new();
    let mut refused = Vec::new();
    let end = Instant::now() + patience;
    let mut next = Instant::now();
    loop {
        tokio::select! {
            Some((address, answer)) = attempts.next(), if !attempts.is_empty() => {
                let error: io::Error = match answer {
                    Ok(Ok(stream)) => return Ok(stream),
                    Ok(Err(error)) => error,
                    // No answer is no refusal.
                    Err(_) => continue,
                };
                if !refused.contains(&address) {
                    refused.push(address);
                }
                if refused.len() >= addresses.len() {
                    return Err(error);
                }
            }
            () = sleep_until(next.min(end)) => {
                if Instant::now() >= end {
                    return Err(io::Error::new(
                        io::ErrorKind::TimedOut,
                        format!("no answer within {} s", patience.as_secs_f32()),
                    ));
                }
                next += FRESH;
                for address in addresses.iter().copied() {
                    attempts.push(async move {
                        (address, timeout(ATTEMPT, TcpStream::connect(address)).await)
                    });
                }
            }
        }
    }
}
