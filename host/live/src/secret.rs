//! Secrets by reference: the site file says where a secret is, never what it is.

use crate::ConfigError;
use crate::child::{self, Child};
use crate::{bounded, memory, redact};
use secrecy::{ExposeSecret, SecretString};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;

/// How long a command that tells a secret may take; a person may have to unlock a key store meanwhile.
const COMMAND_DEADLINE: Duration = Duration::from_secs(30);

/// What group and others may do with a file.
const OTHERS: u32 = 0o077;

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// `{ env = "NAME" }`: in an environment variable of the host process.
    Env(String),
    /// `{ file = "PATH" }`: in a file, without its final newline. Relative to the site file.
    File(PathBuf),
    /// `{ command = ["pass", "show", "x"] }`: what the command prints, without the final newline.
    Command(Vec<String>),
    /// `{ prompt = "Management password" }`: asked of the person, without echo.
    Prompt(String),
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretRef::Env(name) => write!(f, "environment variable {name}"),
            SecretRef::File(path) => write!(f, "file {}", path.display()),
            SecretRef::Command(argv) => {
                write!(f, "command {}", argv.first().map_or("", String::as_str))
            }
            SecretRef::Prompt(label) => write!(f, "prompt `{label}`"),
        }
    }
}

const EXPECTS: &str = "where the secret is: { env = \"NAME\" }, { file = \"PATH\" }, { command = [\"PROGRAM\", …] } or \
                       { prompt = \"LABEL\" }; the secret itself is never written here";

/// Reads a reference without ever repeating what stands there: it might be the secret.
struct RefVisitor;

impl<'de> Visitor<'de> for RefVisitor {
    type Value = SecretRef;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTS)
    }

    fn visit_str<E: de::Error>(self, _text: &str) -> Result<SecretRef, E> {
        Err(E::custom(format_args!(
            "a plain text stands here, expected {EXPECTS}"
        )))
    }

    fn visit_i64<E: de::Error>(self, _number: i64) -> Result<SecretRef, E> {
        Err(E::custom(format_args!(
            "a number stands here, expected {EXPECTS}"
        )))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretRef, A::Error> {
        let Some(key) = map.next_key::<String>()? else {
            return Err(de::Error::custom(format_args!("expected {EXPECTS}")));
        };
        let reference = match key.as_str() {
            "env" => SecretRef::Env(map.next_value()?),
            "file" => SecretRef::File(map.next_value()?),
            "command" => SecretRef::Command(map.next_value()?),
            "prompt" => SecretRef::Prompt(map.next_value()?),
            other => {
                return Err(de::Error::unknown_field(
                    other,
                    &["env", "file", "command", "prompt"],
                ));
            }
        };
        match map.next_key::<String>()? {
            None => Ok(reference),
            Some(_) => Err(de::Error::custom("one place for the secret, not several")),
        }
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(RefVisitor)
    }
}

/// Asks the person for a secret; gets the label, returns what was typed.
pub type Prompter = Arc<dyn Fn(&str) -> std::io::Result<SecretString> + Send + Sync>;

/// A secret that is read when it is first needed, then kept in memory.
#[derive(Clone)]
pub struct Secret(Arc<Inner>);

struct Inner {
    key: &'static str,
    reference: SecretRef,
    folder: PathBuf,
    prompter: Prompter,
    held: OnceCell<SecretString>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.0.reference)
    }
}

impl Secret {
    /// `key` is its key in the site file, for messages; relative files are taken from `folder`.
    pub fn new(key: &'static str, reference: SecretRef, folder: &Path, prompter: Prompter) -> Self {
        Secret(Arc::new(Inner {
            key,
            reference,
            folder: folder.to_owned(),
            prompter,
            held: OnceCell::new(),
        }))
    }

