//! Where a run works: the lab, a real site, or a mixture.

use crate::arguments::Place;
use crate::compiler;
use crate::compose;
use crate::exit::Failure;
use crate::files;
use crate::leasing;
use crate::own_site::RecordedSite;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wreimage_capability::lease::Lease;
use wreimage_capability::{Call, Function, Polled, Providers, Server, SystemClock, netbox};
use wreimage_engine::{
    Absent, Engine, Grants, Guest, Limits, Observer, RunRequest, Services, TwinMaker, WaitPolicy,
};
use wreimage_journal::{Header, Mode};
use wreimage_lab::{Lab, Pace, Participant, World};
use wreimage_scenario::{LabTwin, lab_leasing};
use wreimage_site::{Choice, IdentityPolicy, Keeper, Notifier, Retention, Site};

/// Loads a guest by path or name with these components plugged in, with the compilation cache, within the bounds of the site.
pub async fn load_guest(
    name: &str,
    plugs: &[String],
    site: Option<&Path>,
) -> Result<(Engine, Guest, Vec<u8>), Failure> {
    let path = files::guest(name)?;
    if plugs.is_empty() {
        return load_guest_file(&path, None, site).await;
    }
    let limits = compiler::limits(site);
    let bytes = compose::composed(&path, plugs, &limits)?;
    let engine = compiler::engine(limits)?;
    let guest = Guest::load(&engine, &bytes).await.map_err(|error| {
        Failure::refused(format!(
            "{} with {} plugged in: {error}",
            path.display(),
            plugs.join(", ")
        ))
    })?;
    Ok((engine, guest, bytes))
}

/// Loads a guest from this file; `known` is its SHA-256 if a run has recorded it.
pub async fn load_guest_file(
    path: &Path,
    known: Option<&str>,
    site: Option<&Path>,
) -> Result<(Engine, Guest, Vec<u8>), Failure> {
    let limits = compiler::limits(site);
    let bytes = files::read_component(path, &limits)?;
    let engine = compiler::engine(limits)?;
    let guest = Guest::load_known(&engine, &bytes, known)
        .await
        .map_err(|error| Failure::refused(format!("{}: {error}", path.display())))?;
    Ok((engine, guest, bytes))
}

/// Loads the guest with this SHA-256 that a run or a batch has kept in the state folder. Others can write there: it must be that.
pub async fn load_pinned(
    state: &Path,
    digest: &str,
    site: Option<&Path>,
) -> Result<(Engine, Guest, Vec<u8>), Failure> {
    let path = files::pinned_guest(state, digest);
    let bytes = files::read_pinned(state, digest)?;
    let engine = compiler::engine(compiler::limits(site))?;
    let guest = Guest::load_known(&engine, &bytes, Some(digest))
        .await
        .map_err(|error| Failure::refused(format!("{}: {error}", path.display())))?;
    if guest.digest() != digest {
        return Err(Failure::refused(format!(
            "{} is not the guest that the run was driven by: its SHA-256 differs; give the right file with --guest",
            path.display()
        )));
    }
    Ok((engine, guest, bytes))
}

/// Reads a site file; what its commands list is kept for `--help` and completion.
fn load_site(path: &Path) -> Result<Site, Failure> {
    let site = Site::load(path).map_err(|error| Failure::usage(error.to_string()))?;
    Ok(match files::lists() {
        Some(folder) => site.with_cache(&folder),
        None => site,
    })
}

/// What a run is bound to: no function takes any of it as an argument.
#[derive(Debug, Clone)]
pub struct Binding {
    /// Short name of the host.
    pub host: String,
    /// The task in the ticket system, if the run has one.
    pub task: Option<String>,
}

/// A place to work in, bound to one host.
pub struct Surroundings {
    /// Name of the site.
    pub site: String,
    /// SHA-256 of the site file.
    pub policy: Option<String>,
    /// What guests may call here.
    pub grants: Grants,
    /// What the site does not have.
    pub absent: Absent,
    /// What the site decides of identities and protection; a lab decides nothing.
    pub decided: Option<Decided>,
    /// What a guest may use.
    pub limits: Limits,
    /// The command that opens the host's console.
    pub console: Option<String>,
    /// Who is told of the run.
    pub notifier: Option<Notifier>,
    /// Renews what expires at the site while the run is open.
    pub keeper: Option<Keeper>,
    /// The run's part in the time of a lab that others share.
    pub seat: Option<Arc<Participant>>,
    /// The rest.
    pub services: Services,
}

/// What a site decides of identities and protection.
pub struct Decided {
    protected_tags: Vec<String>,
    unrelated_guids: Vec<String>,
    identity_optional: bool,
    shown: Vec<(String, String)>,
}

