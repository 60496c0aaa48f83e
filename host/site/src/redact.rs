//! Takes the secrets of a site out of texts.

use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::{
    GeneralPurpose, STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD,
};
use secrecy::ExposeSecret;
use std::sync::Arc;

const REDACTED: &str = "[redacted]";
/// Shorter ones would be found in every other word; nobody is helped by a text without them.
const SHORTEST: usize = 4;

/// Gives a text without the secrets that it holds; `None` when it holds none.
pub type Redactor = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The text without the secrets that were read so far, plain and as programs like to write them; `None` when it has none.
pub(crate) fn redact(secrets: &[Secret], text: &str) -> Option<String> {
    let held = secrets.iter().filter_map(Secret::held);
    let mut clean: Option<String> = None;
    for secret in held {
        for form in forms(secret.expose_secret()) {
            let seen = clean.as_deref().unwrap_or(text);
            if seen.contains(&form) {
                clean = Some(seen.replace(&form, REDACTED));
            }
        }
    }
    clean
}

/// Longest first, so that no piece of a longer form is left.
fn forms(secret: &str) -> Vec<String> {
    if secret.len() < SHORTEST {
        return Vec::new();
    }
    let bytes = secret.as_bytes();
    let percent = percent(bytes);
    let mut forms = vec![
        secret.to_owned(),
        hex(bytes, |byte| format!("{byte:02x}")),
        hex(bytes, |byte| format!("{byte:02X}")),
        percent.replace("%20", "+"),
        lower_escapes(&percent),
        percent,
    ];
    for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD] {
        forms.push(engine.encode(bytes));
    }
    for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
        forms.extend((0..3).map(|before| amid(engine, bytes, before)));
    }
    // Without the quotes around it.
    let json = serde_json::to_string(secret).unwrap_or_default();
    forms.extend(json.get(1..json.len().saturating_sub(1)).map(str::to_owned));
    forms.retain(|form| form.len() >= SHORTEST);
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    forms.dedup();
    forms
}

fn hex(bytes: &[u8], digits: impl Fn(&u8) -> String) -> String {
    bytes.iter().map(digits).collect()
}

/// The part of a base64 text that a secret decides which stands in the middle of what is encoded, as a password does behind
/// its user: it depends on how many bytes stand before it, and the signs at its edges are shared with its neighbours.
fn amid(engine: &GeneralPurpose, secret: &[u8], before: usize) -> String {
    let mut bytes = vec![0; before];
    bytes.extend_from_slice(secret);
    let text = engine.encode(&bytes);
    let first = if before == 0 { 0 } else { before + 1 };
    let shared = usize::from(!bytes.len().is_multiple_of(3));
    text.get(first..text.len().saturating_sub(shared))
        .unwrap_or_default()
        .to_owned()
}

/// RFC 3986, 2.1 and 2.3.
fn percent(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        let c = char::from(*byte);
        if c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~') {
            text.push(c);
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// The same with escapes such as `%2f`.
fn lower_escapes(percent: &str) -> String {
    let mut text = String::new();
    let mut escape = 0;
    for c in percent.chars() {
        escape = if c == '%' { 3 } else { i32::max(escape - 1, 0) };
        text.push(if escape > 0 {
            c.to_ascii_lowercase()
        } else {
            c
        });
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::secret::SecretRef;
    use std::path::Path;

    async fn secret(text: &str) -> Secret {
        let typed = text.to_owned();
        let prompter: crate::secret::Prompter = Arc::new(move |_: &str| Ok(typed.clone().into()));
        let reference = SecretRef::Prompt("x".to_owned());
        let secret = Secret::new("ipmi.password", reference, Path::new("."), prompter);
        secret.read().await.unwrap();
        secret
    }

    #[tokio::test]
    async fn a_secret_is_found_as_programs_write_it() {
        let secrets = [secret("p\"ss/w0rd&").await];
        for said in [
            "p\"ss/w0rd&",
            "-P p\"ss/w0rd& -U root",
            r#"{"x":"p\"ss/w0rd&"}"#,
            "cCJzcy93MHJkJg==",
            "p%22ss%2Fw0rd%26",
        ] {
            let clean = redact(&secrets, said).unwrap();
            assert!(
                clean.contains(REDACTED) && !clean.contains("w0rd"),
                "{clean}"
            );
        }
        assert_eq!(redact(&secrets, "nothing here"), None);
    }

    #[tokio::test]
    async fn a_secret_that_was_not_read_or_is_tiny_is_not_looked_for() {
        assert_eq!(redact(&[secret("abc").await], "abc"), None);
        let prompter: crate::secret::Prompter = Arc::new(|_: &str| Ok("abcdef".to_owned().into()));
        let reference = SecretRef::Prompt("x".to_owned());
        let unread = Secret::new("ipmi.password", reference, Path::new("."), prompter);
        assert_eq!(redact(&[unread], "abcdef"), None);
    }
}
