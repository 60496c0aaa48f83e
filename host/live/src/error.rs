//! What can be wrong with the configuration of a site.

use std::path::{Path, PathBuf};

/// What is wrong with a site file, its inventory or its secrets. None of it has touched anything.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("{} cannot be read: {source}; check the path and its permissions", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file's content is wrong. The message never repeats values of the file, which might be secrets.
    #[error("{}, line {line}: {message}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Line, counted from 1.
        line: usize,
        /// The key that is wrong, where one is to blame.
        key: Option<String>,
        /// What is wrong and what to do.
        message: String,
    },
    /// A secret cannot be read.
    #[error("the secret `{key}` ({reference}) cannot be read: {why}")]
    Secret {
        /// Its key in the site file.
        key: String,
        /// Where the site file says it is.
        reference: String,
        /// What went wrong.
        why: String,
    },
    /// This is not the short name of a host.
    #[error(
        "`{0}` is not a short host name: use lower-case letters, digits and dashes, without the domain"
    )]
    HostName(String),
    /// A name that the inventory or the site file gives a host is none.
    #[error(
        "the name `{name}` of {host} is not a host name; correct it in the inventory or the site file"
    )]
    BadName {
        /// The host.
        host: String,
        /// The name.
        name: String,
    },
}

impl ConfigError {
    /// A file that cannot be read.
    pub fn unreadable(path: &Path, source: std::io::Error) -> Self {
        ConfigError::Unreadable {
            path: path.to_owned(),
            source,
        }
    }

    /// From a TOML error; `text` is the file's content. Values of the file are not repeated.
    pub fn toml(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        let start = error.span().map_or(0, |span| span.start);
        let (key, message) = plain(error.message(), key_before(text, start));
        ConfigError::Content {
            path: path.to_owned(),
            line: line_of(text, start),
            key,
            message,
        }
    }
}

/// The line, counted from 1, on which a byte stands.
pub fn line_of(text: &str, byte: usize) -> usize {
    let before = text.get(..byte).unwrap_or(text);
    1 + before.matches('\n').count()
}

/// The key whose value begins at this byte; none within an array or after a quoted key.
fn key_before(text: &str, byte: usize) -> Option<&str> {
    let before = text.get(..byte)?.trim_end().strip_suffix('=')?.trim_end();
    let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let key = before.get(before.trim_end_matches(is_key).len()..)?;
    (!key.is_empty()).then_some(key)
}

/// The parser's message in the words of a site file, and the key that it blames; `here` is the key whose value it speaks
/// of. The parser repeats values, which might be secrets: they are left out.
fn plain(message: &str, here: Option<&str>) -> (Option<String>, String) {
    let quoted = |text: &str| text.split('`').nth(1).map(str::to_owned);
    if let Some(rest) = message.strip_prefix("unknown field ") {
        let key = quoted(rest);
        let known = rest
            .split_once(", expected ")
            .map_or("", |(_, known)| known.trim_start_matches("one of "));
        let name = key.as_deref().unwrap_or_default();
        return (
            key.clone(),
            format!("unknown key `{name}`; the keys known here: {known}"),
        );
    }
    if let Some(rest) = message.strip_prefix("missing field ") {
        let key = quoted(rest);
        let name = key.as_deref().unwrap_or_default();
        return (
            key.clone(),
            format!("the key `{name}` is missing here; add it"),
        );
    }
    let key = here.map(str::to_owned);
    let value = here.map_or_else(
        || "the value here".to_owned(),
        |key| format!("the value of `{key}`"),
    );
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        // The last one: the value itself may have such words.
        let known = rest
            .rsplit_once(", expected ")
            .map_or("", |(_, known)| known.trim_start_matches("one of "));
        return (
            key,
            format!("{value} is none of the words known here: {known}"),
        );
    }
    for prefix in ["invalid type: ", "invalid value: "] {
        if let Some(rest) = message.strip_prefix(prefix) {
            let (found, expected) = rest
                .rsplit_once(", expected ")
                .unwrap_or((rest, "something else"));
            // What was found is a kind, such as `string`, and the value in quotes.
            let kind = found.split(['`', '"']).next().unwrap_or_default().trim();
            return (
                key,
                format!("{value} ({kind}) does not fit: expected {expected}"),
            );
        }
    }
    (key, message.trim().to_owned())
}
