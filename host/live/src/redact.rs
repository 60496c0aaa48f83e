//! Takes the secrets that this process has read out of texts, and cuts texts only behind that: a text that is cut first can end
//! in the middle of a secret, and what is left of it would not be found any more.

use base64::Engine;
use base64::engine::general_purpose::{
    GeneralPurpose, STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD,
};
use secrecy::{ExposeSecret, SecretString};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

const REDACTED: &str = "[redacted]";
/// Shorter ones would be found in every other word; nobody is helped by a text without them.
const SHORTEST: usize = 4;

/// Gives a text without the secrets that it holds; `None` when it holds none.
pub type Redactor = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Every secret that this process has read, in each form in which programs write it.
static READ: RwLock<Vec<SecretString>> = RwLock::new(Vec::new());

/// From here on this secret is taken out of every text.
pub(crate) fn remember(secret: &SecretString) {
    let forms = forms(secret.expose_secret());
    let mut read = READ.write().unwrap_or_else(PoisonError::into_inner);
    for form in forms {
        if !read.iter().any(|known| known.expose_secret() == form) {
            read.push(form.into());
        }
    }
}

/// The text without the secrets that this process has read, plain and as programs like to write them.
pub fn without_secrets(text: &str) -> Cow<'_, str> {
    match redacted(text) {
        Some(clean) => Cow::Owned(clean),
        None => Cow::Borrowed(text),
    }
}

/// The same; `None` when there is none in it.
pub fn redacted(text: &str) -> Option<String> {
    let found = found(text);
    (!found.is_empty()).then(|| replaced(text, &found))
}

/// The text without these secrets, whether or not this process has read them.
pub(crate) fn without_these(secrets: &[&str], text: &str) -> String {
    let forms: Vec<String> = secrets.iter().flat_map(|secret| forms(secret)).collect();
    replaced(text, &found_of(forms.iter().map(String::as_str), text))
}

/// The first so many characters of a text without secrets.
pub(crate) fn head(text: &str, characters: usize) -> String {
    without_secrets(text).chars().take(characters).collect()
}

/// The end of a text without secrets, at most so many bytes. `cut` says that something stood before `bytes`: a secret whose
/// begin is lost is taken out too, so more than `most` should be given.
pub(crate) fn tail(bytes: &[u8], cut: bool, most: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    let longest = if cut { longest() } else { 0 };
    clean_tail(&text, found(&text), longest, most)
}

/// The same without these secrets, whether or not this process has read them, of a stream that was cut.
pub(crate) fn tail_without_these(secrets: &[&str], bytes: &[u8], most: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    let forms: Vec<String> = secrets.iter().flat_map(|secret| forms(secret)).collect();
    let longest = forms.iter().map(String::len).max().unwrap_or(0);
    let found = found_of(forms.iter().map(String::as_str), &text);
    clean_tail(&text, found, longest, most)
}

/// `longest` is the length of the longest secret of which the begin may be lost, in bytes.
fn clean_tail(text: &str, mut found: Vec<Range<usize>>, longest: usize, most: usize) -> String {
    if longest > 0 {
        // A byte that is not UTF-8 becomes a character of three.
        let lost = text.ceil_char_boundary((3 * longest).min(text.len()));
        found = merged(found, 0..lost);
    }
    let clean = replaced(text, &found);
    let begin = clean.ceil_char_boundary(clean.len().saturating_sub(most));
    clean.get(begin..).unwrap_or_default().to_owned()
}

/// The begin of what was cut behind these bytes: without the piece of a secret at its end.
pub(crate) fn whole_secrets(bytes: &mut Vec<u8>) {
    let read = READ.read().unwrap_or_else(PoisonError::into_inner);
    let mut begun = 0;
    for secret in read.iter() {
        let secret = secret.expose_secret().as_bytes();
        let longest = secret.len().saturating_sub(1).min(bytes.len());
        let ends_with =
            |length: &usize| secret.get(..*length).is_some_and(|it| bytes.ends_with(it));
        begun = begun.max((1..=longest).rev().find(ends_with).unwrap_or(0));
    }
    bytes.truncate(bytes.len() - begun);
}

/// How long the longest form of a secret is, in bytes: so much more than is wanted must be kept where a text is cut.
pub(crate) fn longest() -> usize {
    let read = READ.read().unwrap_or_else(PoisonError::into_inner);
    let lengths = read.iter().map(|form| form.expose_secret().len());
    lengths.max().unwrap_or(0)
}

