//! A place to work in, before it is bound to a host: the lab, or a real site.

use crate::arguments::Place;
use crate::components::Named;
use crate::failure::Failure;
use crate::files;
use crate::leasing::SiteLease;
use crate::surroundings::{Binding, Surroundings, in_lab, on_site};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wreimage_capability::lease::Lease;
use wreimage_journal::Mode;
use wreimage_lab::{Lab, Pace, World};
use wreimage_runs::{RecordedSite, RunOrigin, RunsError};
use wreimage_site::{Choice, Retention, Site};

/// A place to work in, before it is bound to a host.
pub enum Ground {
    /// A simulated data centre: a new one for each run, or the one that is kept in a folder and shared by all.
    Lab {
        world: Box<World>,
        kept: Option<(Lab, String)>,
        pace: Pace,
        notice: Option<String>,
    },
    /// A real one.
    Site {
        site: Box<Site>,
        path: PathBuf,
        /// `None` where the site orders no controllers.
        lease: Option<Box<SiteLease>>,
    },
}

impl Ground {
    /// What is printed on stderr first.
    pub fn notice(&self) -> Option<String> {
        match self {
            Ground::Lab { notice, .. } => notice.clone(),
            Ground::Site { site, .. } => {
                let from_lab = from_lab(site);
                (!from_lab.is_empty()).then(|| {
                    format!(
                        "from the lab on site {}: {}; the rest is real",
                        site.name(),
                        from_lab.join(", ")
                    )
                })
            }
        }
    }

    /// What it is, as the header of a run says it.
    pub fn mode(&self) -> Mode {
        match self {
            Ground::Lab { kept: None, .. } => Mode::Lab,
            Ground::Lab {
                kept: Some((_, folder)),
                ..
            } => Mode::World(folder.clone()),
            Ground::Site { .. } => Mode::Live,
        }
    }

    /// The site file.
    pub fn site_file(&self) -> Option<&Path> {
        match self {
            Ground::Lab { .. } => None,
            Ground::Site { path, .. } => Some(path),
        }
    }

    /// What is recorded of its site.
    pub fn recorded_site(&self) -> RecordedSite {
        match self {
            Ground::Lab { world, kept, .. } => RecordedSite {
                name: kept.as_ref().map_or_else(
                    || world.site().to_owned(),
                    |(lab, _)| lab.look(|world| world.site().to_owned()),
                ),
                digest: None,
            },
            Ground::Site { site, .. } => RecordedSite {
                name: site.name().to_owned(),
                digest: Some(site.digest().to_owned()),
            },
        }
    }

    /// Whether the site notifies people of its runs.
    pub fn notifies(&self) -> bool {
        match self {
            Ground::Lab { .. } => false,
            Ground::Site { site, .. } => site.notifier().is_some(),
        }
    }

    /// Whether its runs publish what expires unless it is renewed.
    pub fn renews(&self) -> bool {
        match self {
            Ground::Lab { .. } => false,
            Ground::Site { site, .. } => site.renews(),
        }
    }

    /// Which records of runs that have ended are kept.
    pub fn retention(&self) -> Retention {
        match self {
            Ground::Lab { .. } => Retention {
                days: None,
                runs: Some(LAB_RUNS),
            },
            Ground::Site { site, .. } => site.retention().clone(),
        }
    }

    /// Whether a run is one of this place: of this site, or of a lab like those in which this one is.
    pub fn has_run(&self, run: &RunOrigin) -> bool {
        match self {
            Ground::Lab { .. } => run.mode != Mode::Live,
            Ground::Site { site, .. } => run.mode == Mode::Live && run.site == site.name(),
        }
    }

    /// Where the leases on its hosts are, to be changed.
    pub fn lease(&self) -> Option<Arc<dyn Lease>> {
        match self {
            Ground::Lab {
                kept: Some((lab, _)),
                ..
            } => Some(lab.lease()),
            Ground::Lab { kept: None, .. } => None,
            Ground::Site { lease, .. } => lease.as_ref().map(|lease| lease.lease()),
        }
    }

    /// How fast its time passes.
    pub fn pace(&self) -> Pace {
        match self {
            Ground::Lab { pace, .. } => *pace,
            Ground::Site { .. } => Pace::Real,
        }
    }

