//! Whatever is wrong: one message that says what, where and what to do, its own exit code, and nothing touched.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Done, User, fixture};

fn in_lab(guest: &str, host: &str, more: &[&str]) -> Done {
    let mut arguments = vec!["run", guest, "--lab", "--host", host, "--yes", host];
    arguments.extend(more);
    User::new().wreimage(&arguments)
}

/// Runs a fixture with events on stdout, and makes sure that it changed nothing.
fn untouched(guest: &str, code: i32, words: &[&str]) {
    let done = in_lab(&fixture(guest), "host1001", &["--output", "json"]).ends_with(code, words);
    let changed = done
        .events()
        .iter()
        .filter(|event| event["event"] == "intent")
        .count();
    assert_eq!(changed, 0, "{}", done.said());
}

#[test]
fn an_unknown_guest_file() {
    in_lab("./nothing.wasm", "host1001", &[]).ends_with(64, &["no guest at ./nothing.wasm"]);
    in_lab("nothing", "host1001", &[]).ends_with(64, &["no guest `nothing`", "$WREIMAGE_GUESTS"]);
}

#[test]
fn a_file_that_is_no_webassembly() {
    let user = User::new();
    let file = user.file("text.wasm", "hello");
    user.wreimage(&["run", &file, "--lab", "--host", "host1001"])
        .ends_with(40, &["not a WebAssembly file", "text.wasm"]);
}

#[test]
fn a_torn_guest() {
    let user = User::new();
    let bytes = std::fs::read(common::guests().join("reimage.wasm")).unwrap();
    for length in [7, 8, 100, bytes.len() / 2, bytes.len() - 1] {
        let file = user.file("torn.wasm", &bytes[..length]);
        let done = user.wreimage(&[
            "run", &file, "--lab", "--host", "host1001", "--os", "bullseye",
        ]);
        assert_eq!(done.code, 40, "{length}: {}", done.said());
    }
}

#[test]
fn a_core_module_without_type_information() {
    in_lab(&fixture("plain-module"), "host1001", &[])
        .ends_with(40, &["core module", "wit-bindgen"]);
}

#[test]
fn a_core_module_with_type_information_is_wrapped() {
    in_lab(&fixture("core-module"), "host1001", &[]).ends_with(0, &["SUCCESS"]);
}

#[test]
fn a_component_of_another_world() {
    in_lab(&fixture("other-world"), "host1001", &[])
        .ends_with(40, &["is no guest", "wreimage:guest/guest@0.1.0"]);
}

#[test]
fn a_precompiled_guest() {
    let user = User::new();
    let engine = wreimage_engine::Engine::new(None).unwrap();
    let bytes = std::fs::read(common::guests().join("bmc-check.wasm")).unwrap();
    let file = user.file("guest.wasm", engine.precompile(&bytes).unwrap());
    user.wreimage(&["run", &file, "--lab", "--host", "host1001"])
        .ends_with(40, &["precompiled", "machine code"]);
}

#[test]
fn a_guest_for_a_newer_host() {
    in_lab(&fixture("newer-version"), "host1001", &[])
        .ends_with(40, &["@0.2.0", "@0.1.0", "function"]);
    in_lab(&fixture("unknown-capability"), "host1001", &[])
        .ends_with(40, &["does not offer", "wreimage:ipmi/ipmi@0.1.0"]);
    in_lab(&fixture("unknown-function"), "host1001", &[])
        .ends_with(40, &["the function `", "does not have"]);
    in_lab(&fixture("newer-guest"), "host1001", &[]).ends_with(
        40,
        &[
            "wreimage:guest/guest@0.2.0",
            "wreimage:guest/guest@0.1.0",
            "wreimage build",
        ],
    );
}

#[test]
fn a_component_to_plug_in_is_no_guest() {
    in_lab(&fixture("plug-reads"), "host1001", &[])
        .ends_with(40, &["no guest", "wreimage run reimage --plug"]);
    in_lab(&fixture("plug-newer"), "host1001", &[])
        .ends_with(40, &["wreimage:hooks/plug@0.2.0", "another version"]);
}

#[test]
fn a_guest_that_was_built_in_another_way() {
    let user = User::new();
    // A type, and an import of the module whose functions only WASI preview 1 has.
    let mut preview1 =
        b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02\x1f\x01\x16wasi_snapshot_preview1".to_vec();
    preview1.extend(b"\x04fd_x\0\0");
    let file = user.file("preview1.wasm", preview1);
    user.wreimage(&["run", &file, "--lab", "--host", "host1001"])
        .ends_with(40, &["WASI preview 1", "wreimage build"]);
    in_lab(&fixture("wasi-http"), "host1001", &[]).ends_with(
        40,
        &[
            "wasi:http/outgoing-handler@0.2.0",
            "by capabilities only",
            "wreimage build",
        ],
    );
    in_lab(&fixture("wasi-async"), "host1001", &[])
        .ends_with(40, &["WASI 0.3", "componentize-qjs --sync"]);
    in_lab(&fixture("program"), "host1001", &[]).ends_with(
        40,
        &[
            "a program and no guest",
            "wasi:cli/run@0.2.0",
            "wreimage build",
        ],
    );
}

