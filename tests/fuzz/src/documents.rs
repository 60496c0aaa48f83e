//! Files that a person or another controller wrote.

use crate::text;
use std::path::Path;
use wreimage_lab::World;
use wreimage_scenario::Scenario;
use wreimage_site::SiteFile;

/// `batches/ID.json` of a state folder.
pub fn batch(data: &[u8]) {
    wreimage::fuzzing::batch(&text(data));
}

/// An expression for hosts: what it names is a bounded number of valid host names, none of them twice.
pub fn hosts(data: &[u8]) {
    let Some(names) = wreimage::fuzzing::hosts(&text(data)) else {
        return;
    };
    assert!((1..=1000).contains(&names.len()), "{} names", names.len());
    for name in &names {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(name.chars().all(allowed), "{name:?}");
    }
    let mut once = names.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), names.len());
}

/// A scenario file, with its conditions.
pub fn scenario(data: &[u8]) {
    let _ = Scenario::parse(Path::new("scenario.toml"), &text(data));
}

/// A site file, and an inventory file.
pub fn site(data: &[u8]) {
    let text = text(data);
    if let Err(error) = SiteFile::parse(Path::new("site.toml"), &text) {
        assert!(!error.to_string().is_empty());
    }
    let _ = wreimage_live::fuzzing::inventory(&text);
}

/// A world file. One that is accepted can be saved, and is then the same world.
pub fn world(data: &[u8]) {
    let Ok(world) = World::parse(&text(data)) else {
        return;
    };
    let saved = world.save();
    let again = World::restore(&saved).expect("a world that was saved is restored");
    assert_eq!(again.save(), saved);
}
