//! With which user and key a machine is entered.

use crate::ConfigError;
use crate::memory;
use crate::secret::{Secret, read_private};
use russh::keys::{Algorithm, PrivateKey};
use secrecy::ExposeSecret;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// A user and the key file that opens the door; the file is read when it is first needed.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) key: PathBuf,
    pub(crate) passphrase: Option<Secret>,
    pub(crate) read: Arc<OnceCell<Arc<PrivateKey>>>,
}

impl Login {
    pub(crate) fn new(user: &str, key: PathBuf, passphrase: Option<Secret>) -> Self {
        Login {
            user: user.to_owned(),
            key,
            passphrase,
            read: Arc::default(),
        }
    }

    /// The private key.
    ///
    /// # Errors
    /// When the file or its passphrase cannot be read; the message says which.
    pub(crate) async fn key(&self) -> Result<Arc<PrivateKey>, String> {
        self.read.get_or_try_init(|| self.load()).await.cloned()
    }

    async fn load(&self) -> Result<Arc<PrivateKey>, String> {
        let passphrase = match &self.passphrase {
            Some(secret) => Some(
                secret
                    .read()
                    .await
                    .map_err(|error: ConfigError| error.to_string())?,
            ),
            None => None,
        };
        let path = self.key.clone();
        let read = tokio::task::spawn_blocking(move || read_private(&path));
        let text = read
            .await
            .map_err(|error| error.to_string())
            .and_then(|read| read)
            .map_err(|why| format!("the key file cannot be read: {why}"))?;
        memory::keep_private();
        let passphrase = passphrase.map(|secret| secret.expose_secret());
        let key = russh::keys::decode_secret_key(&text, passphrase).map_err(|error| {
            format!(
                "the key file {} cannot be used: {error}; is it a private key, and its `passphrase` the right one?",
                self.key.display()
            )
        })?;
        // Signatures of the RSA implementation leak the private key by their timing (RUSTSEC-2023-0071), and a server can ask for any
        // number of them. The RSA key of a host is only verified.
        if matches!(key.algorithm(), Algorithm::Rsa { .. }) {
            return Err(format!(
                "the key file {0} has an RSA key, which is not used: create an Ed25519 key with `ssh-keygen -t ed25519 -f {0}.ed25519`, \
                 allow it on the machine, and name it in the site file",
                self.key.display()
            ));
        }
        Ok(Arc::new(key))
    }
}