impl Decided {
    fn by(site: &Site) -> Self {
        let policy = site.policy();
        Decided {
            protected_tags: policy.protected_tags.clone(),
            unrelated_guids: policy.unrelated_guids.clone(),
            identity_optional: policy.identity == IdentityPolicy::Optional,
            shown: site.shown().to_vec(),
        }
    }
}

impl Surroundings {
    /// Lets the site decide of this run.
    pub fn decide(&mut self, request: &mut RunRequest) {
        if let Some(decided) = self.decided.take() {
            request.protected_tags = decided.protected_tags;
            request.unrelated_guids = decided.unrelated_guids;
            request.identity_optional = decided.identity_optional;
            request.site_tables = decided.shown;
        }
    }
}

/// So many runs in the lab, and rehearsals there, are kept.
const LAB_RUNS: u32 = 1000;

/// Without this capability, whoever asks for a certificate gets it.
const PUPPET_CA: &str = "puppet-ca";

/// A twin of a host on a site without any other part of a lab.
fn twin_maker(site: &str, binding: &Binding, absent: &Absent) -> Arc<dyn TwinMaker> {
    LabTwin::maker(site, binding.task.as_deref(), absent)
}

/// The components of a guest as a site's grants name them.
#[derive(Debug, Clone)]
pub struct Named {
    guest: Component,
    plugs: Vec<Component>,
}

/// One of them: its name in its own words, and SHA-256 of its file.
#[derive(Debug, Clone)]
struct Component {
    name: String,
    digest: String,
}

impl Component {
    fn new(name: &str, digest: &str) -> Self {
        Component {
            name: name.to_owned(),
            digest: digest.to_owned(),
        }
    }
}

impl Named {
    /// This guest.
    pub fn of(guest: &Guest) -> Self {
        let plugs = guest.plugs().iter();
        Named {
            guest: Component::new(&guest.description().name, guest.own_digest()),
            plugs: plugs
                .map(|plug| Component::new(&plug.description.name, &plug.digest))
                .collect(),
        }
    }

    /// The guest of a run that is not at hand: nothing of it calls.
    pub fn absent(header: &Header) -> Self {
        Named {
            guest: Component::new(&header.guest, &header.guest_digest),
            plugs: Vec::new(),
        }
    }
}

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
    Site { site: Box<Site>, path: PathBuf },
}

