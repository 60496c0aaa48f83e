//! Calling `dhcp`.

use crate::call::{ask, with};
use crate::sshd::{Sshd, user};
use serde_json::{Value, json};
use wreimage_capability::dhcp::Published;
use wreimage_capability::{Call, Fault, Polled, Providers};

/// Arguments of `dhcp.publish`.
pub fn entry(match_by: &str, boot: &str) -> Value {
    json!({ "entry": {
        "match_by": match_by, "distribution": "bookworm", "media": "installer", "boot": boot,
    } })
}

/// Publishes an entry of the host.
pub async fn publish(providers: &Providers) -> Result<Published, Fault> {
    ask(
        providers,
        "dhcp.publish",
        entry("CircuitId", "PxelinuxHttp"),
    )
    .await
}

/// The entry that the server has.
pub async fn published(providers: &Providers) -> Option<Published> {
    ask(providers, "dhcp.get-published", json!({}))
        .await
        .unwrap()
}

/// Withdraws what a run made.
pub async fn withdraw(providers: &Providers, made: Option<&Published>) -> Result<bool, Fault> {
    let mut call = Call::alone();
    call.made = made.map(|made| serde_json::to_value(made).unwrap());
    match with(&call, providers, "dhcp.withdraw", json!({})).await? {
        Polled::Ready(there) => Ok(there),
        Polled::Pending { why, .. } => panic!("{why}"),
    }
}

/// The tables of an install server that is entered by SSH.
pub fn behind_ssh(dhcp: &str, sshd: &Sshd) -> String {
    format!(
        "{}[dhcp.server]\nhost = \"install1001.lab1.test\"\nport = {}\nuser = \"{}\"\nkey = \"production\"\n\
         known-hosts = \"known_hosts\"\n",
        dhcp,
        sshd.port,
        user()
    )
}
