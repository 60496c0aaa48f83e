//! Files of this repository that are part of the program, so that guests are made and built outside of it.

/// A file: its path below its folder, and its text.
pub(crate) type File = (&'static str, &'static str);

/// The files of a folder of this repository, listed so that a changed one is built in anew. A test compares the lists with the
/// folders.
macro_rules! files {
    ($folder:literal: $($path:literal),* $(,)?) => {
        &[ $( ($path, include_str!(concat!("../../../", $folder, "/", $path))) ),* ]
    };
}

/// The border: every package of the host.
pub(crate) const WIT: &[File] = files![
    "wit":
    "deps/alertmanager/alertmanager.wit",
    "deps/clock/clock.wit",
    "deps/conftool/conftool.wit",
    "deps/debmonitor/debmonitor.wit",
    "deps/dhcp/dhcp.wit",
    "deps/dns/dns.wit",
    "deps/hooks/hooks.wit",
    "deps/http/http.wit",
    "deps/httpbb/httpbb.wit",
    "deps/icinga/icinga.wit",
    "deps/ipmi/ipmi.wit",
    "deps/netbox/netbox.wit",
    "deps/operator/operator.wit",
    "deps/phabricator/phabricator.wit",
    "deps/puppet-ca/puppet-ca.wit",
    "deps/puppet/puppet.wit",
    "deps/puppetdb/puppetdb.wit",
    "deps/remote/remote.wit",
    "deps/run/run.wit",
    "deps/types/types.wit",
    "world.wit",
];

/// Facts that the SDK for Rust uses.
pub(crate) const FACTS: &[File] = files![
    "facts":
    "Cargo.toml",
    "README.md",
    "src/code.rs",
    "src/debian.rs",
    "src/device_status.rs",
    "src/installer.rs",
    "src/lib.rs",
    "src/placeholder.rs",
    "src/task.rs",
];

/// The SDK for Rust.
pub(crate) const SDK_RUST: &[File] = files![
    "guests/sdk":
    "Cargo.toml",
    "README.md",
    "src/actions.rs",
    "src/attempt.rs",
    "src/bindings.rs",
    "src/clock.rs",
    "src/describe.rs",
    "src/display.rs",
    "src/display_services.rs",
    "src/failure.rs",
    "src/fault.rs",
    "src/follow_up.rs",
    "src/guest.rs",
    "src/hooks.rs",
    "src/lib.rs",
    "src/nearest.rs",
    "src/options.rs",
    "src/panic.rs",
    "src/patience.rs",
    "src/plug.rs",
    "src/prompt.rs",
    "src/retry.rs",
    "src/site.rs",
    "src/step.rs",
    "src/tell.rs",
    "src/text.rs",
];

/// The versions of its dependencies.
pub(crate) const LOCK_RUST: &str = include_str!("../../../guests/Cargo.lock");

/// The SDK for Python.
pub(crate) const SDK_PYTHON: File = (
    "wreimage.py",
    include_str!("../../../guests/sdk-python/wreimage.py"),
);

/// The SDK for JavaScript.
pub(crate) const SDK_JAVASCRIPT: File = (
    "wreimage.js",
    include_str!("../../../guests/sdk-js/wreimage.js"),
);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{FACTS, File, SDK_RUST, WIT};
    use std::path::{Path, PathBuf};

    fn all(folder: &Path, into: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                all(&path, into);
            } else {
                into.push(path);
            }
        }
    }

    /// A file that is not listed would be missing in every new guest.
    fn is_whole(folder: &str, listed: &[File]) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .join(folder);
        let mut there = Vec::new();
        all(&folder, &mut there);
        there.sort();
        let mut listed: Vec<PathBuf> = listed.iter().map(|(path, _)| folder.join(path)).collect();
        listed.sort();
        assert_eq!(listed, there);
    }

    #[test]
    fn the_lists_are_those_of_the_folders() {
        is_whole("wit", WIT);
        is_whole("facts", FACTS);
        is_whole("guests/sdk", SDK_RUST);
    }
}
