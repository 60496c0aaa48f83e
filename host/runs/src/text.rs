//! Text of guests and systems that is shown among words of the host.

use wreimage_capability::Harmless;
use wreimage_site::without_secrets;

/// A text whose lines cannot pass for others, without secrets.
pub(crate) fn shown(text: &str) -> String {
    Harmless::line(&without_secrets(text)).to_string()
}

/// A value in one harmless line of bearable length, without secrets.
pub fn short(text: &str) -> String {
    const LONGEST: usize = 100;
    // In this order, as escapes would hide a secret.
    let line = Harmless::one_line(&without_secrets(text));
    let line = line.as_str();
    match line.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or_default()),
        None => line.to_owned(),
    }
}
