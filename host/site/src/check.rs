//! `wreimage site check`: every read-only way to each system, tried.

use crate::site::Site;

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckLine {
    /// What was tried, such as `BMC host1001.mgmt.lab1.test`.
    pub what: String,
    /// Whether it went well.
    pub ok: bool,
    /// What was found, or what is wrong and what to do.
    pub message: String,
}

pub(crate) async fn check(_site: &Site, _host: Option<&str>) -> Vec<CheckLine> {
    Vec::new()
}
