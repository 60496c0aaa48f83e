//! Components that are hard to compile.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{User, guests};
use std::time::{Duration, Instant};

/// An unsigned number as WebAssembly writes it.
fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).unwrap();
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// A section of a module or component.
fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id][..], &leb(content.len()), content].concat()
}

/// A small component that takes long to compile: loops in each other, each of which carries all local variables.
fn hard(locals: usize, loops: usize) -> Vec<u8> {
    let mut body = [&[1][..], &leb(locals), &[0x7e]].concat();
    body.extend([0x03, 0x40].repeat(loops));
    for local in 0..locals {
        // local.get, i64.const 1, i64.add, local.set
        body.push(0x20);
        body.extend(leb(local));
        body.extend([0x42, 0x01, 0x7c, 0x21]);
        body.extend(leb(local));
    }
    // i32.const 1, br_if 0, end
    body.extend([0x41, 0x01, 0x0d, 0x00, 0x0b].repeat(loops));
    body.push(0x0b);
    let function = [leb(body.len()), body].concat();
    let module = [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, &[1, 0x60, 0, 0]),
        section(3, &[1, 0]),
        section(10, &[&[1][..], &function].concat()),
    ]
    .concat();
    [b"\0asm\x0d\0\x01\0".to_vec(), section(1, &module)].concat()
}

/// A site with these limits.
fn site(user: &User, limits: &str) -> String {
    user.file(
        "site.toml",
        format!("name = \"x\"\ndomain = \"x.test\"\n[limits]\n{limits}\n"),
    )
}

#[test]
fn compilation_has_bounds_and_the_message_names_them() {
    let user = User::new();
    let bytes = hard(4000, 500);
    assert!(bytes.len() < 60_000);
    let guest = user.file("hard.wasm", &bytes);
    for (limits, words) in [
        ("compile-cpu = \"1s\"", "raise `limits.compile-cpu`"),
        (
            "compile-memory = \"48MiB\"",
            "raise `limits.compile-memory`",
        ),
        ("compile-time = \"500ms\"", "raise `limits.compile-time`"),
        ("component = \"16KiB\"", "`limits.component` allows 16384"),
    ] {
        let site = site(&user, limits);
        let began = Instant::now();
        let words = words.replace("raise", "Raise");
        user.with(&["inspect", &guest], &[("WREIMAGE_SITE", &site)])
            .ends_with(40, &[&words]);
        assert!(began.elapsed() < Duration::from_secs(20), "{limits}");
    }
}

#[test]
fn every_command_that_loads_a_guest_compiles_it_within_the_bounds() {
    let user = User::new();
    let guest = user.file("hard.wasm", hard(4000, 500));
    let site = site(&user, "compile-time = \"300ms\"");
    let environment = [("WREIMAGE_SITE", site.as_str())];
    let plug = guests()
        .join("site-partitioning.wasm")
        .display()
        .to_string();
    let folder = user.home.path().display().to_string();
    for words in [
        &["run", &guest, "--lab", "--host", "host1001"][..],
        &["test", &guest, &folder],
        &["compose", &guest, "--plug", &plug],
    ] {
        let done = user.with(words, &environment);
        assert!([40, 64].contains(&done.code), "{words:?}: {}", done.said());
        // What cannot be composed is refused before it is compiled.
        let bounded = ["limits.compile-time", "no hook", "hooks"];
        assert!(
            bounded.iter().any(|it| done.said().contains(it)),
            "{words:?}: {}",
            done.said()
        );
    }
    // The site of the command line comes before that of the environment.
    let wide = user.file("wide.toml", "name = \"x\"\ndomain = \"x.test\"\n");
    let environment = [("WREIMAGE_SITE", wide.as_str())];
    let run = ["run", &guest, "--site", &site, "--host", "host1001"];
    user.with(&run, &environment)
        .ends_with(40, &["limits.compile-time"]);
}

#[test]
fn what_is_compiled_already_is_not_compiled_again() {
    let user = User::new();
    let cache = user.home.path().join("cache").display().to_string();
    let site = site(&user, "compile-time = \"1ms\"");
    let bounded = [("XDG_CACHE_HOME", cache.as_str()), ("WREIMAGE_SITE", &site)];
    user.with(&["inspect", "bmc-check"], &bounded)
        .ends_with(40, &["limits.compile-time"]);
    user.with(&["inspect", "bmc-check"], &bounded[..1])
        .ends_with(0, &[]);
    user.with(&["inspect", "bmc-check"], &bounded)
        .ends_with(0, &["bmc-check"]);
    // Without its code the note about it is worth nothing.
    std::fs::remove_dir_all(user.home.path().join("cache/wreimage/guests/code")).unwrap();
    user.with(&["inspect", "bmc-check"], &bounded)
        .ends_with(40, &["limits.compile-time"]);
    // A cache that cannot be written is no reason to do without a guest.
    let blocked = user.file("no-folder", "");
    user.with(&["inspect", "bmc-check"], &[("XDG_CACHE_HOME", &blocked)])
        .ends_with(0, &[]);
    let left: Vec<_> = std::fs::read_dir(user.home.path().join("cache/wreimage/guests"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("new-"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_component_that_is_broken_is_said_to_be() {
    let user = User::new();
    let mut bytes = hard(10, 10);
    let last = bytes.len() - 1;
    bytes[last] = 0x1a;
    let guest = user.file("broken.wasm", &bytes);
    user.wreimage(&["inspect", &guest])
        .ends_with(40, &["cannot be compiled"]);
}
