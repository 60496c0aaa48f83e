//! Guests and hosts with the bugs of the past: each must make the scenarios fail that were written against its bug, or
//! break the invariants.
//!
//! A mutant is a patch in `tests/scenarios/mutants`. Its first lines say what the bug is and what must notice it.

mod mutant;
mod trial;
mod workshop;

use anyhow::{Result, bail};
use mutant::Mutant;
use std::path::PathBuf;
use std::time::Instant;
use trial::Pair;
use workshop::Workshop;

/// Builds each mutant of the guest or, when asked for, of the host, or those whose names hold one of these texts, and tries
/// what must notice it.
///
/// # Errors
/// Names each mutant that does not apply, does not compile, or is not noticed.
pub fn run(wanted: &[String], of_the_host: bool) -> Result<()> {
    let mut mutants = mutant::all(&folder())?;
    mutants.retain(|it| it.is_of_the_host() == of_the_host);
    let mutants = choose(mutants, wanted)?;
    let workshop = if of_the_host {
        Workshop::of_hosts()?
    } else {
        Workshop::of_guests()?
    };
    all_pass(&workshop.without_mutation()?, &mutants)?;
    let began = Instant::now();
    let mut bad = Vec::new();
    for mutant in &mutants {
        let tried = workshop
            .with(mutant)
            .and_then(|pair| pair.unnoticed(mutant));
        let error = match tried {
            Ok(unnoticed) if unnoticed.is_empty() => {
                println!("bites  {}  {}", mutant.name, mutant.scenarios.join(" "));
                continue;
            }
            Ok(unnoticed) => format!("not noticed by {}", unnoticed.join(", ")),
            Err(error) => format!("{error:#}"),
        };
        println!("FAILS  {}  {error}", mutant.name);
        bad.push(mutant.name.as_str());
    }
    println!(
        "{} mutants: {} bite; {:.0} s",
        mutants.len(),
        mutants.len() - bad.len(),
        began.elapsed().as_secs_f64()
    );
    if !bad.is_empty() {
        bail!("mutants that do not bite: {}", bad.join(", "));
    }
    Ok(())
}

/// The names of the host's mutants.
///
/// # Errors
/// When a patch cannot be read.
pub fn of_the_host() -> Result<Vec<String>> {
    let all = mutant::all(&folder())?.into_iter();
    let of_the_host = all.filter(Mutant::is_of_the_host);
    Ok(of_the_host.map(|it| it.name).collect())
}

fn folder() -> PathBuf {
    trial::scenarios().join("mutants")
}

/// What fails without any mutation would notice each.
fn all_pass(pair: &Pair, mutants: &[Mutant]) -> Result<()> {
    for mutant in mutants {
        let all = mutant.scenarios.len() + mutant.broken.len();
        if pair.unnoticed(mutant)?.len() < all {
            bail!(
                "what must notice {} fails without any mutation: it shows nothing",
                mutant.name
            );
        }
    }
    Ok(())
}

