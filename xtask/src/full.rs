//! Everything, in parts of which each fits an hour on two processors. `cargo xtask ci` holds one sample of each slow thing.

use crate::{ci, fuzz, lamp, mutants, sweep};
use anyhow::Result;
use clap::ValueEnum;
use std::time::Instant;

/// How long each fuzz target runs, in seconds.
const FUZZ: u32 = 600;

/// A part of everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// What has to pass before anything is merged
    Ci,
    /// Real processes that die: a sample of the points of each kind
    Sweep,
    /// The first half of the host's mutants
    Mutants1,
    /// The second half of the host's mutants
    Mutants2,
    /// The first third of the fuzz targets, ten minutes each
    Fuzz1,
    /// The second third of the fuzz targets, ten minutes each
    Fuzz2,
    /// The last third of the fuzz targets, ten minutes each
    Fuzz3,
    /// A new capability, applied to a copy of the repository and tested
    Lamp,
}

/// What no part holds.
const LEFT_OUT: [&str; 2] = [
    "the points of the sweep that the seed of the day does not choose: `cargo xtask sweep --all` takes hours",
    "the benches, which need an idle machine: docs/performance.md has the commands",
];

/// The `index`th of so many equal parts of a list.
fn share<T: Clone>(all: &[T], index: usize, parts: usize) -> Vec<T> {
    let size = all.len().div_ceil(parts).max(1);
    all.chunks(size)
        .nth(index)
        .map(<[T]>::to_vec)
        .unwrap_or_default()
}

impl Part {
    fn run(self) -> Result<()> {
        match self {
            Part::Ci => ci::run(),
            Part::Sweep => sweep::run(&sweep::Arguments::sample()),
            Part::Mutants1 => mutants::run(&share(&mutants::of_the_host()?, 0, 2), true),
            Part::Mutants2 => mutants::run(&share(&mutants::of_the_host()?, 1, 2), true),
            Part::Fuzz1 => fuzz::run_all(&share(&fuzz::targets()?, 0, 3), FUZZ),
            Part::Fuzz2 => fuzz::run_all(&share(&fuzz::targets()?, 1, 3), FUZZ),
            Part::Fuzz3 => fuzz::run_all(&share(&fuzz::targets()?, 2, 3), FUZZ),
            Part::Lamp => lamp::run(true),
        }
    }
}

/// Runs one part, or all of them one after the other, and prints what was left out.
///
/// # Errors
/// The first part that does not pass.
pub fn run(part: Option<Part>) -> Result<()> {
    let parts = part.map_or_else(|| Part::value_variants().to_vec(), |part| vec![part]);
    for part in &parts {
        let began = Instant::now();
        part.run()?;
        println!(
            "xtask: full: {part:?}: {:.0} s",
            began.elapsed().as_secs_f64()
        );
    }
    let others = Part::value_variants()
        .iter()
        .filter(|part| !parts.contains(part));
    for other in others {
        println!("xtask: left out: {other:?}");
    }
    for text in LEFT_OUT {
        println!("xtask: in no part: {text}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_list_are_the_whole_list() {
        for length in 0..9 {
            let all: Vec<usize> = (0..length).collect();
            for parts in 1..4 {
                let shares: Vec<usize> = (0..parts)
                    .flat_map(|index| share(&all, index, parts))
                    .collect();
                assert_eq!(shares, all);
            }
        }
    }

    #[test]
    fn every_mutant_and_every_target_is_in_a_part() {
        assert!(mutants::of_the_host().unwrap().len() > 20);
        assert!(fuzz::targets().unwrap().len() > 10);
    }
}