    /// Where its runs are recorded.
    pub fn state(&self) -> Result<PathBuf, Failure> {
        match self {
            Ground::Site { site, .. } => site.state().map_or_else(files::state, Ok),
            Ground::Lab { .. } => files::state(),
        }
    }

    /// Binds it to one host, for one run. `shares`: other runs go on in it at the same time.
    pub async fn bind(
        &self,
        guest: &Named,
        binding: &Binding,
        shares: bool,
    ) -> Result<Surroundings, Failure> {
        match self {
            Ground::Lab {
                world, kept, pace, ..
            } => Ok(match kept {
                Some((lab, _)) => in_lab(lab, binding, shares),
                None => in_lab(&Lab::new((**world).clone(), *pace), binding, false),
            }),
            Ground::Site { site, path, lease } => {
                let mut place = on_site(site, path, guest, binding).await?;
                place.services.lease = lease.as_ref().map(|lease| lease.leasing());
                place.services.unordered = site.unordered();
                Ok(place)
            }
        }
    }
}

/// Opens the place: `--lab` with its world, a site file, or the lab when there is no site file anywhere.
pub async fn open(place: &Place, pace: Pace) -> Result<Ground, Failure> {
    if place.lab.is_none()
        && place.world.is_none()
        && let Some(path) = place.site.clone().or_else(files::site_file)
    {
        let site = load_site(&path)?;
        site.ask_secrets().await.map_err(Failure::Secret)?;
        let lease = site.lease().map(|lease| Box::new(SiteLease::new(lease)));
        return Ok(Ground::Site {
            site: Box::new(site),
            path,
            lease,
        });
    }
    let notice = (place.lab.is_none() && place.world.is_none()).then(|| {
        "no site file was found: this is the lab, a simulated data centre; nothing real is touched"
            .to_owned()
    });
    let file = place.lab.as_ref().and_then(Option::as_deref);
    let world = Box::new(world(file)?);
    let kept = match &place.world {
        None => None,
        Some(folder) => {
            let lab = Lab::kept(folder, || (*world).clone(), pace)?;
            Some((lab, absolute(folder)?))
        }
    };
    Ok(Ground::Lab {
        world,
        kept,
        pace,
        notice,
    })
}

/// As a path that means the same wherever a run is resumed.
pub fn absolute(folder: &Path) -> Result<String, Failure> {
    let path = std::path::absolute(folder).map_err(|source| Failure::Path {
        path: folder.to_owned(),
        source,
    })?;
    path.into_os_string()
        .into_string()
        .map_err(|path| Failure::Usage(format!("{path:?} is not text")))
}

/// Where the runs of this place are recorded.
pub fn state_of(place: &Place) -> Result<PathBuf, Failure> {
    if place.lab.is_none()
        && place.world.is_none()
        && let Some(path) = place.site.clone().or_else(files::site_file)
    {
        let site = load_site(&path)?;
        if let Some(state) = site.state() {
            return Ok(state);
        }
    }
    files::state()
}

/// The world of this file, or the built-in one.
pub fn world(file: Option<&Path>) -> Result<World, Failure> {
    let Some(path) = file else {
        return World::builtin().map_err(Failure::BuiltinWorld);
    };
    let text = std::fs::read_to_string(path).map_err(|source| RunsError::WorldFileUnreadable {
        path: path.to_owned(),
        source,
    })?;
    World::parse(&text).map_err(|source| {
        let path = path.to_owned();
        RunsError::WorldFile { path, source }.into()
    })
}

/// Reads a site file; what its commands list is kept for `--help` and completion.
pub fn load_site(path: &Path) -> Result<Site, Failure> {
    let site = Site::load(path)?;
    Ok(match files::lists() {
        Some(folder) => site.with_cache(&folder),
        None => site,
    })
}

/// So many runs in the lab, and rehearsals there, are kept.
const LAB_RUNS: u32 = 1000;

/// The capabilities that a site takes from the lab.
pub fn from_lab(site: &Site) -> Vec<&'static str> {
    let choices = site.choices();
    let from_lab = choices.iter().filter(|(_, choice)| **choice == Choice::Lab);
    from_lab.map(|(name, _)| *name).collect()
}