/// Those whose names hold one of the texts; all without any.
fn choose(mut mutants: Vec<Mutant>, wanted: &[String]) -> Result<Vec<Mutant>> {
    if let Some(text) = wanted
        .iter()
        .find(|text| !mutants.iter().any(|it| it.name.contains(*text)))
    {
        bail!("no such mutant is named like `{text}`; those of the host are tried with --host");
    }
    mutants.retain(|it| wanted.is_empty() || wanted.iter().any(|text| it.name.contains(text)));
    if mutants.is_empty() {
        bail!("there are no mutants");
    }
    Ok(mutants)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository;
    use anyhow::Context;
    use mutant::By;
    use std::collections::BTreeSet;
    use std::fs;

    #[test]
    fn every_mutant_applies_and_names_what_exists() {
        let mutants = mutant::all(&folder()).unwrap();
        assert!(mutants.iter().any(Mutant::is_of_the_host));
        let invariants = fs::read_to_string(trial::invariants()).unwrap();
        for mutant in mutants {
            for name in &mutant.scenarios {
                assert!(trial::scenario(name).exists(), "{}: {name}", mutant.name);
            }
            for broken in &mutant.broken {
                let name = format!("name = \"{}\"\n", broken.invariant);
                assert!(invariants.contains(&name), "{}: {broken:?}", mutant.name);
                let by = match &broken.by {
                    By::Scenario(name) => Some(trial::scenario(name)),
                    By::Case { scenario, .. } => scenario.as_deref().map(trial::swept),
                };
                let exists = by.is_none_or(|it| it.exists());
                assert!(exists, "{}: {broken:?}", mutant.name);
            }
            let applies = workshop::apply(repository::root(), &mutant.patch, &["--check"]);
            applies.with_context(|| mutant.name.clone()).unwrap();
        }
    }

    /// What cannot fail proves nothing.
    #[test]
    fn every_scenario_and_every_invariant_has_a_mutant() {
        let mutants = mutant::all(&folder()).unwrap();
        let named: BTreeSet<&str> = mutants
            .iter()
            .flat_map(|it| it.scenarios.iter().map(String::as_str))
            .collect();
        let mut without: Vec<String> = Vec::new();
        for entry in fs::read_dir(trial::scenarios()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            if path.extension().is_some_and(|it| it == "toml") && !named.contains(name.as_str()) {
                without.push(name);
            }
        }
        let broken = |name: &str| {
            mutants
                .iter()
                .flat_map(|it| &it.broken)
                .any(|it| it.invariant == name)
        };
        let invariants = fs::read_to_string(trial::invariants()).unwrap();
        let names = invariants
            .lines()
            .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
        without.extend(names.filter(|name| !broken(name)).map(str::to_owned));
        without.sort();
        assert_eq!(without, Vec::<String>::new());
    }

    /// The table beside the scenarios has a row for each failure, with its scenarios and what they are shown to fail with.
    #[test]
    fn the_table_has_all_scenarios_and_mutants() {
        let quoted = |cell: &str| -> BTreeSet<String> {
            cell.split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect()
        };
        let mutants = mutant::all(&folder()).unwrap();
        let table = fs::read_to_string(trial::scenarios().join("README.md")).unwrap();
        for row in table.lines().filter(|line| line.starts_with("| F")) {
            let cells: Vec<&str> = row.split(" | ").collect();
            let failure = format!("{}-", cells.first().unwrap().trim_start_matches("| "));
            let files = fs::read_dir(trial::scenarios()).unwrap();
            let scenarios: BTreeSet<String> = files
                .filter_map(|entry| {
                    let name = entry.unwrap().file_name().into_string().unwrap();
                    let name = name.strip_prefix(&failure)?.strip_suffix(".toml")?;
                    Some(name.to_owned())
                })
                .collect();
            assert_eq!(quoted(cells.get(2).unwrap()), scenarios, "{failure}");
            let of_it = |mutant: &&Mutant| {
                let breaks = mutant.broken.iter().filter_map(|it| match &it.by {
                    By::Scenario(name) => Some(name),
                    By::Case { .. } => None,
                });
                let mut names = mutant.scenarios.iter().chain(breaks);
                names.any(|name| name.starts_with(&failure))
            };
            let biting = mutants.iter().filter(of_it).map(|it| it.name.clone());
            assert_eq!(quoted(cells.get(3).unwrap()), biting.collect(), "{failure}");
        }
    }

    #[test]
    fn mutants_are_chosen_by_a_part_of_their_names() {
        let mutant = |name: &str| Mutant {
            name: name.to_owned(),
            patch: PathBuf::new(),
            scenarios: Vec::new(),
            broken: Vec::new(),
        };
        let both = vec![mutant("F01-a"), mutant("F02-b")];
        assert_eq!(choose(both.clone(), &[]).unwrap(), both);
        assert_eq!(
            choose(both.clone(), &["F02".to_owned()]).unwrap(),
            [mutant("F02-b")]
        );
        assert!(choose(both, &["F03".to_owned()]).is_err());
    }
}
