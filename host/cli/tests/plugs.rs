//! Components of a site that are plugged into `reimage`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Done, User, fixture, guests};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A database host, on an install server that has other media as well.
const DATABASE: &str = "
[machine.db1002]
serial = \"LAB2002\"
uuid = \"4c4c4544-0041-4210-8032-ccc04f303099\"
mac = \"02:00:5e:00:10:99\"
address = \"192.0.2.99\"
management-address = \"198.51.100.99\"
switch = { name = \"asw1-a-lab1\", port = \"ge-9/0/9\", vlan = \"private1-a-lab1\" }
disk = \"buster\"
";

fn world(user: &User) -> String {
    let builtin = user.wreimage(&["lab", "show"]).out;
    let media = "media = [\"installer\"]";
    assert!(builtin.contains(media));
    let more = builtin.replace(
        media,
        "media = [\"installer\", \"reuse-srv\", \"installer2\"]",
    );
    user.file("world.toml", format!("{more}{DATABASE}"))
}

fn site_partitioning() -> String {
    guests()
        .join("site-partitioning.wasm")
        .display()
        .to_string()
}

fn reimage(user: &User, host: &str, plugs: &[&str], more: &[&str]) -> Done {
    let mut arguments = vec![
        "run", "reimage", "--host", host, "--os", "bullseye", "--yes", host,
    ];
    for plug in plugs {
        arguments.extend(["--plug", plug]);
    }
    arguments.extend(more);
    user.wreimage(&arguments)
}

fn outcomes<'a>(events: &'a [Value], function: &str) -> Vec<&'a Value> {
    events
        .iter()
        .filter(|event| event["event"] == "outcome" && event["function"] == function)
        .collect()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

#[test]
fn the_choice_of_the_media_reaches_the_published_entry() {
    let user = User::new();
    let lab = format!("--lab={}", world(&user));
    let json = [lab.as_str(), "--output", "json"];
    let plug = site_partitioning();
    let done = reimage(&user, "db1002", &[&plug], &json).ends_with(0, &[]);
    let events = done.events();
    let published = &outcomes(&events, "dhcp.publish")[0];
    assert_eq!(published["arguments"]["entry"]["media"], "reuse-srv");
    assert_eq!(published["component"], Value::Null, "it is the guest's");
    let text = published["result"]["Ok"]["text"].as_str().unwrap();
    assert!(text.contains("bullseye-reuse-srv"), "{text}");
    assert!(done.out.contains("by the choice of the site's component"));
    // It has asked the inventory itself, and the record says so.
    let asked = outcomes(&events, "netbox.get-device");
    let by = |component: &Value| {
        asked
            .iter()
            .filter(|it| it["component"] == *component)
            .count()
    };
    assert_eq!(by(&"site-partitioning".into()), 1);
    assert!(by(&Value::Null) > 0);
    assert_eq!(events[0]["plugs"][0]["name"], "site-partitioning");

    // The operator's word counts, and other hosts are as they were.
    let asked_for = [json.as_slice(), &["--pxe-media", "installer2"]].concat();
    let done = reimage(&user, "db1002", &[&plug], &asked_for);
    assert!(
        done.out.contains("\"media\":\"installer2\""),
        "{}",
        done.out
    );
    let done = reimage(&user, "host1001", &[&plug], &json).ends_with(0, &[]);
    assert!(done.out.contains("\"media\":\"installer\""));
    // Without the component nothing is chosen.
    let done = reimage(&user, "db1002", &[], &json).ends_with(0, &[]);
    assert!(done.out.contains("\"media\":\"installer\""));
}