#[test]
fn a_guest_that_traps() {
    untouched("traps", 40, &["the guest died"]);
}

#[test]
fn a_guest_that_panics_says_its_last_words() {
    untouched(
        "panics",
        40,
        &[
            "the guest died",
            "its last words",
            "the disk of host1001 has 3 sides",
        ],
    );
}

#[test]
fn a_guest_that_loops() {
    untouched("loops", 40, &["it loops", "fuel"]);
}

#[test]
fn a_guest_that_loops_in_describe() {
    in_lab(&fixture("loops-in-describe"), "host1001", &[]).ends_with(
        40,
        &[
            "could not describe itself",
            "units of fuel without calling the host: it loops",
        ],
    );
}

#[test]
fn a_guest_that_calls_in_describe() {
    in_lab(&fixture("reads-in-describe"), "host1001", &[]).ends_with(
        40,
        &[
            "it calls wreimage:ipmi/ipmi@0.1.0#get-power-state",
            "may only describe itself",
        ],
    );
}

#[test]
fn a_guest_that_eats_memory() {
    untouched("eats-memory", 40, &["more memory than the 256 MiB"]);
}

#[test]
fn a_guest_that_changes_something_although_it_says_it_does_not() {
    let done = in_lab(
        &fixture("mutates-quietly"),
        "host1001",
        &["--output", "json"],
    );
    let events = done.events();
    let denied = events
        .iter()
        .any(|event| event["result"]["Err"]["code"] == "gate.read-only");
    assert!(denied, "{}", done.said());
    assert!(
        events.iter().all(|event| event["event"] != "intent"),
        "{}",
        done.said()
    );
}

#[test]
fn a_guest_whose_option_clashes_with_the_hosts() {
    in_lab(&fixture("clashing-option"), "host1001", &[]).ends_with(64, &["that wreimage has too"]);
}

#[test]
fn what_a_dead_guest_left_on_purpose_is_told() {
    let done = in_lab(
        &fixture("leaves-and-traps"),
        "host1001",
        &["--output", "json"],
    );
    let events = done.events();
    let left = events.last().unwrap()["left"].to_string();
    assert!(left.contains("a lamp is on: switch-off lamp"), "{left}");
    assert!(!left.contains("a door is open"), "{left}");
    in_lab(&fixture("leaves-and-traps"), "host1001", &[]).ends_with(40, &["switch-off lamp"]);
}

#[test]
fn a_mandatory_option_that_is_missing() {
    in_lab("reimage", "host1001", &[]).ends_with(64, &["--os"]);
}

#[test]
fn an_option_that_the_guest_does_not_have() {
    in_lab("reimage", "host1001", &["--os", "bullseye", "--frobnicate"])
        .ends_with(64, &["--frobnicate"]);
}

#[test]
fn a_release_that_is_no_name() {
    for os in ["../../etc", "bull seye", "\"; reboot", ""] {
        let done = in_lab("reimage", "host1001", &["--os", os, "--output", "json"]);
        assert!(
            [40, 64].contains(&done.code),
            "{os}: {} {}",
            done.code,
            done.said()
        );
        assert!(
            !done.out.contains("\"event\":\"intent\""),
            "{os}: {}",
            done.said()
        );
    }
}

#[test]
fn a_full_name_where_a_short_one_is_wanted() {
    in_lab("reimage", "host1001.lab1.test", &["--os", "bullseye"])
        .ends_with(64, &["--host host1001"]);
}

#[test]
fn an_impossible_host_name() {
    for host in ["", "Host", "a b", "../x", "host1001;reboot"] {
        in_lab("reimage", host, &["--os", "bullseye"]).ends_with(64, &["no host name"]);
    }
}

#[test]
fn no_host_at_all() {
    User::new()
        .wreimage(&["run", "reimage", "--lab", "--os", "bullseye"])
        .ends_with(64, &["--host"]);
    User::new()
        .wreimage(&["run"])
        .ends_with(64, &["no guest is named"]);
}

fn refused(host: &str, words: &[&str]) {
    let done = User::new()
        .reimage(host, &["--output", "json"])
        .ends_with(40, words);
    let events = done.events();
    assert!(
        events.iter().all(|event| event["event"] != "intent"),
        "{}",
        done.said()
    );
    assert_eq!(events.last().unwrap()["touched"], false);
}