    /// Its key in the site file.
    pub fn key(&self) -> &'static str {
        self.0.key
    }

    /// Where it is.
    pub fn reference(&self) -> &SecretRef {
        &self.0.reference
    }

    /// The secret.
    ///
    /// # Errors
    /// When it cannot be read, or is empty; the message names the reference, never what was read.
    pub async fn read(&self) -> Result<&SecretString, ConfigError> {
        self.0
            .held
            .get_or_try_init(|| async {
                let secret = self.fetch().await.map_err(|why| ConfigError::Secret {
                    key: self.0.key.to_owned(),
                    reference: self.0.reference.to_string(),
                    why,
                })?;
                Ok(secret)
            })
            .await
    }

    async fn fetch(&self) -> Result<SecretString, String> {
        let secret = match &self.0.reference {
            SecretRef::Env(name) => std::env::var(name)
                .map(SecretString::from)
                .map_err(|_| "it is not set, or not UTF-8; export it".to_owned())?,
            SecretRef::File(path) => {
                let path = self.0.folder.join(path);
                let read = tokio::task::spawn_blocking(move || read_private(&path));
                line(read.await.map_err(|error| error.to_string())??)
            }
            SecretRef::Command(argv) => self.command(argv).await?,
            SecretRef::Prompt(label) => {
                let (prompter, label) = (self.0.prompter.clone(), label.clone());
                tokio::task::spawn_blocking(move || prompter(&label))
                    .await
                    .map_err(|error| error.to_string())?
                    .map_err(|error| error.to_string())?
            }
        };
        if secret.expose_secret().is_empty() {
            return Err("it is empty".to_owned());
        }
        redact::remember(&secret);
        memory::keep_private();
        Ok(secret)
    }

    async fn command(&self, argv: &[String]) -> Result<SecretString, String> {
        let mut child = Child::new(argv).ok_or("the command is empty")?;
        child.inherit_environment().folder(&self.0.folder);
        match child.run(COMMAND_DEADLINE).await {
            Ok(ended) if ended.success() => String::from_utf8(ended.stdout)
                .map(line)
                .map_err(|_| "what it printed is not UTF-8".to_owned()),
            Ok(ended) => Err(format!(
                "it ended with {}: {}",
                ended.exit(),
                child::last_line(&ended.stderr)
            )),
            Err(failure) => Err(failure.to_string()),
        }
    }
}

/// Returns the text of a file that only its owner may read. A link is judged by the file to which it leads.
///
/// # Errors
/// When it cannot be read, or others may read it; the message says what to do.
pub(crate) fn read_private(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let failed = |error: std::io::Error| format!("{shown}: {error}");
    let file = std::fs::File::open(path).map_err(failed)?;
    // Of the file that is open: a name can lead to another one by now.
    let about = file.metadata().map_err(failed)?;
    let own = rustix::process::geteuid().as_raw();
    if about.uid() != own && about.uid() != 0 {
        return Err(format!(
            "{shown} belongs to another user (uid {}), who can change it: `chown {own} {shown}`",
            about.uid()
        ));
    }
    if about.mode() & OTHERS != 0 {
        return Err(format!(
            "{shown} can be read or changed by others (mode {:04o}): `chmod 600 {shown}`, and change the secret if others may \
             have seen it",
            about.mode() & 0o7777
        ));
    }
    bounded::read_open(file, bounded::SECRET).map_err(failed)
}

/// The text without its final newline.
fn line(mut text: String) -> SecretString {
    while text.ends_with(['\n', '\r']) {
        text.pop();
    }
    SecretString::from(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::read_private;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_file_that_others_can_read_is_refused_and_a_link_is_judged_by_its_target() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("password"), folder.path().join("link"));
        std::fs::write(&file, "hunter2\n").unwrap();
        symlink(&file, &link).unwrap();
        for (mode, is_private) in [
            (0o600, true),
            (0o400, true),
            (0o640, false),
            (0o604, false),
            (0o620, false),
        ] {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            for path in [&file, &link] {
                let read = read_private(path);
                assert_eq!(read.is_ok(), is_private, "{mode:o}: {read:?}");
                if let Err(why) = read {
                    assert!(
                        why.contains("chmod 600") && !why.contains("hunter2"),
                        "{why}"
                    );
                }
            }
        }
    }
}
