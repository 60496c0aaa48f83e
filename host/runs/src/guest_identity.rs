//! The components of a guest as the grants of a site name them.

use wreimage_engine::Guest;
use wreimage_journal::Header;

/// The components of a guest, by which a site grants.
#[derive(Debug, Clone)]
pub struct GuestIdentity {
    /// The guest itself, without its plugs.
    pub guest: ComponentIdentity,
    /// What is plugged in.
    pub plugs: Vec<ComponentIdentity>,
}

impl GuestIdentity {
    /// The identity of this guest.
    pub fn of(guest: &Guest) -> Self {
        let plugs = guest.plugs().iter();
        GuestIdentity {
            guest: ComponentIdentity::new(&guest.description().name, guest.own_digest()),
            plugs: plugs
                .map(|plug| ComponentIdentity::new(&plug.description.name, &plug.digest))
                .collect(),
        }
    }

    /// The guest of a run that cannot be loaded: nothing of it calls.
    pub fn absent(header: &Header) -> Self {
        GuestIdentity {
            guest: ComponentIdentity::new(&header.guest, &header.guest_digest),
            plugs: Vec::new(),
        }
    }
}

/// A component.
#[derive(Debug, Clone)]
pub struct ComponentIdentity {
    /// Its name, as it describes itself.
    pub name: String,
    /// SHA-256 of its file.
    pub digest: String,
}

impl ComponentIdentity {
    fn new(name: &str, digest: &str) -> Self {
        ComponentIdentity {
            name: name.to_owned(),
            digest: digest.to_owned(),
        }
    }
}
