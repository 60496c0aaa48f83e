//! Where a run works: the lab, a real site, or a mixture.

use crate::arguments::Place;
use crate::exit::Failure;
use crate::files;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wreimage_capability::{Call, Clock, Function, Polled, Providers, Server, SystemClock, netbox};
use wreimage_engine::{
    Absent, Engine, Grants, Guest, Limits, Observer, Seen, Services, Twin, TwinMaker, WaitPolicy,
};
use wreimage_lab::{Lab, Pace, World};
use wreimage_site::{Choice, Site};

/// Loads a guest by path or name, with the compilation cache.
pub async fn load_guest(name: &str) -> Result<(Engine, Guest, Vec<u8>), Failure> {
    let path = files::guest(name)?;
    load_guest_file(&path).await
}

/// Loads a guest from this file.
pub async fn load_guest_file(path: &Path) -> Result<(Engine, Guest, Vec<u8>), Failure> {
    let bytes = std::fs::read(path)
        .map_err(|error| Failure::usage(format!("{} cannot be read: {error}", path.display())))?;
    let cache = files::cache();
    let engine = Engine::new(cache.as_deref()).map_err(|error| {
        Failure::internal(format!("the WebAssembly engine cannot start: {error:#}"))
    })?;
    let guest = Guest::load(&engine, &bytes)
        .await
        .map_err(|error| Failure::refused(format!("{}: {error}", path.display())))?;
    Ok((engine, guest, bytes))
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
    /// Said on stderr before anything else.
    pub notice: Option<String>,
    /// What guests may call here.
    pub grants: Grants,
    /// What the site does not have.
    pub absent: Absent,
    /// Tags that forbid any change.
    pub protected_tags: Option<Vec<String>>,
    /// What a guest may use.
    pub limits: Limits,
    /// The command that opens the host's console.
    pub console: Option<String>,
    /// Where runs are recorded.
    pub state: PathBuf,
    /// How fast its time passes.
    pub pace: Pace,
    /// The rest.
    pub services: Services,
}

/// Without this capability, whoever asks for a certificate gets it.
const PUPPET_CA: &str = "puppet-ca";

/// Makes the twin of a rehearsal in a lab of its own.
struct LabTwin {
    site: String,
    task: Option<String>,
    /// There is no `puppet-ca` to sign a request.
    autosign: bool,
}

impl TwinMaker for LabTwin {
    fn make(&self, host: &str, seen: &[Seen], clock: &dyn Clock) -> Result<Twin, String> {
        let reads: Vec<_> = seen
            .iter()
            .map(|seen| (seen.function, seen.arguments.clone(), seen.outcome.clone()))
            .collect();
        let lab = Lab::twin(&self.site, host, &reads, clock.now());
        if self.autosign {
            lab.autosign();
        }
        Ok(Twin {
            providers: lab.providers_for(host, self.task.as_deref()),
            clock: lab.clock(),
        })
    }
}

/// A twin of a host on a site without any other part of a lab.
fn twin_maker(site: &str, binding: &Binding, absent: &Absent) -> Arc<dyn TwinMaker> {
    Arc::new(LabTwin {
        site: site.to_owned(),
        task: binding.task.clone(),
        autosign: absent.contains(PUPPET_CA),
    })
}

/// Chooses the place: `--lab` with its world, a site file, or the lab when there is no site file anywhere.
pub async fn choose(
    place: &Place,
    guest: &Guest,
    binding: &Binding,
    pace: Pace,
) -> Result<Surroundings, Failure> {
    let kept = place.world.as_deref();
    if let Some(file) = &place.lab {
        return lab(world(file.as_deref())?, kept, binding, pace, None);
    }
    if kept.is_some() {
        return lab(world(None)?, kept, binding, pace, None);
    }
    match place.site.clone().or_else(files::site_file) {
        Some(path) => site(&path, guest, binding).await,
        None => lab(
            world(None)?,
            None,
            binding,
            pace,
            Some("no site file was found: this is the lab, a simulated data centre; nothing real is touched".to_owned()),
        ),
    }
}

/// Where the runs of this place are recorded.
pub fn state_of(place: &Place) -> Result<PathBuf, Failure> {
    if place.lab.is_none()
        && place.world.is_none()
        && let Some(path) = place.site.clone().or_else(files::site_file)
    {
        let site = Site::load(&path).map_err(|error| Failure::usage(error.to_string()))?;
        if let Some(state) = site.state() {
            return Ok(state);
        }
    }
    files::state()
}

/// The world of this file, or the built-in one.
fn world(file: Option<&Path>) -> Result<World, Failure> {
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

fn lab(
    world: World,
    kept: Option<&Path>,
    binding: &Binding,
    pace: Pace,
    notice: Option<String>,
) -> Result<Surroundings, Failure> {
    let lab = match kept {
        None => Lab::new(world, pace),
        Some(folder) => {
            Lab::kept(folder, || world, pace).map_err(|error| Failure::usage(error.to_string()))?
        }
    };
    let site = lab.look(|world| world.site().to_owned());
    let providers = lab.providers_for(&binding.host, binding.task.as_deref());
    let mut services = Services::new(providers);
    services.clock = lab.clock();
    services.twin = Some(twin_maker(&site, binding, &Absent::new()));
    Ok(Surroundings {
        grants: Grants::all("the lab"),
        site,
        notice,
        absent: Absent::new(),
        protected_tags: None,
        limits: Limits::default(),
        console: None,
        state: files::state()?,
        pace,
        services,
    })
}

async fn site(path: &Path, guest: &Guest, binding: &Binding) -> Result<Surroundings, Failure> {
    let host = binding.host.as_str();
    let site = Site::load(path).map_err(|error| Failure::usage(error.to_string()))?;
    site.ask_secrets()
        .await
        .map_err(|error| Failure::refused(error.to_string()))?;
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
    let from_lab: Vec<&'static str> = choices
        .iter()
        .filter(|(_, choice)| **choice == Choice::Lab)
        .map(|(name, _)| *name)
        .collect();
    let mut observer = None;
    let mut notice = None;
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
        notice = Some(format!(
            "from the lab on site {}: {}; the rest is real",
            site.name(),
            from_lab.join(", ")
        ));
    }
    let granted = site.granted(&guest.description().name, guest.digest(), host);
    let limits = Limits {
        memory: usize::try_from(site.limits().guest_memory.0).unwrap_or(usize::MAX),
        fuel: site.limits().fuel,
    };
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
        notice,
        grants: Grants::only(granted, format!("the site file {}", path.display())),
        absent,
        protected_tags: Some(site.protected_tags().to_vec()),
        limits,
        console: site.console_command(host),
        state: match site.state() {
            Some(state) => state,
            None => files::state()?,
        },
        pace: Pace::Real,
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
