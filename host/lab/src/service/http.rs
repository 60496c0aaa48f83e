//! Named HTTP endpoints: `health` tells whether the host is up, `echo` gives back what it is sent.

use crate::machine::Stage;
use crate::world::World;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use wreimage_capability::Fault;
use wreimage_capability::http::Response;

/// The endpoints that the lab can be.
pub(crate) const KNOWN: [&str; 2] = ["echo", "health"];

/// The endpoints that the site names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Endpoints {
    pub(crate) names: BTreeSet<String>,
}

impl World {
    /// One request.
    pub(crate) fn http(
        &self,
        host: &str,
        endpoint: &str,
        method: &str,
        path: &str,
        body: &str,
    ) -> Result<Response, Fault> {
        let allowed = self.services.http.names.contains(endpoint)
            && path.starts_with('/')
            && !path.contains("..")
            && matches!(
                (endpoint, method),
                (_, "GET") | ("echo", "POST" | "PUT" | "DELETE")
            );
        if !allowed {
            let short = |text: &str| text.chars().take(100).collect::<String>();
            return Err(Fault::denied(
                "http.not-allowed",
                self.system("http"),
                format!(
                    "the site does not allow {} {:?} at the endpoint {:?}",
                    short(method),
                    short(path),
                    short(endpoint)
                ),
            ));
        }
        let up = self
            .machine(host)
            .is_some_and(|machine| machine.stage == Stage::OsUp);
        let (status, text) = match endpoint {
            "echo" if method == "GET" => (200, path),
            "echo" => (200, body),
            _ if up => (200, "ok\n"),
            _ => (503, "down\n"),
        };
        Ok(Response {
            status,
            body: text.chars().take(64 * 1024).collect(),
            blob: None,
            extra: Vec::new(),
        })
    }
}
