//! Codes of faults by which a guest decides what to do. They are part of the border: a host answers them, a guest knows them.

/// The host key at the installer identity, or of the old system, is not the known one.
pub const HOST_KEY: &str = "remote.host-key";

/// The host cannot use its own key, whatever the machine does: its file, its passphrase, or no such identity on the site.
pub const OWN_KEY: [&str; 3] = [KEY_FILE, NO_IDENTITY, SECRET];

/// The file of the key cannot be used.
pub const KEY_FILE: &str = "remote.key-file";

/// The site has no key for this identity.
pub const NO_IDENTITY: &str = "remote.no-identity";

/// A secret of the site file cannot be read.
pub const SECRET: &str = "site.secret";

/// A restart is refused because a boot override was set since the guest read that there is none.
pub const OVERRIDE_CHANGED: &str = "gate.override-changed";

/// The site does not name the releases that its install server has.
pub const RELEASES_UNKNOWN: &str = "dhcp.releases-unknown";

/// The site does not name this script.
pub const SCRIPT_NOT_ALLOWED: &str = "netbox.not-allowed";

/// No operator can be asked.
pub const NOBODY: &str = "operator.nobody";

/// What the codes begin with by which a guest refuses its options: the host ends as it does for wrong options of its own.
pub const OPTION: &str = "guest.option-";
