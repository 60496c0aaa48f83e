//! Calling `remote`.

use crate::call::{ask, with};
use serde_json::{Value, json};
use wreimage_capability::remote::{Boot, CommandResult};
use wreimage_capability::{Call, Fault, Polled, Providers};

/// The boot id at an identity.
pub async fn boot_id(providers: &Providers, at: &str) -> Result<String, Fault> {
    ask(providers, "remote.get-boot-id", json!({ "at": at })).await
}

/// Arguments of `remote.run`.
pub fn command(argv: &[&str], timeout_ms: u64) -> Value {
    json!({ "at": "Production", "command": { "argv": argv, "timeout_ms": timeout_ms } })
}

/// Runs a command at the production identity.
pub async fn run(providers: &Providers, argv: &[&str]) -> Result<CommandResult, Fault> {
    ask(providers, "remote.run", command(argv, 20_000)).await
}

/// One look of `remote.wait-for-boot`.
pub async fn look(providers: &Providers, at: &str, before: Option<&str>) -> Polled<Boot> {
    let arguments = json!({
        "since": { "boot_id": before, "time_ms": 0 },
        "at": at,
        "policy": { "deadline_ms": 60_000, "interval_ms": 200 },
    });
    with(&Call::alone(), providers, "remote.wait-for-boot", arguments)
        .await
        .unwrap_or_else(|fault| panic!("{fault:?}"))
}

/// What one look says that finds no new boot.
pub async fn pending(providers: &Providers, at: &str, before: Option<&str>) -> String {
    match look(providers, at, before).await {
        Polled::Pending { why, .. } => why,
        Polled::Ready(boot) => panic!("{boot:?}"),
    }
}

/// Lets a guest run everything.
pub const ANYTHING: &str = "allow = [[\"**\"]]";
