//! What the capabilities of a site share besides SSH, child processes and redaction.

use crate::ConfigError;
use crate::host::Host;
use crate::install_server::InstallServer;
use crate::lease::LeaseFolder;
use crate::resolver::Resolver;
use crate::target::{Naming, Target};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What every capability of a site may use: the site's name, paths and naming, and what other capabilities lend.
pub struct Shared {
    pub(crate) place: Place,
    /// How names are resolved: the system's way, unless a capability lends another.
    pub(crate) resolver: Resolver,
    /// Whether a capability serves an inventory of the real systems: names of a host come from it then.
    pub(crate) has_inventory: bool,
    pub(crate) install_server: Option<LentServer>,
    /// `None` where controllers are not ordered.
    pub(crate) lease: Option<Arc<LeaseFolder>>,
}

/// The install server of a site.
#[derive(Clone)]
pub(crate) struct LentServer {
    pub(crate) server: Arc<InstallServer>,
    /// The folder on it in which the DHCP automation keeps its files, without a final slash; the lease folder is in there.
    pub(crate) folder: String,
}

/// Where a site is described.
#[derive(Debug, Clone)]
pub struct Place {
    /// The site's name.
    pub name: String,
    /// How the names of its hosts are derived.
    pub naming: Naming,
    /// The site file.
    pub file: PathBuf,
    /// The user's folder for what the site's commands have listed; none where nothing is kept.
    pub cache: Option<PathBuf>,
    /// Where the scripts of the install server read its boot ID and uptime: `/proc`, but in tests.
    pub proc: String,
}

impl Place {
    /// A path of the site file, which is relative to it.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.folder().join(path)
    }

    /// The folder of the site file.
    pub fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new(""))
    }
}

impl Shared {
    pub(crate) fn new(place: Place) -> Self {
        Shared {
            place,
            resolver: Resolver::default(),
            has_inventory: false,
            install_server: None,
            lease: None,
        }
    }

    /// The host of that short name.
    ///
    /// # Errors
    /// When it is not one.
    pub(crate) fn host(&self, name: &str) -> Result<Host, ConfigError> {
        let target = Target::new(&self.place.naming, name, self.has_inventory)?;
        Ok(Host::new(target))
    }
}
