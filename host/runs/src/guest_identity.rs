//! The components of a guest as the grants of a site name them.

use wreimage_engine::Guest;
use wreimage_journal::Header;

/// The components of a guest as a site's grants name them.
#[derive(Debug, Clone)]
pub struct Named {
    /// The guest itself, without its plugs.
    pub guest: Component,
    /// What is plugged in.
    pub plugs: Vec<Component>,
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

/// One of them.
#[derive(Debug, Clone)]
pub struct Component {
    /// Its name, as it describes itself.
    pub name: String,
    /// SHA-256 of its file.
    pub digest: String,
}

impl Component {
    fn new(name: &str, digest: &str) -> Self {
        Component {
            name: name.to_owned(),
            digest: digest.to_owned(),
        }
    }
}
