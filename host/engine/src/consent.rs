//! Leave to make the first change.

use serde::Serialize;
use wreimage_capability::BoxFuture;

/// What a person needs to know before they agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConsentRequest {
    /// Short name of the host; the word to type.
    pub host: String,
    /// Name of the site.
    pub site: String,
    /// The guest's name and version in its own words.
    pub guest: String,
    /// SHA-256 of the guest's file.
    pub digest: String,
    /// The capabilities that it gets, each with the functions by which it can change something.
    pub capabilities: Vec<(String, Vec<String>)>,
    /// What is plugged into it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub plugs: Vec<ConsentComponent>,
    /// What is known of the host, by name.
    pub known: Vec<(String, String)>,
    /// What speaks against it.
    pub warnings: Vec<String>,
    /// The mutation that waits.
    pub first: String,
}

/// A component that is plugged into the guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConsentComponent {
    /// Its name and version in its own words.
    pub component: String,
    /// SHA-256 of its file.
    pub digest: String,
    /// The capabilities that it gets, each with the functions by which it can change something.
    pub capabilities: Vec<(String, Vec<String>)>,
}

/// Gives or refuses consent.
pub trait Consent: Send + Sync {
    /// `Err` says why not.
    fn ask<'a>(&'a self, request: &'a ConsentRequest) -> BoxFuture<'a, Result<(), String>>;
}

/// Consent was given in advance for this host.
#[derive(Debug, Clone)]
pub struct GivenConsent(pub String);

impl Consent for GivenConsent {
    fn ask<'a>(&'a self, request: &'a ConsentRequest) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            if self.0 == request.host {
                Ok(())
            } else {
                Err(format!(
                    "consent was given for `{}`, but this run is for `{}`",
                    self.0, request.host
                ))
            }
        })
    }
}
