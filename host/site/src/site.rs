//! A site, ready to be asked and opened.

use crate::file::{Policy, Retention, SiteFile};
use crate::grants::Grant;
use crate::limits::Limits;
use crate::notify::Notifier;
use crate::waits::Waits;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use wreimage_capability::lease::{Lease, LeaseResult};
use wreimage_capability::{ALL, Function, Providers};
use wreimage_live::{
    Choice, ConfigError, Keeper, NamedFile, Naming, Place, Prompter, Redactor, Secret, SecretRef,
    Systems, bounded, digest, redacted, terminal,
};

/// A site whose file has been read. Opening it for a host makes no traffic; secrets are read when first needed.
#[derive(Clone)]
pub struct Site {
    file: Arc<SiteFile>,
    digest: String,
    shown: Vec<(String, String)>,
    waits: Waits,
    /// All clones of a site share the ways to its systems.
    pub(crate) systems: Systems,
    notify_secret: Option<Secret>,
    prompter: Prompter,
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site")
            .field("name", &self.file.name)
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}

impl Site {
    /// Reads a site file and, if it names one, its inventory. Secrets are not read yet.
    ///
    /// # Errors
    /// What [`SiteFile::read`] says; the same for the inventory.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let text = bounded::read(path, bounded::DESCRIPTION)
            .map_err(|error| ConfigError::unreadable(path, error))?;
        let file = SiteFile::parse(path, &text)?;
        let prompter: Prompter = Arc::new(terminal::ask);
        let place = Place {
            name: file.name.clone(),
            naming: Naming {
                domain: file.domain.get_ref().clone(),
                management: file.management.clone(),
            },
            file: path.to_owned(),
            cache: None,
            proc: "/proc".to_owned(),
        };
        let site = Site {
            waits: Waits::new(&file.waits),
            digest: digest::sha256(text.as_bytes()),
            shown: crate::shown::digests(&text),
            systems: systems(&file, place.clone(), &prompter),
            notify_secret: notify_secret(&file, &place, &prompter),
            file: Arc::new(file),
            prompter,
        };
        for (_, read) in site.files() {
            read?;
        }
        Ok(site)
    }

    /// The systems of another place or prompter, configured anew.
    fn configured(mut self, place: Place) -> Self {
        self.systems = systems(&self.file, place, &self.prompter);
        self
    }

    /// Asks for secrets with `prompter` instead of on the terminal. It gets the label that the site file gives.
    #[must_use]
    pub fn with_prompter(mut self, prompter: Prompter) -> Self {
        let place = self.place().clone();
        self.notify_secret = notify_secret(&self.file, &place, &prompter);
        self.prompter = prompter;
        self.configured(place)
    }

    /// Keeps in this folder of the user what the site's commands list, for [`Site::remembered`].
    #[must_use]
    pub fn with_cache(self, folder: &Path) -> Self {
        let mut place = self.place().clone();
        place.cache = Some(folder.to_owned());
        self.configured(place)
    }

    /// Has the install server's boot ID and uptime read from this folder instead of `/proc`: for tests.
    #[doc(hidden)]
    #[must_use]
    pub fn with_proc(self, proc: &Path) -> Self {
        let mut place = self.place().clone();
        place.proc = proc.display().to_string();
        self.configured(place)
    }

    fn place(&self) -> &Place {
        self.systems.place()
    }

    /// What a read would answer here as far as that is known without any traffic, such as the releases that can be installed;
    /// `None` when it is not known.
    pub fn remembered<T: DeserializeOwned>(&self, function: &Function) -> Option<T> {
        self.systems.remembered(function)
    }

    pub(crate) fn files(&self) -> Vec<NamedFile> {
        self.file.tables.files(self.place())
    }

    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.systems.secrets().chain(&self.notify_secret)
    }

    /// Asks for the secrets that the site file wants typed, now, before a live list takes the screen.
    ///
    /// # Errors
    /// When one cannot be asked for.
    pub async fn ask_secrets(&self) -> Result<(), ConfigError> {
        for secret in self.secrets() {
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
        &self.place().file
    }

    /// SHA-256 of the site file's text, in hexadecimal: a run pins it.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Folder of the runs' records, when the site file names one.
    pub fn state(&self) -> Option<PathBuf> {
        self.file
            .state
            .as_ref()
            .map(|state| self.place().resolve(state))
    }

    /// Who serves each capability that has a provider. One without a table in the site file is absent.
    pub fn choices(&self) -> BTreeMap<&'static str, Choice> {
        let mut choices = self.file.tables.choices();
        let file = &self.file;
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
        Some(self.place().resolve(world))
    }

    /// The live providers, bound to the host of that short name. Makes no traffic and reads no secret.
    ///
    /// # Errors
    /// When `host` is not a short host name, or the inventory cannot be read.
    pub fn open(&self, host: &str) -> Result<Providers, ConfigError> {
        Ok(self.systems.open(&self.systems.host(host)?))
    }

    /// Renews what a run for that host has published and what expires by itself; `None` when nothing does. To be driven
    /// for as long as the run is open: see [`Keeper::keep`].
    ///
    /// # Errors
    /// As [`Site::open`].
    pub fn keeper(&self, host: &str) -> Result<Option<Keeper>, ConfigError> {
        Ok(self.systems.keeper(&self.systems.host(host)?))
    }

    /// Whether runs publish here what expires by itself unless it is renewed.
    pub fn renews(&self) -> bool {
        // Which host it is makes no difference.
        matches!(self.keeper("any"), Ok(Some(_)))
    }

    /// Where the claims on this site's hosts are kept; `None` where controllers are not ordered.
    pub fn lease(&self) -> Option<Arc<dyn Lease>> {
        self.systems.lease()
    }

    /// Creates the lease folder on the install server; what was done, for people.
    ///
    /// # Errors
    /// [`LeaseError::Folder`](wreimage_capability::lease::LeaseError::Folder) where it cannot be created or the site has none,
    /// [`LeaseError::NoAnswer`](wreimage_capability::lease::LeaseError::NoAnswer).
    pub async fn create_lease_folder(&self) -> LeaseResult<String> {
        self.create_lease_folder_for(None).await
    }

    /// The same, with a time to live that tests may choose.
    #[doc(hidden)]
    pub async fn create_lease_folder_for(&self, ttl: Option<Duration>) -> LeaseResult<String> {
        self.systems.create_lease_folder(ttl).await
    }

    /// Why controllers are not ordered here, or only those of one machine; for consent and `site check`. `None` when they
    /// are, and where nothing is live.
    pub fn unordered(&self) -> Option<String> {
        self.systems.unordered()
    }

    /// Takes this site's secrets out of texts, once they were read.
    pub fn redactor(&self) -> Redactor {
        Arc::new(redacted)
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
        let template = self.file.console.as_ref()?;
        let host = self.systems.host(host).ok()?;
        Some(self.systems.fill(&host, template))
    }

    /// Tells somebody of runs, when the site file says whom.
    pub fn notifier(&self) -> Option<Notifier> {
        let table = self.file.notify.as_ref()?;
        Some(Notifier::new(
            table,
            self.notify_secret.clone(),
            self.place().folder(),
        ))
    }

    /// Which records of runs that have ended are kept.
    pub fn retention(&self) -> &Retention {
        &self.file.retention
    }
}

fn systems(file: &SiteFile, place: Place, prompter: &Prompter) -> Systems {
    Systems::new(&file.tables, &file.lease, place, prompter)
}

fn notify_secret(file: &SiteFile, place: &Place, prompter: &Prompter) -> Option<Secret> {
    let reference = file.notify.as_ref()?.url_secret.as_ref()?.get_ref().clone();
    let folder = place.folder();
    let secret = Secret::new("notify.url-secret", reference, folder, prompter.clone());
    Some(secret)
}
