//! The install server's DHCP entries.

use crate::event::Event;
use crate::install_server::{Served, Unwritable};
use crate::seat::Seat;
use crate::world::World;
use wreimage_capability::dhcp::{Entry, Provider, Published, Release};
use wreimage_capability::{Call, Fault, from_millis};

pub(crate) struct Dhcp(pub(crate) Seat);

fn system(world: &World) -> String {
    format!("install server {}", world.site())
}

fn reachable(world: &World) -> Result<(), Fault> {
    if world.server.reachable {
        return Ok(());
    }
    Err(Fault::unreachable(
        "dhcp.unreachable",
        system(world),
        format!("the install server of {} does not answer SSH", world.site()),
    ))
}

/// Lower-case letters, digits, dot, dash: nothing else may come near a configuration file.
fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-'))
}

fn check_word(world: &World, what: &str, text: &str) -> Result<(), Fault> {
    if is_word(text) {
        return Ok(());
    }
    let shown: String = text.chars().take(64).collect();
    Err(Fault::rejected(
        "dhcp.bad-word",
        system(world),
        format!("{what} {shown:?} is not made of lower-case letters, digits, dots and dashes"),
    ))
}

/// The entry as a caller sees it.
fn show(served: &Served) -> Published {
    let mut published = served.published.clone();
    published.extra.push((
        "expires".to_owned(),
        from_millis(served.expires).to_string(),
    ));
    published
}

impl World {
    /// Serves an entry for a host until it expires, instead of the one before.
    pub(crate) fn serve(
        &mut self,
        host: &str,
        entry: Option<Entry>,
        published: Published,
        run: Option<&str>,
    ) -> Published {
        self.server.publications += 1;
        let generation = self.server.publications;
        let expires = self.now.saturating_add(self.times.entry_expiry);
        self.events.add(
            expires,
            Event::EntryExpires {
                host: host.to_owned(),
                generation,
            },
        );
        let served = Served {
            entry,
            published,
            run: run.map(str::to_owned),
            expires,
            generation,
        };
        let shown = show(&served);
        self.server.entries.insert(host.to_owned(), served);
        shown
    }
}

impl Provider for Dhcp {
    async fn get_releases(&self, _call: &Call) -> Result<Vec<Release>, Fault> {
        self.0.look(|_, world| {
            reachable(world)?;
            world.server.releases().ok_or_else(|| {
                Fault::unsupported(
                    wreimage_facts::code::RELEASES_UNKNOWN,
                    system(world),
                    "nothing lists the releases that the install server has",
                )
            })
        })
    }

    async fn get_published(&self, _call: &Call) -> Result<Option<Published>, Fault> {
        self.0.look(|_, world| {
            reachable(world)?;
            Ok(world.server.entries.get(&*self.0.host).map(show))
        })
    }

    async fn publish(&self, call: &Call, entry: Entry) -> Result<Published, Fault> {
        let path = format!("{}-{}", entry.distribution, entry.media);
        let published = self.0.change(|world, host| {
            check_word(world, "distribution", &entry.distribution)?;
            check_word(world, "media", &entry.media)?;
            reachable(world)?;
            let written = match world.machine(host) {
                Some(machine) => world.server.write(machine, &entry),
                None => Err(Unwritable::Lacks("device")),
            };
            let published = written.map_err(|why| match why {
                Unwritable::Lacks(what) => Fault::not_found(
                    "dhcp.nothing-to-match",
                    system(world),
                    format!("the inventory has no {what} of {host}, which the DHCP entry needs; add it in NetBox"),
                ),
                Unwritable::Unsupported(what) => Fault::unsupported(
                    "dhcp.unsupported",
                    system(world),
                    format!("this site does not have {what}"),
                ),
            })?;
            if world.server.rejects > 0 {
                world.server.rejects -= 1;
                world.server.entries.remove(host);
                world.tell(host, "DHCP server refuses the configuration; the entry is taken out again");
                return Err(Fault::rejected(
                    "dhcp.refused",
                    system(world),
                    format!(
                        "the DHCP server refuses its configuration with {}; the entry was taken out again",
                        published.location
                    ),
                ));
            }
            let replaced = match world.server.entries.get(host) {
                None => "",
                Some(old) if old.published.digest == published.digest => " once more",
                Some(_) => " instead of another one",
            };
            world.tell(
                host,
                format!(
                    "DHCP entry published{replaced}: {}-{} for {}",
                    entry.distribution, entry.media, published.matches
                ),
            );
            Ok(world.serve(host, Some(entry), published, Some(&call.run)))
        })?;
        self.0.mark(
            call,
            "dhcp.publish",
            &format!("whether the install server has {path} and takes the entry"),
        );
        Ok(published)
    }

    async fn withdraw(&self, call: &Call) -> Result<bool, Fault> {
        self.0.change(|world, host| {
            reachable(world)?;
            let Some(there) = world.server.entries.get(host) else {
                return Ok(false);
            };
            // By run: another run of the same release publishes the same text.
            if there.run.as_deref() != Some(&*call.run) {
                let there = &there.published;
                let short: String = there.digest.chars().take(12).collect();
                return Err(Fault::conflict(
                    "dhcp.not-ours",
                    system(world),
                    format!(
                        "{} is not the entry of this run (digest {short}…); it stays. Find out whose it is before you remove it",
                        there.location
                    ),
                ));
            }
            world.server.entries.remove(host);
            world.tell(host, "DHCP entry withdrawn");
            Ok(true)
        })
    }

    async fn clear(&self, _call: &Call) -> Result<bool, Fault> {
        self.0.change(|world, host| {
            reachable(world)?;
            let was_there = world.server.entries.remove(host).is_some();
            if was_there {
                world.tell(host, "DHCP entry removed, whoever published it");
            }
            Ok(was_there)
        })
    }
}
