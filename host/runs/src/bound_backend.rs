//! The systems that one run works on, bound to its host: what serves the run, and what the site decides of it.

use crate::error::RunsError;
use crate::guest_identity::{ComponentIdentity, GuestIdentity};
use crate::lab_lease::lab_leasing;
use crate::lab_twin::LabTwin;
use crate::recorded_site::RecordedSite;
use crate::site_lease;
use crate::world_file::read_world;
use std::path::Path;
use std::sync::Arc;
use wreimage_capability::{
    Call, Function, InstallerMarks, Polled, Providers, Server, SystemClock, netbox,
};
use wreimage_engine::{
    Absent, Grants, Limits, Observer, RunRequest, Services, SiteWaits, TwinMaker,
};
use wreimage_lab::{Lab, Pace, Participant, World};
use wreimage_site::{Choice, IdentityPolicy, Keeper, Notifier, Site};

/// What a run is bound to: no function takes any of it as an argument.
#[derive(Debug, Clone)]
pub struct RunTarget {
    /// Short name of the host.
    pub host: String,
    /// The task in the ticket system, if the run has one.
    pub task: Option<String>,
}

/// The systems that one run works on, bound to its host.
pub struct BoundBackend {
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

impl BoundBackend {
    /// Its site, as records have it.
    pub(crate) fn recorded_site(&self) -> RecordedSite {
        RecordedSite {
            name: self.site.clone(),
            digest: self.policy.clone(),
        }
    }

    /// What a run may do here.
    pub(crate) fn complete(&mut self, request: &mut RunRequest) {
        request.grants = self.grants.clone();
        request.limits = self.limits;
        request.console = self.console.take();
        if let Some(decided) = self.decided.take() {
            request.protected_tags = decided.protected_tags;
            request.unrelated_guids = decided.unrelated_guids;
            request.identity_optional = decided.identity_optional;
            if !decided.installer_marks.is_empty() {
                request.installer_marks = InstallerMarks::new(decided.installer_marks);
            }
            request.site_tables = decided.shown;
        }
    }
}

/// What a site decides of identities and protection.
pub struct Decided {
    protected_tags: Vec<String>,
    unrelated_guids: Vec<String>,
    identity_optional: bool,
    installer_marks: Vec<String>,
    shown: Vec<(String, String)>,
}

impl Decided {
    fn by(site: &Site) -> Self {
        let policy = site.policy();
        Decided {
            protected_tags: policy.protected_tags.clone(),
            unrelated_guids: policy.unrelated_guids.clone(),
            identity_optional: policy.identity == IdentityPolicy::Optional,
            installer_marks: policy.installer_marks.clone(),
            shown: site.shown().to_vec(),
        }
    }
}

/// Without this capability the lab signs every certificate request.
const PUPPET_CA: &str = "puppet-ca";

/// A twin of a host on a site without any other part of a lab.
fn twin_maker(site: &str, target: &RunTarget, absent: &Absent) -> Arc<dyn TwinMaker> {
    LabTwin::maker(site, target.task.as_deref(), absent)
}

/// In this lab. `shares`: other runs share its time.
pub(crate) fn in_lab(lab: &Lab, target: &RunTarget, shares: bool) -> BoundBackend {
    let site = lab.look(|world| world.site().to_owned());
    let providers = lab.providers_for(&target.host, target.task.as_deref());
    let seat = shares.then(|| Arc::new(lab.join()));
    let mut services = Services::new(providers);
    services.clock = seat
        .as_ref()
        .map_or_else(|| lab.clock(), |seat| seat.clock());
    services.twin = Some(twin_maker(&site, target, &Absent::new()));
    services.lease = Some(lab_leasing(
        lab,
        site_lease::controller(&site_lease::controller_name(), None),
        "",
    ));
    BoundBackend {
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

/// On a site.
///
/// # Errors
/// When the site file does not fit the host.
pub(crate) async fn on_site(
    site: &Site,
    path: &Path,
    guest: &GuestIdentity,
    target: &RunTarget,
) -> Result<BoundBackend, RunsError> {
    let host = target.host.as_str();
    let mut providers = site.open(host)?;
    let choices = site.choices();
    // What the site file does not name, the site does not have.
    let absent: Absent = wreimage_capability::ALL
        .iter()
        .filter(|capability| capability.server == Server::Provider)
        .map(|capability| capability.name)
        .filter(|name| !matches!(choices.get(name), Some(Choice::Live | Choice::Lab)))
        .map(str::to_owned)
        .collect();
    let from_lab = site_from_lab(site);
    let mut observer = None;
    if !from_lab.is_empty() {
        let around = match site.world() {
            Some(path) => read_world(&path)?,
            None => World::bare(site.name()),
        };
        let lab = Lab::new(around, Pace::Real);
        if absent.contains(PUPPET_CA) {
            lab.autosign();
        }
        observer = Some(mix(lab, target, &from_lab, &mut providers).await);
    }
    let granted = |it: &ComponentIdentity| site.granted(&it.name, &it.digest, host);
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
    services.twin = Some(twin_maker(site.name(), target, &absent));
    services.observer = observer;
    services.redactor = Some(site.redactor());
    let waits = site.waits().clone();
    services.waits =
        Some(
            Arc::new(move |function: &Function, asked| waits.apply(&function.to_string(), asked))
                as SiteWaits,
        );
    Ok(BoundBackend {
        site: site.name().to_owned(),
        policy: Some(site.digest().to_owned()),
        grants,
        absent,
        decided: Some(Decided::by(site)),
        limits,
        console: site.console_command(host),
        notifier: site.notifier(),
        keeper: site.keeper(host)?,
        seat: None,
        services,
    })
}

/// Serves some capabilities from a lab whose copy of the host follows the live ones.
async fn mix(
    lab: Lab,
    target: &RunTarget,
    from_lab: &[&'static str],
    providers: &mut Providers,
) -> Observer {
    let host = target.host.as_str();
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
    let simulated = lab.providers_for(host, target.task.as_deref());
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

/// The capabilities that a site takes from the lab.
pub(crate) fn site_from_lab(site: &Site) -> Vec<&'static str> {
    let choices = site.choices();
    let from_lab = choices.iter().filter(|(_, choice)| **choice == Choice::Lab);
    from_lab.map(|(name, _)| *name).collect()
}
