//! A site, ready to be asked and opened.

use crate::bounded;
use crate::cache::Cache;
use crate::check::{self, CheckLine};
use crate::dns::Names;
use crate::error::SiteError;
use crate::file::{Policy, Retention, SiteFile};
use crate::grants::Grant;
use crate::inventory::Inventory;
use crate::keeper::Keeper;
use crate::lease::SharedServer;
use crate::limits::Limits;
use crate::notify::Notifier;
use crate::redact::Redactor;
use crate::secret::{Prompter, Secret, SecretRef};
use crate::tables::{
    DhcpProvider, DnsProvider, Expiry, IpmiProvider, NetboxProvider, RemoteProvider,
};
use crate::target::Target;
use crate::terminal;
use crate::waits::Waits;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wreimage_capability::dhcp::Release;
use wreimage_capability::{ALL, HostSnapshot, Providers};

/// Who serves a capability at a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// A provider of this crate, which [`Site::open`] gives.
    Live,
    /// The simulated data centre.
    Lab,
    /// Nobody: its functions answer `unsupported`.
    Absent,
}

/// A site whose file has been read. Opening it for a host makes no traffic; secrets are read when first needed.
#[derive(Clone)]
pub struct Site {
    pub(crate) file: Arc<SiteFile>,
    path: PathBuf,
    digest: String,
    shown: Vec<(String, String)>,
    folder: PathBuf,
    waits: Waits,
    cache: Cache,
    pub(crate) secrets: Secrets,
    /// Where the scripts of the install server read its boot ID and uptime: `/proc`, but in tests.
    pub(crate) proc: String,
    /// All clones of a site share the way to its install server.
    pub(crate) shared: Option<SharedServer>,
}

/// The secrets of a site, each read at most once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secrets {
    pub(crate) ipmi: Option<Secret>,
    pub(crate) installer: Option<Secret>,
    pub(crate) production: Option<Secret>,
    pub(crate) install_server: Option<Secret>,
    pub(crate) notify: Option<Secret>,
}