#[test]
fn an_unknown_host() {
    refused("host9999", &["host9999", "Nothing was touched"]);
}

#[test]
fn a_virtual_host() {
    refused("vm1001", &["virtual machine", "Nothing was touched"]);
}

#[test]
fn a_protected_host_even_with_force() {
    refused("db1001", &["protected", "Nothing was touched"]);
    User::new()
        .reimage("db1001", &["--force"])
        .ends_with(40, &["protected"]);
}

#[test]
fn a_bmc_that_belongs_to_another_machine() {
    refused("host1006", &["wrong machine", "LAB1006", "LAB1066"]);
}

#[test]
fn a_management_name_that_does_not_resolve() {
    refused(
        "host1009",
        &["host1009.mgmt.lab1.test", "Nothing was touched"],
    );
}

#[test]
fn a_bmc_that_does_not_answer() {
    refused(
        "host1010",
        &["host1010.mgmt.lab1.test", "Nothing was touched"],
    );
}

#[test]
fn nobody_confirms() {
    let done = User::new()
        .wreimage(&[
            "run", "reimage", "--lab", "--host", "host1001", "--os", "bullseye", "--output", "json",
        ])
        .ends_with(
            40,
            &["not a terminal", "--yes host1001", "Nothing was touched"],
        );
    assert!(done.events().iter().all(|event| event["event"] != "intent"));
    User::new()
        .wreimage(&[
            "run", "reimage", "--lab", "--host", "host1001", "--os", "bullseye", "--yes",
            "host1002",
        ])
        .ends_with(40, &["host1002", "Nothing was touched"]);
}

#[test]
fn a_speed_that_is_none() {
    for speed in ["-1", "inf", "NaN"] {
        let speed = format!("--speed={speed}");
        in_lab("reimage", "host1001", &["--os", "bullseye", &speed]).ends_with(64, &["no speed"]);
    }
}

#[test]
fn a_world_file_that_does_not_exist() {
    let world = "--lab=missing.toml";
    User::new()
        .wreimage(&["run", "bmc-check", world, "--host", "host1001"])
        .ends_with(64, &["missing.toml", "wreimage lab show"]);
}

#[test]
fn a_world_file_with_a_typo() {
    let user = User::new();
    let (world, text) = world(&user, "[machine.host1001.bmc]\nanswer = \"no\"\n");
    let line = format!("line {}", text.lines().count());
    user.wreimage(&["run", "bmc-check", &world, "--host", "host1001"])
        .ends_with(64, &["world.toml", &line, "machine.host1001.bmc.answer"]);
}

#[test]
fn a_world_file_and_a_site_file_at_once() {
    let user = User::new();
    let (world, _) = world(&user, "");
    user.wreimage(&[
        "run",
        "bmc-check",
        &world,
        "--host",
        "host1001",
        "--site",
        "x.toml",
    ])
    .ends_with(64, &["--lab", "--site"]);
}

#[test]
fn a_world_of_ones_own() {
    let user = User::new();
    let (world, _) = world(&user, "");
    user.wreimage(&["run", "bmc-check", &world, "--host", "host1001"])
        .ends_with(0, &["SUCCESS"]);
}

#[test]
fn a_bmc_that_lets_nobody_in() {
    for (answers, words) in [
        ("wrong-password", "password"),
        ("no-cipher-suite", "cipher suite"),
        ("no", "does not answer"),
    ] {
        let user = User::new();
        let (world, _) = world(
            &user,
            &format!("[machine.host1001.bmc]\nanswers = \"{answers}\"\n"),
        );
        let done = user
            .wreimage(&[
                "run", "reimage", &world, "--host", "host1001", "--os", "bullseye", "--yes",
                "host1001", "--output", "json",
            ])
            .ends_with(
                40,
                &["host1001.mgmt.lab1.test", words, "Nothing was touched"],
            );
        let events = done.events();
        assert!(
            events.iter().all(|event| event["event"] != "intent"),
            "{}",
            done.said()
        );
        assert_eq!(events.last().unwrap()["touched"], false);
    }
}

/// The built-in world with more at its end, as the option that names its file and as text.
fn world(user: &User, more: &str) -> (String, String) {
    let text = format!("{}\n{more}", user.wreimage(&["lab", "show"]).out);
    let file = user.file("world.toml", &text);
    (format!("--lab={file}"), text)
}

#[test]
fn a_site_file_that_cannot_be_read_is_never_the_lab() {
    let user = User::new();
    let done = user.wreimage(&[
        "run",
        "bmc-check",
        "--host",
        "host1001",
        "--site",
        "missing.toml",
    ]);
    assert!(!done.said().contains("this is the lab"), "{}", done.said());
    done.ends_with(64, &["missing.toml"]);
    user.with(
        &["run", "bmc-check", "--host", "host1001"],
        &[("WREIMAGE_SITE", "/nonexistent/site.toml")],
    )
    .ends_with(64, &["/nonexistent/site.toml"]);
    user.wreimage(&[
        "run",
        "bmc-check",
        "--host",
        "host1001",
        "--lab",
        "--site",
        "x.toml",
    ])
    .ends_with(64, &["--lab", "--site"]);
}

