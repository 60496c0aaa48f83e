//! What fuzz targets call: the readers of what comes from outside.

use wreimage_runs::Batch;
use wreimage_runs::Hosts;

/// Reads the file of a batch, and the hosts that it names. False when it is refused.
pub fn batch(text: &str) -> bool {
    serde_json::from_str::<Batch>(text).is_ok_and(|batch| {
        let hosts = Hosts::parse(&batch.hosts);
        serde_json::to_vec(&batch).is_ok() && hosts.is_ok()
    })
}

/// Reads an expression for hosts; the names that it stands for.
pub fn hosts(expression: &str) -> Option<Vec<String>> {
    Some(Hosts::parse(expression).ok()?.names().to_vec())
}
