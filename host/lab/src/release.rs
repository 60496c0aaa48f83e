//! What is known of the releases that the lab installs.

use wreimage_capability::remote::OsRelease;

/// Code name and kernel of each release.
const KERNELS: [(&str, &str); 5] = [
    ("stretch", "4.9.0-16-amd64"),
    ("buster", "4.19.0-18-amd64"),
    ("bullseye", "5.10.0-9-amd64"),
    ("bookworm", "6.1.0-13-amd64"),
    ("trixie", "6.12.41-amd64"),
];

/// Kernel version that the release runs.
pub(crate) fn kernel(release: &str) -> &'static str {
    let mut kernels = KERNELS.iter();
    let found = kernels.find(|(name, _)| *name == release);
    found.map_or("6.1.0-13-amd64", |(_, kernel)| kernel)
}

/// Kernel command line of an installed system.
pub(crate) fn command_line(release: &str) -> String {
    format!(
        "BOOT_IMAGE=/boot/vmlinuz-{} root=/dev/mapper/vg0-root ro console=ttyS1,115200n8",
        kernel(release)
    )
}

/// Its `/etc/os-release`.
pub(crate) fn os_release(release: &str) -> OsRelease {
    let version = wreimage_facts::debian::version(release).unwrap_or_default();
    let pretty_name = if version.is_empty() {
        format!("Debian GNU/Linux {release}")
    } else {
        format!("Debian GNU/Linux {version} ({release})")
    };
    OsRelease {
        id: "debian".to_owned(),
        version_id: version.to_owned(),
        codename: release.to_owned(),
        pretty_name,
        extra: Vec::new(),
    }
}

/// The same as the text of the file.
pub(crate) fn os_release_text(release: &str) -> String {
    let about = os_release(release);
    format!(
        "PRETTY_NAME=\"{}\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"{}\"\nVERSION_CODENAME={}\nID={}\n",
        about.pretty_name, about.version_id, about.codename, about.id
    )
}