#[test]
fn a_composed_file_is_a_guest_like_any_other() {
    let user = User::new();
    let out = user.home.path().join("mine.wasm").display().to_string();
    let (partitioning, reads) = (site_partitioning(), fixture("plug-reads"));
    user.wreimage(&[
        "compose",
        "reimage",
        "--plug",
        &partitioning,
        "--plug",
        &reads,
        "-o",
        &out,
    ])
    .ends_with(
        0,
        &["reimage 0.1.0 with site-partitioning 0.1.0, plug-reads 0.1.0"],
    );
    let inspected = user.wreimage(&["inspect", &out, "--output", "json"]);
    let inspected: Value = serde_json::from_str(&inspected.out).unwrap();
    let shipped = std::fs::read(guests().join("reimage.wasm")).unwrap();
    // What a site file grants to is known by what everybody can look at: the files as they are shipped.
    assert_eq!(inspected["own-digest"], sha256(&shipped));
    assert_eq!(
        inspected["plugs"][1]["digest"],
        sha256(&std::fs::read(&reads).unwrap())
    );
    assert_eq!(inspected["digest"], sha256(&std::fs::read(&out).unwrap()));
    let imports = &inspected["plugs"][1]["imports"];
    let has = |capability: &str| {
        let imports = imports.as_array().unwrap();
        imports
            .iter()
            .find(|import| import["capability"] == capability)
            .cloned()
    };
    assert_eq!(
        has("ipmi").unwrap()["interface"],
        "wreimage:ipmi/ipmi@0.1.0"
    );
    assert_eq!(
        has("ipmi").unwrap()["functions"][0]["name"],
        "get-power-state"
    );
    assert_eq!(has("dhcp"), None);
    user.wreimage(&["inspect", &out])
        .ends_with(0, &["With plug-reads 0.1.0", "nothing, it only reads"]);

    // Composed again, in one go, and one after the other: the same bytes.
    let one = user.home.path().join("one.wasm").display().to_string();
    let two = user.home.path().join("two.wasm").display().to_string();
    user.wreimage(&["compose", "reimage", "--plug", &partitioning, "-o", &one])
        .ends_with(0, &[]);
    user.wreimage(&["compose", &one, "--plug", &reads, "-o", &two])
        .ends_with(0, &[]);
    assert_eq!(std::fs::read(&two).unwrap(), std::fs::read(&out).unwrap());

    let done = user.wreimage(&[
        "run", &out, "--lab", "--host", "host1001", "--os", "bullseye", "--yes", "host1001",
    ]);
    let done = done.ends_with(0, &["Look at the power (plug-reads)", "WITH WARNINGS"]);
    // Its finding is part of the verdict.
    assert!(
        done.out
            .contains("\"Look at the power\": the machine is on"),
        "{}",
        done.said()
    );
    let run = user.runs()[0]
        .file_name()
        .unwrap()
        .to_string_lossy()
        .into_owned();
    user.wreimage(&["show", &run, "--calls", "--lab"])
        .ends_with(
            0,
            &[
                "with plug-reads 0.1.0, sha256",
                "Look at the power (plug-reads)",
                "ipmi.get-power-state by plug-reads",
            ],
        );
}

#[test]
fn a_run_goes_on_with_what_was_plugged_in() {
    let user = User::new();
    let world = user.home.path().join("world").display().to_string();
    let file = user
        .wreimage(&["lab", "show"])
        .out
        .replace("rejects = 0", "rejects = 1");
    let lab = format!("--lab={}", user.file("world.toml", file));
    let reads = fixture("plug-reads");
    let plug = user.file("plug-reads.wasm", std::fs::read(&reads).unwrap());
    let more = [
        lab.as_str(),
        "--world",
        &world,
        "--on-failure",
        "pause",
        "--speed",
        "0",
    ];
    reimage(&user, "host1001", &[&plug], &more).ends_with(50, &["has failed"]);
    // Its file is not needed any more.
    std::fs::remove_file(plug).unwrap();
    let run = user.runs()[0]
        .file_name()
        .unwrap()
        .to_string_lossy()
        .into_owned();
    user.wreimage(&["resume", &run, "--retry", "--speed", "0"])
        .ends_with(0, &["Look at the power (plug-reads)"]);
}

