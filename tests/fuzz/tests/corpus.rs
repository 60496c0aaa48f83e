//! The corpus that is kept in the repository, without libFuzzer: every finding of the past stays mended.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use wreimage_fuzz_targets::TARGETS;

/// Longer than any input takes on a busy machine: what takes longer has no bound.
const LONGEST: Duration = Duration::from_secs(20);
/// A corpus is small: what is large is found by the fuzzer, and kept under `target/`.
const LARGEST: u64 = 16 << 10;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

/// The bytes of an input: those of the file, or those whose hexadecimal digits it holds.
fn input(file: &Path) -> Vec<u8> {
    let text = fs::read_to_string(file)
        .unwrap_or_else(|error| panic!("{} is no text: {error}", file.display()));
    if file.extension().is_none_or(|it| it != "hex") {
        return text.into_bytes();
    }
    let digits = text.split_whitespace().collect::<String>();
    hex::decode(digits).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

#[test]
fn every_input_of_the_corpus_is_handled() {
    for (name, run) in TARGETS {
        let files = files(&corpus().join(name));
        assert!(!files.is_empty(), "{name} has no corpus");
        for file in files {
            let data = input(&file);
            let began = Instant::now();
            println!("{}", file.display());
            run(&data);
            let took = began.elapsed();
            assert!(took < LONGEST, "{} took {took:?}", file.display());
        }
    }
}

#[test]
fn every_target_has_a_program_and_every_folder_a_target() {
    let names: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let stems = |folder: &str| -> BTreeSet<String> {
        files(&corpus().join("..").join(folder))
            .iter()
            .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
            .collect()
    };
    assert_eq!(stems("corpus"), names);
    assert_eq!(stems("fuzz_targets"), names);
    let manifest = fs::read_to_string(corpus().join("../Cargo.toml")).unwrap();
    for name in names {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
    }
}

#[test]
fn the_corpus_is_small_and_text() {
    for (name, _) in TARGETS {
        for file in files(&corpus().join(name)) {
            let size = fs::metadata(&file).unwrap().len();
            assert!(size <= LARGEST, "{}: {size} bytes", file.display());
            let text = fs::read_to_string(&file);
            let is_text = text.is_ok_and(|text| {
                !text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t'))
            });
            assert!(
                is_text,
                "{} is no text: `cargo xtask fuzz --keep` writes one that is not as NAME.hex",
                file.display()
            );
        }
    }
}
