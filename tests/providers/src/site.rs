//! Site files for the tests.

use std::path::{Path, PathBuf};
use tempfile::TempDir;
use wreimage_capability::Providers;
use wreimage_site::Site;

/// A folder with a site file, an inventory and a hosts file; everything is on loopback.
pub struct TestSite {
    folder: TempDir,
}

/// SMBIOS UUID of `host1001` in the test inventory.
pub const UUID: &str = "4c4c4544-0031-3210-8033-b4c04f354333";
/// Serial number of `host1001` in the test inventory.
pub const SERIAL: &str = "SER1001";

impl Default for TestSite {
    fn default() -> Self {
        Self::new()
    }
}

impl TestSite {
    /// A folder with inventory and hosts file.
    pub fn new() -> Self {
        let site = TestSite {
            folder: tempfile::tempdir().unwrap(),
        };
        site.write(
            "inventory.toml",
            &format!(
                "[hosts.host1001]\nstatus = \"active\"\nserial = \"{SERIAL}\"\nmachine-uuid = \"{UUID}\"\n\
                 primary-ip = \"10.0.0.1\"\nmac = \"aa:00:00:12:34:56\"\n\
                 switch-port = {{ switch = \"asw2-a-eqiad\", port = \"ge-6/0/1\", vlan = \"private1-a-eqiad\" }}\n\
                 [hosts.host1002]\nstatus = \"active\"\nprimary-ip = \"10.0.0.2\"\nmac = \"aa:00:00:12:34:57\"\n\
                 switch-port = {{ switch = \"asw2-a-eqiad\", port = \"ge-6/0/2\", vlan = \"private1-a-eqiad\" }}\n"
            ),
        );
        site.write(
            "hosts",
            "127.0.0.1 host1001.lab1.test host1001.mgmt.lab1.test install1001.lab1.test\n",
        );
        site
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A path inside of the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file into the folder.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Loads a site with these tables besides name, domain, inventory and names. Its controllers are not ordered, so that
    /// calls need no claim.
    pub fn load(&self, tables: &str) -> Site {
        self.load_with("none", tables)
    }

    /// The same with a lease folder on the install server, which `dhcp` must name.
    pub fn load_with_lease(&self, tables: &str) -> Site {
        self.load_with("install-server", tables)
    }

    fn load_with(&self, lease: &str, tables: &str) -> Site {
        self.write(
            "site.toml",
            &format!(
                "name = \"lab1\"\ndomain = \"lab1.test\"\n\
                 [netbox]\nprovider = \"file\"\ninventory = \"inventory.toml\"\n\
                 [dns]\nprovider = \"hosts\"\nhosts = \"hosts\"\n\
                 [lease]\nprovider = \"{lease}\"\n{tables}"
            ),
        );
        Site::load(self.path("site.toml")).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The same, opened for `host1001`.
    pub fn open(&self, tables: &str) -> Providers {
        self.load(tables).open("host1001").unwrap()
    }
}
