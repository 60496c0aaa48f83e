//! Requests to endpoints that the site names.

pub use crate::bindings::wreimage::http::http::Response;

crate::table::effects! {
    /// Sends requests to the site's endpoints.
    http "wreimage:http/http@0.1.0" served by Provider in crate::bindings::wreimage::http::http;
    read get(endpoint: String, path: String) -> Response;
    once send(endpoint: String, method: String, path: String, body: String) -> Response;
}
