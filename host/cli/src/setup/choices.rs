//! Values of a guest's options that `--help` and completion show. They come from a file: nothing is asked over a network.

use crate::arguments::Place;
use crate::setup::backend;
use crate::setup::files;
use clap::Command;
use clap::builder::PossibleValuesParser;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use wreimage_capability::dhcp::{Release, functions};
use wreimage_engine::{Description, OptionSpec};
use wreimage_site::Site;

/// The mark in an option's `extra` that says where its values come from.
const MARK: &str = "choices-from";

/// Values that the help shows of one option.
const SHOWN: usize = 12;

/// What is known at a place without asking anybody.
#[derive(Debug, Default)]
pub struct Choices {
    releases: Vec<Release>,
}

impl Choices {
    /// The releases of the place that these words name. Nothing when its file cannot be read: a run reports that.
    pub fn of_words(words: &[OsString]) -> Self {
        Self::of(&place(words))
    }

    /// The releases of this place.
    pub fn of(place: &Place) -> Self {
        let site = place.site.clone().or_else(|| {
            let lab = place.lab.is_some() || place.world.is_some();
            (!lab).then(files::site_file).flatten()
        });
        let releases = match site {
            Some(path) => Site::load(path).ok().and_then(|site| {
                match files::lists() {
                    Some(folder) => site.with_cache(&folder),
                    None => site,
                }
                .remembered(&functions::get_releases)
            }),
            None => backend::world(place.lab.as_ref().and_then(Option::as_deref))
                .ok()
                .and_then(|world| world.install_server().releases()),
        };
        Choices {
            releases: releases.unwrap_or_default(),
        }
    }

    fn values(&self, spec: &OptionSpec) -> Vec<String> {
        let source = spec.extra.iter().find(|(key, _)| key == MARK);
        match source.map(|(_, source)| source.as_str()) {
            Some("dhcp.releases") => {
                let releases = self.releases.iter();
                releases.map(|it| it.distribution.clone()).collect()
            }
            Some("dhcp.media") => {
                let media = self.releases.iter().flat_map(|it| it.media.clone());
                media.collect::<BTreeSet<_>>().into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// The command line with these values in the help of the options that take them. Other values stay possible.
    pub fn in_help(&self, command: Command, description: &Description) -> Command {
        self.add(command, description, |argument, values| {
            let help = argument.get_help().map(ToString::to_string);
            let more = if values.len() > SHOWN { ", …" } else { "" };
            let known: Vec<&str> = values.iter().take(SHOWN).map(String::as_str).collect();
            let known = format!("[known here: {}{more}]", known.join(", "));
            argument.help(format!("{} {known}", help.unwrap_or_default()))
        })
    }

    /// The command line with these values as those of the options, for a script that completes them.
    pub fn in_completion(&self, command: Command, description: &Description) -> Command {
        self.add(command, description, |argument, values| {
            argument.value_parser(PossibleValuesParser::new(values))
        })
    }

    fn add(
        &self,
        command: Command,
        description: &Description,
        change: impl Fn(clap::Arg, Vec<String>) -> clap::Arg,
    ) -> Command {
        command.mut_subcommand("run", |mut run| {
            for spec in &description.options {
                let values = self.values(spec);
                if !values.is_empty() {
                    run = run.mut_arg(&spec.name, |argument| change(argument, values));
                }
            }
            run
        })
    }
}

/// Whether the words ask for help.
pub fn is_help(words: &[OsString]) -> bool {
    words.iter().any(|word| word == "--help" || word == "-h")
}

/// The place that the words of a command line name. The help is printed before they are checked.
fn place(words: &[OsString]) -> Place {
    let mut place = Place {
        lab: None,
        world: None,
        site: None,
    };
    let mut words = words.iter().filter_map(|word| word.to_str());
    while let Some(word) = words.next() {
        match word {
            "--" => break,
            "--lab" => place.lab = Some(None),
            "--site" => place.site = words.next().map(PathBuf::from),
            "--world" => place.world = words.next().map(PathBuf::from),
            _ => {
                if let Some(file) = word.strip_prefix("--lab=") {
                    place.lab = Some(Some(PathBuf::from(file)));
                } else if let Some(file) = word.strip_prefix("--site=") {
                    place.site = Some(PathBuf::from(file));
                } else if let Some(folder) = word.strip_prefix("--world=") {
                    place.world = Some(PathBuf::from(folder));
                }
            }
        }
    }
    place
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_place_is_read_wherever_it_stands() {
        let place = |words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            super::place(&words)
        };
        let site = place(&["wreimage", "run", "reimage", "--site", "a.toml", "--help"]);
        assert_eq!(site.site, Some(PathBuf::from("a.toml")));
        let site = place(&["wreimage", "run", "reimage", "-h", "--site=b.toml"]);
        assert_eq!(site.site, Some(PathBuf::from("b.toml")));
        let lab = place(&["wreimage", "run", "reimage", "--lab=w.toml", "--help"]);
        assert_eq!(lab.lab, Some(Some(PathBuf::from("w.toml"))));
        assert_eq!(place(&["wreimage", "run", "--", "--lab"]).lab, None);
    }
}