#[test]
fn what_does_not_fit_is_refused_and_says_why() {
    let user = User::new();
    let refused = |guest: &str, plugs: &[&str], words: &[&str]| {
        let mut arguments = vec![
            "run", guest, "--lab", "--host", "host1001", "--os", "bullseye",
        ];
        for plug in plugs {
            arguments.extend(["--plug", plug]);
        }
        user.wreimage(&arguments).ends_with(40, words);
    };
    let (reads, traps) = (fixture("plug-reads"), fixture("plug-traps"));
    refused(
        "reimage",
        &[&fixture("plug-without-hooks")],
        &[
            "plug-without-hooks.wasm exports none of the guest's hooks",
            "wreimage:hooks/partitioning@0.1.0",
        ],
    );
    refused(
        "reimage",
        &[&fixture("plug-nameless")],
        &["plug-nameless.wasm does not say what it is"],
    );
    refused(
        "reimage",
        &[&fixture("plug-other-hook")],
        &[
            "plug-other-hook.wasm",
            "fixtures:hooks/lunch@0.1.0",
            "never be called",
        ],
    );
    refused(
        "reimage",
        &[&traps, &reads],
        &[
            "plug-traps.wasm and ",
            "plug-reads.wasm both export",
            "wreimage:hooks/before-phase@0.1.0",
        ],
    );
    refused(
        "reimage",
        &[&fixture("traps")],
        &["traps.wasm is a guest of its own"],
    );
    refused(
        "reimage",
        &[&user.file("text.wasm", "hello")],
        &["text.wasm", "not a WebAssembly file"],
    );
    refused(
        "reimage",
        &[&fixture("plug-newer")],
        &[
            "plug-newer.wasm is built for another version",
            "wreimage:hooks/plug@0.2.0",
            "wreimage:hooks/plug@0.1.0",
        ],
    );
    refused(
        "reimage",
        &[&fixture("plug-misnamed")],
        &["\"Not a Name\"", "no name of lower-case letters"],
    );
    refused(
        "reimage",
        &[&fixture("plug-http")],
        &[
            "plug-http.wasm imports wasi:http/outgoing-handler@0.2.0",
            "which no guest gets",
        ],
    );
    // The guest of a composition calls by its own names only, in whatever version.
    refused(
        &fixture("name-of-plug"),
        &[&reads],
        &["the guest imports `plug1:ipmi/ipmi@0.1.1`"],
    );
    refused(
        &fixture("name-of-plug"),
        &[],
        &["plug1:ipmi/ipmi@0.1.1", "does not offer"],
    );
    let torn = std::fs::read(&reads).unwrap();
    let torn = user.file("torn.wasm", &torn[..torn.len() / 2]);
    refused("reimage", &[&torn], &["torn.wasm"]);
    refused("bmc-check", &[&reads], &["the guest has no hooks"]);
    user.wreimage(&[
        "run",
        "reimage",
        "--plug",
        "./nothing.wasm",
        "--lab",
        "--host",
        "host1001",
    ])
    .ends_with(64, &["no component to plug in at ./nothing.wasm"]);
    assert_eq!(user.runs().len(), 0);
}

#[test]
fn a_composition_that_was_changed_is_refused() {
    let user = User::new();
    let out = user.home.path().join("mine.wasm").display().to_string();
    let plugs = [
        "--plug",
        &site_partitioning(),
        "--plug",
        &fixture("plug-reads"),
    ];
    let compose = [&["compose", "reimage", "-o", &out][..], &plugs].concat();
    user.wreimage(&compose).ends_with(0, &[]);
    let bytes = std::fs::read(&out).unwrap();
    let refused = |bytes: &[u8], words: &[&str]| {
        let changed = user.file("changed.wasm", bytes);
        user.wreimage(&["inspect", &changed]).ends_with(40, words);
    };
    // The calls of one component under the name of the other.
    let text = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let mut changed = bytes.clone();
        let starts: Vec<usize> = (0..=bytes.len() - from.len())
            .filter(|at| &bytes[*at..*at + from.len()] == from.as_bytes())
            .collect();
        assert!(!starts.is_empty(), "{from}");
        for at in starts {
            changed[at..at + from.len()].copy_from_slice(to.as_bytes());
        }
        changed
    };
    let swapped = text("plug2:ipmi/", "plug1:ipmi/");
    refused(&swapped, &["not what its parts make"]);
    let roles = text("1 defaults plug plug core", "1 plug defaults plug core");
    refused(&roles, &["not what its parts make"]);
    refused(
        &text("1 defaults plug", "2 defaults plug"),
        &["another version"],
    );
    // Something is added that does nothing.
    let mut named = bytes.clone();
    named.extend([0x00, 0x03, 0x01, b'x', 0x00]);
    let named = user.file("named.wasm", named);
    user.wreimage(&["inspect", &named])
        .ends_with(0, &["With plug-reads"]);
}

