//! The one HTTP client.

use std::sync::Once;
use std::time::Duration;

/// Posts a JSON document. Redirects are not followed.
///
/// # Errors
/// Why it did not arrive or was refused; the address is not repeated, as it may be a secret.
pub async fn post_json(url: &str, body: String, timeout: Duration) -> Result<(), String> {
    let sent = client(timeout)?
        .post(url)
        .header("content-type", "application/json")
        .body(body)
        .send()
        .await
        .and_then(reqwest::Response::error_for_status);
    sent.map(|_| ())
        .map_err(|error| format!("the post failed: {}", chain(&error.without_url())))
}

fn client(timeout: Duration) -> Result<reqwest::Client, String> {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // A program that embeds this may have chosen another already.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder()
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| format!("no post can be made: {}", chain(&error)))
}

/// An error with what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