/// Where secrets stand in a text, in order; those that overlap are one.
fn found(text: &str) -> Vec<Range<usize>> {
    let read = READ.read().unwrap_or_else(PoisonError::into_inner);
    found_of(read.iter().map(ExposeSecret::expose_secret), text)
}

fn found_of<'a>(forms: impl Iterator<Item = &'a str>, text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for form in forms {
        let mut from = 0;
        while let Some(at) = text.get(from..).and_then(|rest| rest.find(form)) {
            let begin = from + at;
            found.push(begin..begin + form.len());
            // One may begin within another.
            from = text.ceil_char_boundary(begin + 1);
        }
    }
    found.sort_by_key(|it| it.start);
    let mut joined: Vec<Range<usize>> = Vec::new();
    for it in found {
        match joined.last_mut() {
            Some(last) if it.start < last.end => last.end = last.end.max(it.end),
            _ => joined.push(it),
        }
    }
    joined
}

/// With one more, which stands before or over the first ones.
fn merged(found: Vec<Range<usize>>, mut first: Range<usize>) -> Vec<Range<usize>> {
    let mut merged = Vec::new();
    for it in found {
        if it.start < first.end {
            first.end = first.end.max(it.end);
        } else {
            merged.push(it);
        }
    }
    merged.insert(0, first);
    merged
}

fn replaced(text: &str, found: &[Range<usize>]) -> String {
    let mut clean = String::new();
    let mut from = 0;
    for it in found {
        clean.push_str(text.get(from..it.start).unwrap_or_default());
        clean.push_str(REDACTED);
        from = it.end;
    }
    clean.push_str(text.get(from..).unwrap_or_default());
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
mod tests {
    use super::*;

    /// The secrets of one process are those of all of its tests: each has its own.
    fn read(secret: &str) {
        remember(&secret.to_owned().into());
    }

    #[test]
    fn a_secret_is_found_as_programs_write_it() {
        read("p\"ss/w0rd&");
        for text in [
            "p\"ss/w0rd&",
            "-P p\"ss/w0rd& -U root",
            r#"{"x":"p\"ss/w0rd&"}"#,
            "cCJzcy93MHJkJg==",
            "p%22ss%2Fw0rd%26",
        ] {
            let clean = without_secrets(text);
            assert!(
                clean.contains(REDACTED) && !clean.contains("w0rd"),
                "{clean}"
            );
        }
        assert_eq!(redacted("nothing here"), None);
    }

    #[test]
    fn tiny_secrets_and_secrets_that_were_not_read_are_not_looked_for() {
        read("qzx");
        assert_eq!(redacted("qzx unread-secret"), None);
    }

    #[test]
    fn secrets_that_overlap_are_taken_out_as_a_whole() {
        read("kapakapa");
        read("pakapaque");
        assert_eq!(without_secrets("<kapakapakapa>"), "<[redacted]>");
        assert_eq!(without_secrets("<kapakapaque>"), "<[redacted]>");
    }

    #[test]
    fn nothing_of_a_secret_is_left_at_a_cut() {
        const SECRET: &str = "mandrillmandrake";
        read(SECRET);
        for cut in 0..=SECRET.len() {
            let text = format!("{}{SECRET} failed", "x".repeat(20 - cut));
            let head = head(&text, 20);
            assert!(!head.contains("mand"), "{head}");
            // Kept are the last bytes of a stream, with the room that is wanted, and with less.
            let stream = format!("{SECRET}{}", "y".repeat(200));
            let kept = &stream[cut..];
            for most in [100, 195, 199] {
                let tail = tail(kept.as_bytes(), cut > 0, most);
                assert!(tail.len() <= most);
                for piece in ["rill", "drake", "rake", "ake"] {
                    assert!(!tail.contains(piece), "{cut} {most}: {tail}");
                }
            }
            let mut begin = format!("x{}", &SECRET[..cut]).into_bytes();
            whole_secrets(&mut begin);
            let is_whole = cut == SECRET.len();
            assert_eq!(begin.len(), if is_whole { 1 + cut } else { 1 });
        }
        assert_eq!(tail(b"all of it", false, 100), "all of it");
    }
}
