//! A new guest folder builds and runs, in each language.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use wreimage_language_tests::{User, guest, root};

fn from_new_to_run(language: &str) {
    let user = User::new();
    let name = format!("disk-check-{language}");
    user.wreimage(&["new", &name, "--lang", language])
        .ends_with(0, &["wreimage build"]);
    // The standard library for wasm32 is compiled once for all runs of this test.
    let target = root().join("target/languages/rust");
    let environment = [("CARGO_TARGET_DIR", target.to_str().unwrap())];
    user.with(&["build", &name], &environment)
        .ends_with(0, &[&format!("{name} 0.1.0")]);
    let component = format!("{name}/{name}.wasm");
    user.wreimage(&["test", &component]).ends_with(0, &[]);
    user.wreimage(&["run", &component, "--lab", "--host", "host1001"])
        .ends_with(0, &["SUCCESS", "the machine is on"]);
    user.wreimage(&["new", &name, "--lang", language])
        .ends_with(64, &["exists; nothing was changed"]);
}

fn from_new_to_plugged(language: &str) {
    let user = User::new();
    let name = format!("site-look-{language}");
    user.wreimage(&["new", &name, "--lang", language, "--plug"])
        .ends_with(0, &["wreimage build", "--plug"]);
    let target = root().join("target/languages/rust");
    let environment = [("CARGO_TARGET_DIR", target.to_str().unwrap())];
    user.with(&["build", &name], &environment)
        .ends_with(0, &[&format!("{name} 0.1.0"), "inspect reimage --plug"]);
    let component = format!("./{name}/{name}.wasm");
    let scenarios = format!("{name}/scenarios");
    let reimage = guest("reimage");
    user.wreimage(&["test", &reimage, &scenarios, "--plug", &component])
        .ends_with(0, &["1 passed"]);
}

#[test]
fn rust() {
    from_new_to_run("rust");
    from_new_to_plugged("rust");
}

#[test]
fn python() {
    from_new_to_run("python");
    from_new_to_plugged("python");
}

#[test]
fn javascript() {
    from_new_to_run("js");
    from_new_to_plugged("js");
}

#[test]
fn a_tool_that_is_missing_is_told_with_the_line_that_installs_it() {
    let user = User::new();
    user.wreimage(&["new", "disk-check", "--lang", "python"])
        .ends_with(0, &[]);
    let nowhere = [
        ("WREIMAGE_COMPONENTIZE_PY", ""),
        ("PATH", "/nowhere"),
        ("VIRTUAL_ENV", ""),
    ];
    user.with(&["build", "disk-check"], &nowhere).ends_with(
        64,
        &[
            "componentize-py is not installed",
            "pip install componentize-py==",
        ],
    );
    assert!(!user.home.path().join("disk-check/disk-check.wasm").exists());
}

#[test]
fn a_tool_that_does_not_end_is_killed() {
    let user = User::new();
    user.wreimage(&["new", "disk-check", "--lang", "js"])
        .ends_with(0, &[]);
    let tool = user.home.path().join("tool");
    std::fs::write(&tool, "#!/bin/sh\nsleep 600\n").unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&tool, executable).unwrap();
    let named = [("WREIMAGE_COMPONENTIZE_QJS", tool.to_str().unwrap())];
    user.with(&["build", "disk-check", "--timeout", "1s"], &named)
        .ends_with(64, &["did not end within 1 s and was killed"]);
}

#[test]
fn a_mistake_in_the_source_is_the_tools_word() {
    let user = User::new();
    user.wreimage(&["new", "disk-check", "--lang", "js"])
        .ends_with(0, &[]);
    std::fs::write(
        user.home.path().join("disk-check/guest.js"),
        "export const guest = {",
    )
    .unwrap();
    user.wreimage(&["build", "disk-check"]).ends_with(
        64,
        &["componentize-qjs", "failed", "The component was not made"],
    );
}
