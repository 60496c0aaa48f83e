//! The systems that runs work on, before they are bound to a host: a lab, or a real site.

use crate::bound_backend::{BoundBackend, RunTarget, in_lab, on_site, site_from_lab};
use crate::error::RunsError;
use crate::guest_identity::GuestIdentity;
use crate::recorded_site::RecordedSite;
use crate::site_lease::SiteLease;
use crate::store::RunOrigin;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wreimage_capability::lease::Lease;
use wreimage_journal::Mode;
use wreimage_lab::{Lab, Pace, World};
use wreimage_site::{Retention, Site};

/// So many runs in the lab, and rehearsals there, are kept.
const LAB_RUNS: u32 = 1000;

/// The systems that runs work on.
pub enum Backend {
    /// A simulated data centre: a new one for each run, or the one that is kept in a folder and shared by all.
    Lab {
        /// What a new one begins with.
        world: Box<World>,
        /// The one that is kept, and its folder.
        kept: Option<(Lab, String)>,
        /// How fast its time passes.
        pace: Pace,
    },
    /// A real one.
    Site {
        /// The site.
        site: Box<Site>,
        /// Its file.
        path: PathBuf,
        /// `None` where the site orders no controllers.
        lease: Option<Box<SiteLease>>,
    },
}

impl Backend {
    /// A simulated data centre for each run, which goes away with it.
    pub fn lab(world: World, pace: Pace) -> Self {
        Backend::Lab {
            world: Box::new(world),
            kept: None,
            pace,
        }
    }

    /// A simulated data centre that is kept in this folder and begins with this world.
    ///
    /// # Errors
    /// When another process has it, or it cannot be read.
    pub fn kept_lab(
        world: World,
        folder: &Path,
        name: String,
        pace: Pace,
    ) -> Result<Self, RunsError> {
        let lab = Lab::kept(folder, || world.clone(), pace)?;
        Ok(Backend::Lab {
            world: Box::new(world),
            kept: Some((lab, name)),
            pace,
        })
    }

    /// The real systems of a site, whose file is this one.
    pub fn site(site: Site, path: PathBuf) -> Self {
        let lease = site.lease().map(|lease| Box::new(SiteLease::new(lease)));
        Backend::Site {
            site: Box::new(site),
            path,
            lease,
        }
    }

    /// The capabilities that a site takes from the lab; none for a lab.
    pub fn from_lab(&self) -> Vec<&'static str> {
        match self {
            Backend::Lab { .. } => Vec::new(),
            Backend::Site { site, .. } => site_from_lab(site),
        }
    }

    /// What it is, as the header of a run records it.
    pub fn mode(&self) -> Mode {
        match self {
            Backend::Lab { kept: None, .. } => Mode::Lab,
            Backend::Lab {
                kept: Some((_, folder)),
                ..
            } => Mode::World(folder.clone()),
            Backend::Site { .. } => Mode::Live,
        }
    }

    /// The site file.
    pub fn site_file(&self) -> Option<&Path> {
        match self {
            Backend::Lab { .. } => None,
            Backend::Site { path, .. } => Some(path),
        }
    }

    /// The folder that the site names for its runs.
    pub fn state(&self) -> Option<PathBuf> {
        match self {
            Backend::Lab { .. } => None,
            Backend::Site { site, .. } => site.state(),
        }
    }

    /// What is recorded of its site.
    pub fn recorded_site(&self) -> RecordedSite {
        match self {
            Backend::Lab { world, kept, .. } => RecordedSite {
                name: kept.as_ref().map_or_else(
                    || world.site().to_owned(),
                    |(lab, _)| lab.look(|world| world.site().to_owned()),
                ),
                digest: None,
            },
            Backend::Site { site, .. } => RecordedSite {
                name: site.name().to_owned(),
                digest: Some(site.digest().to_owned()),
            },
        }
    }

    /// Whether the site notifies people of its runs.
    pub fn notifies(&self) -> bool {
        match self {
            Backend::Lab { .. } => false,
            Backend::Site { site, .. } => site.notifier().is_some(),
        }
    }

    /// Whether its runs publish what expires unless it is renewed.
    pub fn renews(&self) -> bool {
        match self {
            Backend::Lab { .. } => false,
            Backend::Site { site, .. } => site.renews(),
        }
    }

    /// Which records of runs that have ended are kept.
    pub fn retention(&self) -> Retention {
        match self {
            Backend::Lab { .. } => Retention {
                days: None,
                runs: Some(LAB_RUNS),
            },
            Backend::Site { site, .. } => site.retention().clone(),
        }
    }

    /// Whether a run is one of these systems: of this site, or of a lab like those in which this one is.
    pub fn has_run(&self, run: &RunOrigin) -> bool {
        match self {
            Backend::Lab { .. } => run.mode != Mode::Live,
            Backend::Site { site, .. } => run.mode == Mode::Live && run.site == site.name(),
        }
    }

    /// Where the leases on its hosts are, to be changed.
    pub fn lease(&self) -> Option<Arc<dyn Lease>> {
        match self {
            Backend::Lab {
                kept: Some((lab, _)),
                ..
            } => Some(lab.lease()),
            Backend::Lab { kept: None, .. } => None,
            Backend::Site { lease, .. } => lease.as_ref().map(|lease| lease.lease()),
        }
    }

    /// How fast its time passes.
    pub fn pace(&self) -> Pace {
        match self {
            Backend::Lab { pace, .. } => *pace,
            Backend::Site { .. } => Pace::Real,
        }
    }

    /// Binds it to one host, for one run of this guest. `shares`: other runs go on in it at the same time.
    ///
    /// # Errors
    /// When the site file does not fit the host.
    pub async fn bind(
        &self,
        guest: &GuestIdentity,
        target: &RunTarget,
        shares: bool,
    ) -> Result<BoundBackend, RunsError> {
        match self {
            Backend::Lab {
                world, kept, pace, ..
            } => Ok(match kept {
                Some((lab, _)) => in_lab(lab, target, shares),
                None => in_lab(&Lab::new((**world).clone(), *pace), target, false),
            }),
            Backend::Site { site, path, lease } => {
                let mut bound = on_site(site, path, guest, target).await?;
                bound.services.lease = lease.as_ref().map(|lease| lease.leasing());
                bound.services.unordered = site.unordered();
                Ok(bound)
            }
        }
    }
}
