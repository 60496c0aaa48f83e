//! Every block of the README and the book is what it claims to be, and every command in them works.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;
use wreimage_book_tests::block::{Block, blocks, commands, is_part_of};
use wreimage_book_tests::link::{anchors, relative};
use wreimage_book_tests::place::Place;
use wreimage_book_tests::{Page, pages, root};

/// Blocks that cannot be run, over all pages: each has its reason beside it.
const SKIPPED_AT_MOST: usize = 8;

/// Beginnings of lines that a test must not run.
const OUTSIDE: [&str; 3] = ["cargo ", "git clone", "sudo "];

/// What a block may say of itself.
const KEYS: [&str; 3] = ["file", "name", "skip"];

/// A scenario with which invariants are judged.
const QUICK: &str =
    "host = \"host1001\"\n[options]\nos = \"bullseye\"\n[expect]\noutcome = \"success\"\n";

#[test]
fn every_block_is_what_it_claims() {
    let mut wrong = Vec::new();
    for page in pages() {
        println!("{}", page.name);
        let place = Place::new();
        for block in blocks(&page.text) {
            if let Err(why) = check(&place, &block) {
                wrong.push(format!("{}:{}: {why}", page.name, block.line));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn check(place: &Place, block: &Block) -> Result<(), String> {
    let unknown = block
        .keys
        .iter()
        .find(|(key, _)| !KEYS.contains(&key.as_str()));
    if let Some((key, _)) = unknown {
        return Err(format!("no known key: {key}"));
    }
    let words: Vec<&str> = block.words.iter().map(String::as_str).collect();
    match (block.language.as_str(), words.as_slice()) {
        ("sh", []) => shell(place, block),
        ("toml", [kind]) => toml(place, block, kind),
        ("rust" | "python" | "js" | "wit" | "toml", []) => verbatim(block),
        // What a program printed, shown and not promised.
        ("text", []) => Ok(()),
        _ => Err(format!(
            "no known kind of block: {} {}",
            block.language,
            words.join(" ")
        )),
    }
}

fn shell(place: &Place, block: &Block) -> Result<(), String> {
    if let Some(reason) = block.key("skip") {
        println!("  line {}: SKIPPED, {reason}", block.line);
        return if reason.is_empty() {
            Err("skipped without a reason".into())
        } else {
            Ok(())
        };
    }
    for (line, code) in commands(&block.text) {
        if OUTSIDE.iter().any(|word| line.starts_with(word)) {
            return Err(format!(
                "`{line}` is not for a test: mark the block with skip=\"reason\""
            ));
        }
        place.must(&place.filled_in(&line), code)?;
    }
    Ok(())
}

fn toml(place: &Place, block: &Block, kind: &str) -> Result<(), String> {
    let name = block.key("name").unwrap_or("block.toml");
    place.write(name, &block.text);
    match kind {
        "scenario" => place.must(&format!("wreimage test reimage {name}"), 0),
        "invariants" => {
            place.write("quick.toml", QUICK);
            place.must(
                &format!("wreimage test reimage quick.toml --invariants {name}"),
                0,
            )
        }
        "world" => place.must(
            &format!("wreimage run bmc-check --lab={name} --host host1001 --yes host1001"),
            0,
        ),
        "site" => place.must(&format!("wreimage runs --site {name}"), 0),
        _ => Err(format!("no known kind of TOML: {kind}")),
    }
}

fn verbatim(block: &Block) -> Result<(), String> {
    let path = block
        .key("file")
        .ok_or("no file=PATH of which this is a part")?;
    let file =
        std::fs::read_to_string(root().join(path)).map_err(|error| format!("{path}: {error}"))?;
    if is_part_of(&block.text, &file) {
        Ok(())
    } else {
        Err(format!("this is no longer a part of {path}"))
    }
}

#[test]
fn few_blocks_are_skipped() {
    let all: Vec<Block> = pages().iter().flat_map(|page| blocks(&page.text)).collect();
    let skipped = all
        .iter()
        .filter(|block| block.key("skip").is_some())
        .count();
    println!("{skipped} of {} blocks are skipped", all.len());
    assert!(skipped <= SKIPPED_AT_MOST, "{skipped} blocks are skipped");
}

#[test]
fn every_page_is_in_the_summary() {
    let summary = std::fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    let linked = relative(&summary);
    for Page { name, .. } in pages() {
        let Some(name) = name
            .strip_prefix("docs/")
            .filter(|name| *name != "SUMMARY.md")
        else {
            continue;
        };
        assert!(
            linked.iter().any(|link| link == name),
            "{name} is not in SUMMARY.md"
        );
    }
}

#[test]
fn every_link_leads_somewhere() {
    let mut wrong = Vec::new();
    for page in pages() {
        let place = root().join(&page.name);
        for link in relative(&page.text) {
            if !leads(&place, &link) {
                wrong.push(format!("{}: {link}", page.name));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "these lead nowhere:\n{}",
        wrong.join("\n")
    );
}

fn leads(page: &Path, link: &str) -> bool {
    let (file, anchor) = link
        .split_once('#')
        .map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let target = if file.is_empty() {
        page.to_owned()
    } else {
        page.parent().unwrap().join(file)
    };
    let Some(anchor) = anchor else {
        return target.exists();
    };
    std::fs::read_to_string(target)
        .is_ok_and(|text| anchors(&text).iter().any(|found| found == anchor))
}

#[test]
fn a_bad_block_is_found() {
    let place = Place::new();
    let verdict = |text: &str| check(&place, &blocks(text)[0]);
    assert!(verdict("```\nx\n```\n").is_err());
    assert!(verdict("```toml thing\nx = 1\n```\n").is_err());
    assert!(verdict("```rust\nfn f() {}\n```\n").is_err());
    assert!(verdict("```rust file=README.md\nfn no_such() {}\n```\n").is_err());
    assert!(verdict("```sh\nfalse\n```\n").is_err());
    assert!(verdict("```sh\ncargo build\n```\n").is_err());
    assert!(verdict("```sh\nwreimage frobnicate\n```\n").is_err());
    assert!(verdict("```toml site\nname = \"x\"\nno-such-key = 1\n```\n").is_err());
    assert!(verdict("```toml scenario\nhost = \"host1001\"\n```\n").is_err());
    assert!(verdict("```sh needs=test\ntrue\n```\n").is_err());
    verdict("```sh\nfalse  # exit 1\n```\n").unwrap();
    assert!(!leads(&root().join("README.md"), "docs/no-such.md"));
    assert!(!leads(&root().join("README.md"), "docs/sweep.md#no-such"));
}
