//! The languages that guests are written in.

use crate::KitError;
use std::path::Path;

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Compiled by cargo.
    Rust,
    /// Packed with its interpreter by `componentize-py`.
    Python,
    /// Packed with its interpreter by `componentize-qjs`.
    JavaScript,
}

impl Language {
    /// All of them.
    pub const ALL: [Language; 3] = [Language::Rust, Language::Python, Language::JavaScript];

    /// Its name on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::Python => "python",
            Language::JavaScript => "js",
        }
    }

    /// The language of that name.
    pub fn of_word(word: &str) -> Option<Self> {
        Language::ALL.into_iter().find(|it| it.word() == word)
    }

    /// The file by which a guest folder shows its language.
    pub fn sign(self) -> &'static str {
        match self {
            Language::Rust => "Cargo.toml",
            Language::Python => "guest.py",
            Language::JavaScript => "guest.js",
        }
    }

    /// The language of a guest folder.
    ///
    /// # Errors
    /// When it is none, or could be of two languages.
    pub fn of_folder(folder: &Path) -> Result<Self, KitError> {
        if !folder.is_dir() {
            return Err(KitError::Wrong(format!(
                "{} is no folder; `wreimage new NAME --lang rust|python|js` makes one",
                folder.display()
            )));
        }
        let found: Vec<Language> = Language::ALL
            .into_iter()
            .filter(|it| folder.join(it.sign()).is_file())
            .collect();
        match found.as_slice() {
            [language] => Ok(*language),
            [] => Err(KitError::Wrong(format!(
                "{} is no guest folder: it has neither Cargo.toml (Rust) nor guest.py (Python) nor guest.js (JavaScript); \
                 `wreimage new NAME --lang rust|python|js` makes one",
                folder.display()
            ))),
            several => {
                let signs: Vec<&str> = several.iter().map(|it| it.sign()).collect();
                Err(KitError::Wrong(format!(
                    "{} could be of several languages: it has {}; a guest folder has one of them",
                    folder.display(),
                    signs.join(" and ")
                )))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Language;

    #[test]
    fn a_folder_is_of_one_language() {
        let folder = tempfile::tempdir().unwrap();
        let of = || Language::of_folder(folder.path());
        assert!(of().unwrap_err().to_string().contains("no guest folder"));
        std::fs::write(folder.path().join("guest.js"), "").unwrap();
        assert_eq!(of().unwrap(), Language::JavaScript);
        std::fs::write(folder.path().join("guest.py"), "").unwrap();
        let told = of().unwrap_err().to_string();
        assert!(told.contains("guest.py and guest.js"), "{told}");
        assert!(Language::of_folder(&folder.path().join("none")).is_err());
    }

    #[test]
    fn each_language_has_its_word() {
        for language in Language::ALL {
            assert_eq!(Language::of_word(language.word()), Some(language));
        }
        assert_eq!(Language::of_word("cobol"), None);
    }
}
