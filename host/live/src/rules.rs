//! What a table of the site file must have beyond its types, and where in the file it is wrong.

use crate::ConfigError;
use crate::error::line_of;
use crate::units::Period;
use std::ops::Range;
use std::path::Path;

/// The site file whose rules are checked: its errors name the line.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    path: &'a Path,
    text: &'a str,
}

impl<'a> Rules<'a> {
    /// The rules of a file with this text.
    pub fn new(path: &'a Path, text: &'a str) -> Self {
        Rules { path, text }
    }

    /// The error of a key; `at` is the place of the value in the file.
    pub fn error(&self, at: Range<usize>, key: &str, message: String) -> ConfigError {
        ConfigError::Content {
            path: self.path.to_owned(),
            line: line_of(self.text, at.start),
            key: Some(key.to_owned()),
            message,
        }
    }

    /// `provider` in `table` needs `key`.
    ///
    /// # Errors
    /// Unless it is there.
    pub fn needs(
        &self,
        is_there: bool,
        at: Range<usize>,
        table: &str,
        provider: &str,
        key: &str,
    ) -> Result<(), ConfigError> {
        if is_there {
            return Ok(());
        }
        let message =
            format!("[{table}] with provider = \"{provider}\" needs the key `{key}`; add it");
        Err(self.error(at, key, message))
    }

    /// `key` in `table` is not longer than `most`.
    ///
    /// # Errors
    /// When it is.
    pub fn at_most(
        &self,
        value: Period,
        most: Period,
        at: Range<usize>,
        table: &str,
        key: &str,
    ) -> Result<(), ConfigError> {
        if value <= most {
            return Ok(());
        }
        let message = format!(
            "the key `{key}` of [{table}] may be \"{most}\" at most, so that a call ends before wreimage gives it up; \
             lower it"
        );
        Err(self.error(at, key, message))
    }
}
