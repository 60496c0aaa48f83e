//! Named HTTP endpoints.

use crate::seat::Seat;
use wreimage_capability::http::{Provider, Response};
use wreimage_capability::{Call, Fault};

pub(crate) struct Http(pub(crate) Seat);

const SERVICE: &str = "http";

impl Provider for Http {
    async fn get(&self, call: &Call, endpoint: String, path: String) -> Result<Response, Fault> {
        let response = self.0.service(SERVICE, |world, host| {
            world.http(host, &endpoint, "GET", &path, "")
        })?;
        self.0.mark(call, "http.get", "what the endpoint answers");
        Ok(response)
    }

    async fn send(
        &self,
        call: &Call,
        endpoint: String,
        method: String,
        path: String,
        body: String,
    ) -> Result<Response, Fault> {
        let response = self.0.service(SERVICE, |world, host| {
            world.http(host, &endpoint, &method, &path, &body)
        })?;
        self.0.mark(call, "http.send", "what the endpoint answers");
        Ok(response)
    }
}
