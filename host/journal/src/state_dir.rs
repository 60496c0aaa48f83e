//! Where a user's runs are kept.

use std::ffi::OsString;
use std::path::PathBuf;

/// `$XDG_STATE_HOME/wreimage`, or `~/.local/state/wreimage`; `None` without a home directory. A relative
/// `$XDG_STATE_HOME` is ignored, as the XDG Base Directory Specification demands.
pub fn state_directory() -> Option<PathBuf> {
    from_environment(std::env::var_os("XDG_STATE_HOME"), std::env::var_os("HOME"))
}

fn from_environment(xdg: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    xdg.map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| {
            home.filter(|home| !home.is_empty())
                .map(|home| PathBuf::from(home).join(".local/state"))
        })
        .map(|base| base.join("wreimage"))
}

#[cfg(test)]
mod tests {
    use super::from_environment;
    use std::path::PathBuf;

    #[test]
    fn the_environment_chooses_and_a_relative_path_is_ignored() {
        let at = |xdg: Option<&str>, home: Option<&str>| {
            from_environment(xdg.map(Into::into), home.map(Into::into))
        };
        assert_eq!(
            at(Some("/s"), Some("/h")),
            Some(PathBuf::from("/s/wreimage"))
        );
        assert_eq!(
            at(Some("s"), Some("/h")),
            Some(PathBuf::from("/h/.local/state/wreimage"))
        );
        assert_eq!(at(None, Some("")), None);
    }
}