#[test]
fn what_a_component_says_to_people_has_its_name() {
    let user = User::new();
    let speaks = fixture("plug-speaks");
    let more = [
        "--lab",
        "--output",
        "json",
        "--default-answer",
        "yes",
        "--answer-within",
        "1m",
    ];
    let done = reimage(&user, "host1001", &[&speaks], &more).ends_with(0, &[]);
    let events = done.events();
    let says = |event: &str, key: &str, text: &str| {
        let text = format!("{text} (by the component `plug-speaks`)");
        assert!(
            events
                .iter()
                .any(|it| it["event"] == event && it[key] == text.as_str()),
            "{event}: {text}: {}",
            done.said()
        );
    };
    says("log", "text", "the moon is full");
    says("question", "question", "Is the moon full?");
    says("reminder", "text", "a lamp is on");
}

#[test]
fn a_component_that_dies_is_named() {
    let user = User::new();
    let traps = fixture("plug-traps");
    let done = reimage(&user, "host1001", &[&traps], &["--lab"]);
    done.ends_with(
        40,
        &[
            "the component `plug-traps`",
            "there is no drain here",
            "nothing was touched",
        ],
    );
}

#[test]
fn a_component_that_says_that_it_only_reads_changes_nothing() {
    let user = User::new();
    let quiet = fixture("plug-mutates-quietly");
    let done = reimage(&user, "host1001", &[&quiet], &["--lab", "--output", "json"]);
    let done = done.ends_with(
        40,
        &[
            "the component `plug-mutates-quietly`",
            "ipmi.set-boot-device",
        ],
    );
    assert_eq!(common::mutations(&done.events()).len(), 1, "it was tried");
    assert!(!done.events().iter().any(|event| event["event"] == "intent"));
}

/// A site all of whose systems are the lab's, which grants `reimage` everything, with more grants.
fn site(user: &User, grants: &str) -> String {
    let served = ["netbox", "dns", "ipmi", "dhcp", "remote"];
    let around = "\"puppet\", \"puppet-ca\", \"puppetdb\", \"icinga\", \"alertmanager\", \"conftool\", \"debmonitor\", \
                  \"httpbb\", \"phabricator\"";
    let providers: String = served
        .iter()
        .map(|name| format!("[{name}]\nprovider = \"lab\"\n"))
        .collect();
    let all = format!("\"{}\", {around}", served.join("\", \""));
    let world = user.wreimage(&["lab", "show"]).out;
    user.file("world.toml", world);
    user.file(
        "site.toml",
        format!(
            "name = \"lab1\"\ndomain = \"lab1.test\"\n[[grants]]\nguest = \"reimage\"\nhosts = [\"*\"]\ncapabilities = [{all}]\n\
             {grants}\n{providers}[lab]\nworld = \"world.toml\"\ncapabilities = [{around}]\n"
        ),
    )
}

#[test]
fn what_a_component_is_not_granted_is_refused_by_name_before_anything_runs() {
    let user = User::new();
    let reads = fixture("plug-reads");
    let rehearse = |site: &str| {
        let more = ["--dry-run", "--site", site];
        reimage(&user, "host1001", &[&reads], &more)
    };
    let refused = |site: &str| {
        rehearse(site).ends_with(
            40,
            &[
                "the component `plug-reads`",
                "wreimage:ipmi/ipmi@0.1.0",
                "`get-power-state`",
                "guest = \"plug-reads\"",
            ],
        );
        assert_eq!(user.runs().len(), 0);
    };
    // What the guest may do, the component may not.
    refused(&site(&user, ""));
    let grant = |digest: &str, capabilities: &str| {
        format!(
            "[[grants]]\nguest = \"plug-reads\"\nhosts = [\"*\"]\ncapabilities = [{capabilities}]\n{digest}"
        )
    };
    refused(&site(&user, &grant("", "\"dhcp\"")));
    let other = format!("digest = \"{}\"", "0".repeat(64));
    refused(&site(&user, &grant(&other, "\"ipmi\"")));
    // Granted by its own digest, it runs.
    let own = format!("digest = \"{}\"", sha256(&std::fs::read(&reads).unwrap()));
    rehearse(&site(&user, &grant(&own, "\"ipmi\"")))
        .ends_with(0, &["Look at the power (plug-reads)"]);
}
