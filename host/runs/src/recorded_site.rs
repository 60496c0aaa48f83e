//! The site of a run or a batch, as its records have it.

use serde::{Deserialize, Serialize};

/// What records say of a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedSite {
    /// Its name.
    pub name: String,
    /// SHA-256 of its file; `None` in a lab.
    pub digest: Option<String>,
}

/// A site file that is not the one by which a run or a batch was begun.
#[derive(Debug, Clone)]
pub struct SiteChange {
    /// `run 2026…` or `batch 2026…`.
    pub what: String,
    /// Name of the site.
    pub site: String,
    /// Recorded SHA-256 of its file.
    pub recorded: String,
    /// SHA-256 of its file now.
    pub now: String,
}
