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
