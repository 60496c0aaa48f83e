//! Releases of Debian.

/// Version and code name of each release, oldest first.
pub const RELEASES: [(&str, &str); 7] = [
    ("9", "stretch"),
    ("10", "buster"),
    ("11", "bullseye"),
    ("12", "bookworm"),
    ("13", "trixie"),
    ("14", "forky"),
    ("15", "duke"),
];

/// The code name of a version.
pub fn codename(version: &str) -> Option<&'static str> {
    let mut releases = RELEASES.iter();
    releases
        .find(|(number, _)| *number == version)
        .map(|(_, name)| *name)
}

/// The version of a code name.
pub fn version(codename: &str) -> Option<&'static str> {
    let mut releases = RELEASES.iter();
    releases
        .find(|(_, name)| *name == codename)
        .map(|(number, _)| *number)
}

#[cfg(test)]
mod tests {
    use super::{codename, version};

    #[test]
    fn a_version_has_its_name_and_a_name_its_version() {
        assert_eq!(codename("12"), Some("bookworm"));
        assert_eq!(version("bookworm"), Some("12"));
        assert_eq!((codename("8"), version("sid")), (None, None));
    }
}
