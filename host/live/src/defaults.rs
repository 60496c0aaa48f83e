//! Defaults that several tables of a site file have.

use crate::units::Period;

pub(crate) fn root() -> String {
    "root".to_owned()
}

pub(crate) fn ssh_port() -> u16 {
    22
}

pub(crate) fn ten_seconds() -> Period {
    Period::secs(10)
}

/// A command line, of which no word has a blank.
pub(crate) fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}