#[test]
fn a_site_file_with_a_typo() {
    let user = User::new();
    let file = user.file(
        "site.toml",
        "name = \"x\"\ndomain = \"x.test\"\n\n[policy]\nprotected-tag = [\"a\"]\n",
    );
    user.wreimage(&["run", "bmc-check", "--host", "host1001", "--site", &file])
        .ends_with(64, &["site.toml", "line 5", "protected-tag"]);
    user.wreimage(&["site", "check", "--site", &file])
        .ends_with(64, &["line 5"]);
}

#[test]
fn a_guest_without_a_grant() {
    let user = User::new();
    let file = site(&user, "", "{ file = \"password\" }");
    let text = std::fs::read_to_string(&file).unwrap();
    user.file("site.toml", text.replace("bmc-check", "another-guest"));
    user.wreimage(&["run", "bmc-check", "--host", "host1001", "--site", &file])
        .ends_with(
            40,
            &["does not grant", "wreimage:ipmi/ipmi@0.1.0", "site.toml"],
        );
}

#[test]
fn a_speed_on_a_real_site_leaves_no_run() {
    let user = User::new();
    let file = site(&user, "", "{ file = \"password\" }");
    user.wreimage(&[
        "run",
        "bmc-check",
        "--site",
        &file,
        "--host",
        "host1001",
        "--speed",
        "0",
    ])
    .ends_with(64, &["--speed is for the lab"]);
    assert!(user.runs().is_empty());
}

/// A site whose machine has an inventory entry and a BMC at a port where nobody listens.
fn site(user: &User, host: &str, password: &str) -> String {
    user.file(
        "inventory.toml",
        format!("[hosts.host1001]\nstatus = \"active\"\n{host}\n"),
    );
    user.file("hosts", "127.0.0.1 host1001.x.test host1001.mgmt.x.test\n");
    user.file("password", "secret-of-the-bmc");
    user.file(
        "site.toml",
        format!(
            "name = \"x\"\ndomain = \"x.test\"\n\
             [[grants]]\nguest = \"reimage\"\nhosts = [\"*\"]\ncapabilities = [\"netbox\", \"dns\", \"ipmi\", \"dhcp\", \"remote\"]\n\
             [[grants]]\nguest = \"bmc-check\"\nhosts = [\"*\"]\ncapabilities = [\"ipmi\"]\n\
             [netbox]\nprovider = \"file\"\ninventory = \"inventory.toml\"\n\
             [dns]\nprovider = \"hosts\"\nhosts = \"hosts\"\n\
             [ipmi]\nprovider = \"ipmitool\"\nuser = \"root\"\npassword = {password}\nport = 9\ntimeout = \"2s\"\ntries = 1\n\
             [dhcp]\nprovider = \"lab\"\n[remote]\nprovider = \"lab\"\n"
        ),
    )
}

#[test]
fn a_secret_that_cannot_be_read() {
    let user = User::new();
    for (password, words) in [
        ("{ file = \"missing\" }", "missing"),
        ("{ env = \"NOT_SET_ANYWHERE\" }", "NOT_SET_ANYWHERE"),
        ("{ command = [\"false\"] }", "false"),
    ] {
        let file = site(&user, "", password);
        user.wreimage(&["run", "bmc-check", "--site", &file, "--host", "host1001"])
            .ends_with(40, &["password", words]);
    }
}

#[test]
fn inventory_data_that_is_incomplete() {
    let user = User::new();
    let run = |host: &str| {
        let file = site(&user, host, "{ file = \"password\" }");
        user.wreimage(&[
            "run", "reimage", "--site", &file, "--host", "host1001", "--os", "bullseye", "--yes",
            "host1001",
        ])
    };
    run("").ends_with(40, &["primary", "Nothing was touched"]);
    run("kind = \"virtual\"\nprimary-ip = \"127.0.0.1\"").ends_with(40, &["virtual machine"]);
}

#[test]
fn a_dead_bmc_on_a_real_site() {
    let user = User::new();
    let file = site(
        &user,
        "primary-ip = \"127.0.0.1\"",
        "{ file = \"password\" }",
    );
    let done = user.wreimage(&["run", "bmc-check", "--site", &file, "--host", "host1001"]);
    assert!(!done.said().contains("secret-of-the-bmc"));
    done.ends_with(40, &["host1001.mgmt.x.test"]);
}
