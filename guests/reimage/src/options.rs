//! What the operator asked for.

use wreimage_sdk::{Fault, FaultKind, OptionSpec, Options, Request};

/// The guest's own options, for the host to turn into command-line options.
pub fn all() -> Vec<OptionSpec> {
    vec![
        OptionSpec::text(
            "os",
            "OS",
            "Code name of the OS release to install, such as bullseye",
        )
        .required(),
        OptionSpec::toggle(
            "no-pxe",
            "Do not boot into the installer; go on with the OS that a run before has installed",
        ),
        OptionSpec::text("pxe-media", "MEDIA", "Boot media of the release").by_default("installer"),
        OptionSpec::toggle(
            "force",
            "Where the runbook has a doubt, go on with a warning instead of asking",
        ),
    ]
}

/// The options of this run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Short name of the host.
    pub host: String,
    /// Code name of the release to install.
    pub os: String,
    /// Boot media.
    pub pxe_media: String,
    /// Do not install.
    pub no_pxe: bool,
    /// Doubts become warnings.
    pub force: bool,
}

impl Asked {
    /// Reads the options of a request.
    ///
    /// # Errors
    /// `rejected` when `--os` is missing or a value cannot be part of a boot path.
    pub fn from_request(request: &Request) -> Result<Self, Fault> {
        let options = Options::from(request);
        let media = options.text("pxe-media").unwrap_or("installer");
        Ok(Asked {
            host: request.host.clone(),
            os: boot_path_word("os", options.required("os")?)?,
            pxe_media: boot_path_word("pxe-media", media)?,
            no_pxe: options.toggle("no-pxe"),
            force: options.toggle("force"),
        })
    }
}

/// Release and media become a folder name on the install server.
fn boot_path_word(option: &str, word: &str) -> Result<String, Fault> {
    let is_word = !word.is_empty()
        && word
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-'));
    if !is_word {
        return Err(Fault::new(
            FaultKind::Rejected,
            "reimage.option-wrong",
            "options",
            format!(
                "--{option} takes lower-case letters, digits, dots and dashes, not `{word}`. Nothing was touched."
            ),
        ));
    }
    Ok(word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_a_word_of_a_path() {
        assert_eq!(
            boot_path_word("os", "bookworm-12.1").unwrap(),
            "bookworm-12.1"
        );
        for wrong in ["", "Bullseye", "../x", "a b", "a/b", "a\"b"] {
            assert!(boot_path_word("os", wrong).is_err(), "{wrong}");
        }
    }
}
