//! Names by the system's resolver, as `/etc/nsswitch.conf` and `/etc/resolv.conf` say.

use super::{not_found, timed_out};
use std::net::IpAddr;
use std::time::Duration;
use wreimage_capability::Fault;

const SYSTEM: &str = "the system's resolver";

pub(super) async fn resolve(name: &str, timeout: Duration) -> Result<Vec<IpAddr>, Fault> {
    match tokio::time::timeout(timeout, tokio::net::lookup_host((name, 0))).await {
        Ok(Ok(found)) => Ok(found.map(|address| address.ip()).collect()),
        Ok(Err(error)) if error.to_string().contains("Temporary failure") => {
            Err(Fault::unreachable(
                "dns.unreachable",
                SYSTEM,
                format!("{SYSTEM} cannot look up {name}: {error}"),
            ))
        }
        Ok(Err(_)) => Err(not_found(SYSTEM, name)),
        Err(_) => Err(timed_out(SYSTEM, name, timeout)),
    }
}