/// Opens the place: `--lab` with its world, a site file, or the lab when there is no site file anywhere.
pub async fn open(place: &Place, pace: Pace) -> Result<Ground, Failure> {
    if place.lab.is_none()
        && place.world.is_none()
        && let Some(path) = place.site.clone().or_else(files::site_file)
    {
        let site = load_site(&path)?;
        site.ask_secrets()
            .await
            .map_err(|error| Failure::refused(error.to_string()))?;
        return Ok(Ground::Site {
            site: Box::new(site),
            path,
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
            let lab = Lab::kept(folder, || (*world).clone(), pace)
                .map_err(|error| Failure::usage(error.to_string()))?;
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

impl Ground {
    /// Said on stderr before anything else.
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

    /// Whether somebody is told of its runs.
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
    pub fn has_run(&self, header: &Header) -> bool {
        match self {
            Ground::Lab { .. } => header.mode != Mode::Live,
            Ground::Site { site, .. } => header.mode == Mode::Live && header.site == site.name(),
        }
    }

    /// Where the leases on its hosts are, to be changed.
    pub fn lease(&self) -> Option<Arc<dyn Lease>> {
        match self {
            Ground::Lab {
                kept: Some((lab, _)),
                ..
            } => Some(lab.lease()),
            Ground::Lab { kept: None, .. } | Ground::Site { .. } => None,
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
            Ground::Site { site, path } => on_site(site, path, guest, binding).await,
        }
    }
}

/// As a path that means the same wherever a run is resumed.
pub fn absolute(folder: &Path) -> Result<String, Failure> {
    let path = std::path::absolute(folder)
        .map_err(|error| Failure::usage(format!("{}: {error}", folder.display())))?;
    path.into_os_string()
        .into_string()
        .map_err(|path| Failure::usage(format!("{path:?} is not text")))
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
        return World::builtin().map_err(|error| Failure::internal(error.to_string()));
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::usage(format!(
            "the world file {} cannot be read: {error}; `wreimage lab show` prints one to begin with",
            path.display()
        ))
    })?;
    World::parse(&text)
        .map_err(|error| Failure::usage(format!("the world file {}: {error}", path.display())))
}

fn in_lab(lab: &Lab, binding: &Binding, shares: bool) -> Surroundings {
    let site = lab.look(|world| world.site().to_owned());
    let providers = lab.providers_for(&binding.host, binding.task.as_deref());
    let seat = shares.then(|| Arc::new(lab.join()));
    let mut services = Services::new(providers);
    services.clock = seat
        .as_ref()
        .map_or_else(|| lab.clock(), |seat| seat.clock());
    services.twin = Some(twin_maker(&site, binding, &Absent::new()));
    services.lease = Some(lab_leasing(lab, leasing::controller(None), ""));
    Surroundings {
        grants: Grants::all("the lab"),
        site,
        policy: None,
        absent: Absent::new(),
        decided: None,
        limits: Limits::default(),
        console: None,
        notifier: None,
        keeper: None,
        seat,
        services,
    }
}

/// What a guest may use on a site.
fn limits(site: &wreimage_site::Limits) -> Limits {
    let bytes = |size: wreimage_site::Size| usize::try_from(size.0).unwrap_or(usize::MAX);
    Limits {
        memory: bytes(site.guest_memory),
        fuel: site.fuel,
        text: bytes(site.text),
        list: usize::try_from(site.list).unwrap_or(usize::MAX),
        call: bytes(site.call),
        records: site.records,
        journal: site.journal.0,
    }
}

/// The capabilities that a site takes from the lab.
fn from_lab(site: &Site) -> Vec<&'static str> {
    let choices = site.choices();
    let from_lab = choices.iter().filter(|(_, choice)| **choice == Choice::Lab);
    from_lab.map(|(name, _)| *name).collect()
}

async fn on_site(
    site: &Site,
    path: &Path,
    guest: &Named,
    binding: &Binding,
) -> Result<Surroundings, Failure> {
    let host = binding.host.as_str();
    let mut providers = site
        .open(host)
        .map_err(|error| Failure::usage(error.to_string()))?;
    let choices = site.choices();
    // What the site file does not name, the site does not have.
    let absent: Absent = wreimage_capability::ALL
        .iter()
        .filter(|capability| capability.server == Server::Provider)
        .map(|capability| capability.name)
        .filter(|name| !matches!(choices.get(name), Some(Choice::Live | Choice::Lab)))
        .map(str::to_owned)
        .collect();
    let from_lab = from_lab(site);
    let mut observer = None;
    if !from_lab.is_empty() {
        let around = match site.world() {
            Some(path) => world(Some(&path))?,
            None => World::bare(site.name()),
        };
        let lab = Lab::new(around, Pace::Real);
        if absent.contains(PUPPET_CA) {
            lab.autosign();
        }
        observer = Some(mix(lab, binding, &from_lab, &mut providers).await);
    }
    let granted = |it: &Component| site.granted(&it.name, &it.digest, host);
    let of_guest = Grants::only(
        granted(&guest.guest),
        format!("the site file {}", path.display()),
    );
    let grants = guest
        .plugs
        .iter()
        .fold(of_guest, |all, plug| all.and_to_plug(granted(plug)));
    let limits = limits(site.limits());
    let mut services = Services::new(providers);
    services.clock = Arc::new(SystemClock);
    services.twin = Some(twin_maker(site.name(), binding, &absent));
    services.observer = observer;
    services.redactor = Some(site.redactor());
    let waits = site.waits().clone();
    services.waits =
        Some(
            Arc::new(move |function: &Function, asked| waits.apply(&function.to_string(), asked))
                as WaitPolicy,
        );
    Ok(Surroundings {
        site: site.name().to_owned(),
        policy: Some(site.digest().to_owned()),
        grants,
        absent,
        decided: Some(Decided::by(site)),
        limits,
        console: site.console_command(host),
        notifier: site.notifier(),
        keeper: site
            .keeper(host)
            .map_err(|error| Failure::usage(error.to_string()))?,
        seat: None,
        services,
    })
}

/// Serves some capabilities from a lab whose copy of the host follows the live ones.
async fn mix(
    lab: Lab,
    binding: &Binding,
    from_lab: &[&'static str],
    providers: &mut Providers,
) -> Observer {
    let host = binding.host.as_str();
    // The lab's copy of the machine begins with what the live inventory says of it.
    let call = Call::alone();
    for function in [
        &netbox::functions::get_device,
        &netbox::functions::get_switch_port,
    ] {
        let Some(provider) = providers.get(function.capability) else {
            continue;
        };
        let arguments = serde_json::json!({});
        if let Ok(Polled::Ready(outcome)) = provider.perform(&call, function, &arguments).await {
            lab.follow(host, function, &arguments, &outcome);
        }
    }
    let simulated = lab.providers_for(host, binding.task.as_deref());
    for name in from_lab {
        if let Some(provider) = simulated.get(name) {
            providers.add((name, provider));
        }
    }
    let host = host.to_owned();
    let lab_served: Vec<&'static str> = from_lab.to_vec();
    Arc::new(move |function, arguments, outcome| {
        if !lab_served.contains(&function.capability) {
            lab.follow(&host, function, arguments, outcome);
        }
    })
}