impl Secrets {
    fn new(file: &SiteFile, folder: &Path, prompter: &Prompter) -> Self {
        let secret = |key, reference: Option<&SecretRef>| {
            reference.map(|it| Secret::new(key, it.clone(), folder, prompter.clone()))
        };
        let remote = file.remote.as_ref();
        let installer = remote.and_then(|table| table.installer.as_ref());
        let production = remote.and_then(|table| table.production.as_ref());
        let server = file.dhcp.as_ref().and_then(|table| table.server.as_ref());
        Secrets {
            ipmi: secret(
                "ipmi.password",
                file.ipmi.as_ref().and_then(|table| table.password.as_ref()),
            ),
            installer: secret(
                "remote.installer.passphrase",
                installer.and_then(|table| table.passphrase.as_ref()),
            ),
            production: secret(
                "remote.production.passphrase",
                production.and_then(|table| table.passphrase.as_ref()),
            ),
            install_server: secret(
                "dhcp.server.passphrase",
                server.and_then(|table| table.passphrase.as_ref()),
            ),
            notify: secret(
                "notify.url-secret",
                file.notify
                    .as_ref()
                    .and_then(|table| table.url_secret.as_ref())
                    .map(toml::Spanned::get_ref),
            ),
        }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Secret> {
        [
            &self.ipmi,
            &self.installer,
            &self.production,
            &self.install_server,
            &self.notify,
        ]
        .into_iter()
        .flatten()
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site")
            .field("name", &self.file.name)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Site {
    /// Reads a site file and, if it names one, its inventory. Secrets are not read yet.
    ///
    /// # Errors
    /// What [`SiteFile::read`] says; the same for the inventory.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, SiteError> {
        let path = path.as_ref();
        let text = bounded::read(path, bounded::DESCRIPTION)
            .map_err(|error| SiteError::unreadable(path, error))?;
        let file = SiteFile::parse(path, &text)?;
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        let prompter: Prompter = Arc::new(terminal::ask);
        let mut site = Site {
            secrets: Secrets::new(&file, &folder, &prompter),
            waits: Waits::new(&file.waits),
            cache: Cache::default(),
            digest: crate::digest::sha256(text.as_bytes()),
            shown: crate::shown::digests(&text),
            file: Arc::new(file),
            path: path.to_owned(),
            folder,
            proc: "/proc".to_owned(),
            shared: None,
        };
        site.shared = site.share();
        if let Some(inventory) = site.inventory() {
            inventory.read()?;
        }
        Ok(site)
    }

    /// Asks for secrets with `prompter` instead of on the terminal. It gets the label that the site file gives.
    #[must_use]
    pub fn with_prompter(mut self, prompter: Prompter) -> Self {
        self.secrets = Secrets::new(&self.file, &self.folder, &prompter);
        self.shared = self.share();
        self
    }

    /// Keeps in this folder of the user what the site's commands list, for [`Site::known_releases`].
    #[must_use]
    pub fn with_cache(mut self, folder: &Path) -> Self {
        self.cache = Cache::new(folder, &self.path);
        self
    }

    pub(crate) fn cache(&self) -> Cache {
        self.cache.clone()
    }

    /// The releases that can be installed here, from the site file or from what its command listed last. Makes no
    /// traffic; empty when neither is known.
    pub fn known_releases(&self) -> Vec<Release> {
        let dhcp = self.file.dhcp.as_ref().filter(|_| self.is_live("dhcp"));
        dhcp.map_or_else(Vec::new, |table| {
            crate::dhcp::named(&table.boot).unwrap_or_else(|| self.cache.read())
        })
    }

    /// Asks for the secrets that the site file wants typed, now, before a live list takes the screen.
    ///
    /// # Errors
    /// When one cannot be asked for.
    pub async fn ask_secrets(&self) -> Result<(), SiteError> {
        for secret in self.secrets.all() {
            if matches!(secret.reference(), SecretRef::Prompt(_)) {
                secret.read().await?;
            }
        }
        Ok(())
    }

    /// The site's name.
    pub fn name(&self) -> &str {
        &self.file.name
    }

    /// The site file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// SHA-256 of the site file's text, in hexadecimal: a run pins it.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Folder of the runs' records, when the site file names one.
    pub fn state(&self) -> Option<PathBuf> {
        self.file.state.as_ref().map(|state| self.resolve(state))
    }

    /// Who serves each capability that has a provider. One without a table in the site file is absent.
    pub fn choices(&self) -> BTreeMap<&'static str, Choice> {
        let file = &self.file;
        let of = |lab: bool, absent: bool| match (lab, absent) {
            (true, _) => Choice::Lab,
            (_, true) => Choice::Absent,
            _ => Choice::Live,
        };
        let netbox = file.netbox.as_ref().map(|t| *t.provider.get_ref());
        let dns = file.dns.as_ref().map(|t| *t.provider.get_ref());
        let ipmi = file.ipmi.as_ref().map(|t| *t.provider.get_ref());
        let dhcp = file.dhcp.as_ref().map(|t| *t.provider.get_ref());
        let remote = file.remote.as_ref().map(|t| *t.provider.get_ref());
        let choice = |choice: Option<Choice>| choice.unwrap_or(Choice::Absent);
        let mut choices = BTreeMap::from([
            (
                "netbox",
                choice(netbox.map(|p| of(p == NetboxProvider::Lab, p == NetboxProvider::Absent))),
            ),
            (
                "dns",
                choice(dns.map(|p| of(p == DnsProvider::Lab, p == DnsProvider::Absent))),
            ),
            (
                "ipmi",
                choice(ipmi.map(|p| of(p == IpmiProvider::Lab, p == IpmiProvider::Absent))),
            ),
            (
                "dhcp",
                choice(dhcp.map(|p| of(p == DhcpProvider::Lab, p == DhcpProvider::Absent))),
            ),
            (
                "remote",
                choice(remote.map(|p| of(p == RemoteProvider::Lab, p == RemoteProvider::Absent))),
            ),
        ]);
        let simulated = file.lab.iter().flat_map(|lab| &lab.capabilities);
        for name in simulated {
            if let Some(capability) = ALL.iter().find(|it| it.name == name.get_ref()) {
                choices.insert(capability.name, Choice::Lab);
            }
        }
        choices
    }

    /// The world file of the capabilities that the lab serves, when the site file names one.
    pub fn world(&self) -> Option<PathBuf> {
        let world = self.file.lab.as_ref()?.world.as_ref()?;
        Some(self.resolve(world))
    }

    pub(crate) fn is_live(&self, capability: &str) -> bool {
        self.choices().get(capability) == Some(&Choice::Live)
    }

    /// The live providers, bound to the host of that short name. Makes no traffic and reads no secret.
    ///
    /// # Errors
    /// When `host` is not a short host name, or the inventory cannot be read.
    pub fn open(&self, host: &str) -> Result<Providers, SiteError> {
        crate::open::open(self, &self.target(host)?)
    }

    /// Renews what a run for that host has published and what expires by itself; `None` when nothing does. To be driven
    /// for as long as the run is open: see [`Keeper::keep`].
    ///
    /// # Errors
    /// As [`Site::open`].
    pub fn keeper(&self, host: &str) -> Result<Option<Keeper>, SiteError> {
        Ok(Keeper::new(self, &self.target(host)?))
    }

    /// Whether runs publish here what expires by itself unless it is renewed.
    pub fn renews(&self) -> bool {
        let dhcp = self.file.dhcp.as_ref().filter(|_| self.is_live("dhcp"));
        dhcp.is_some_and(|table| matches!(table.expiry, Expiry::After(_)))
    }

    /// Takes this site's secrets out of texts, once they were read.
    pub fn redactor(&self) -> Redactor {
        Arc::new(crate::redact::redact)
    }

    /// What guests may do here.
    pub fn grants(&self) -> &[Grant] {
        &self.file.grants
    }

    /// The interface names that this guest may use for this host.
    pub fn granted(&self, guest: &str, digest: &str, host: &str) -> Vec<String> {
        let mut names: Vec<String> = self
            .grants()
            .iter()
            .filter(|grant| grant.applies(guest, digest, host))
            .flat_map(Grant::capabilities)
            .map(str::to_owned)
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// What a guest may consume here.
    pub fn limits(&self) -> &Limits {
        &self.file.limits
    }

    /// How long and how often waits look here.
    pub fn waits(&self) -> &Waits {
        &self.waits
    }

    /// A host with one of these inventory tags is never touched.
    pub fn protected_tags(&self) -> &[String] {
        &self.file.policy.protected_tags
    }

    /// What is refused here.
    pub fn policy(&self) -> &Policy {
        &self.file.policy
    }

    /// Digests of what an operator is shown to run under, by name: grants, policy, providers. Consent is bound to them, and
    /// not to the rest of the site file.
    pub fn shown(&self) -> &[(String, String)] {
        &self.shown
    }

    /// The command that opens the console of that host, when the site file has one.
    pub fn console_command(&self, host: &str) -> Option<String> {
        let target = self.target(host).ok()?;
        let template = self.file.console.as_ref()?;
        let device = crate::open::inventory(self, &target).and_then(|it| it.device().ok());
        let names = device.and_then(|device| target.names_in(&HostSnapshot::of(device)).ok());
        Some(names.as_ref().unwrap_or(target.derived()).fill(template))
    }

    /// Tells somebody of runs, when the site file says whom.
    pub fn notifier(&self) -> Option<Notifier> {
        let table = self.file.notify.as_ref()?;
        Some(Notifier::new(
            table,
            self.secrets.notify.clone(),
            &self.folder,
        ))
    }

    /// Which records of runs that have ended are kept.
    pub fn retention(&self) -> &Retention {
        &self.file.retention
    }

    /// Tries every read-only way to each system: reads the secrets, asks the install server, and with a host also its
    /// names, its BMC and the host itself.
    pub async fn check(&self, host: Option<&str>) -> Vec<CheckLine> {
        check::check(self, host).await
    }

    /// A path of the site file, which is relative to it.
    pub(crate) fn resolve(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    pub(crate) fn inventory(&self) -> Option<Inventory> {
        let path = self.file.netbox.as_ref()?.inventory.as_ref()?;
        Some(Inventory::new(self.resolve(path)))
    }

    pub(crate) fn names(&self) -> Names {
        Names::new(self.file.dns.as_ref(), |path| self.resolve(path))
    }

    pub(crate) fn target(&self, host: &str) -> Result<Target, SiteError> {
        Target::new(&self.file, host, self.is_live("netbox"))
    }
}
