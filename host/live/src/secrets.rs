//! The secrets of one table of the site file.

use crate::secret::{Prompter, Secret, SecretRef};
use std::path::Path;

/// The secrets of one table. A capability gets its own and no others.
#[derive(Debug, Clone, Default)]
pub struct Secrets(Vec<Secret>);

impl Secrets {
    /// None of them is read yet. Relative files are taken from `folder`.
    pub(crate) fn new(
        references: Vec<(&'static str, &SecretRef)>,
        folder: &Path,
        prompter: &Prompter,
    ) -> Self {
        let secret = |(key, reference): (&'static str, &SecretRef)| {
            Secret::new(key, reference.clone(), folder, prompter.clone())
        };
        Secrets(references.into_iter().map(secret).collect())
    }

    /// The secret of that key of the site file; `None` when the file has none.
    pub(crate) fn get(&self, key: &str) -> Option<Secret> {
        self.0.iter().find(|secret| secret.key() == key).cloned()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Secret> {
        self.0.iter()
    }
}
