//! World files, good and bad, and saved worlds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use wreimage_capability::netbox::Firmware;
use wreimage_lab::{BUILTIN, Stage, World, WorldError};

const SMALL: &str = r#"site = "x"
domain = "x.test"
start = "2026-01-05T08:00:00Z"
distributions = ["bullseye"]
media = ["installer"]

[machine.a]
address = "192.0.2.1"
switch = { name = "s", port = "p1", vlan = "v" }

[machine.a.bmc]
answers = "yes"
"#;

#[test]
fn the_built_in_world_has_its_machines() {
    let world = World::builtin().unwrap();
    assert_eq!(world.site(), "lab1");
    let names: Vec<&str> = world
        .machines()
        .map(|machine| machine.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "db1001", "host1001", "host1002", "host1003", "host1004", "host1005", "host1006",
            "host1007", "host1008", "host1009", "host1010", "host1011", "host2001", "vm1001"
        ]
    );
    let stage = |name: &str| world.machine(name).unwrap().stage.clone();
    assert_eq!(stage("host1001"), Stage::OsUp);
    assert_eq!(stage("host1002"), Stage::NothingBootable);
    assert_eq!(stage("host1003"), Stage::Off);
    assert_eq!(
        world.machine("host1005").unwrap().inventory.device.firmware,
        Firmware::Uefi
    );
    assert!(world.machine("vm1001").unwrap().bmc.is_none());
    // The UUID of a Dell follows from its serial number (reference 5.3).
    for machine in world.machines().filter(|machine| machine.bmc.is_some()) {
        let serial = machine.hardware.serial.clone().unwrap();
        let [a, b, c, d, e, f, g] = serial.as_bytes() else {
            panic!("{serial}")
        };
        let a = a | 0x80;
        let uuid =
            format!("4c4c4544-00{b:02x}-{c:02x}10-80{d:02x}-{a:02x}c04f{e:02x}{f:02x}{g:02x}");
        assert_eq!(
            machine.hardware.uuid.as_deref(),
            Some(uuid.as_str()),
            "{}",
            machine.name
        );
    }
}

#[test]
fn the_built_in_text_explains_every_key() {
    let schema = [
        "site",
        "domain",
        "start",
        "seed",
        "distributions",
        "media",
        "post",
        "network-load",
        "pxe-timeout",
        "installer-boot",
        "installation",
        "os-boot",
        "shutdown",
        "entry-expiry",
        "boot-server",
        "boot-address",
        "reachable",
        "rejects",
        "kind",
        "firmware",
        "vendor",
        "serial",
        "uuid",
        "mac",
        "address",
        "management-address",
        "switch",
        "power",
        "disk",
        "up",
        "status",
        "tags",
        "cabled",
        "host",
        "management",
        "answers",
        "guid",
        "product",
        "keeps-override",
        "forgets-override-after",
        "pxe-does-not-stick",
        "does-not-clear",
        "override-returns",
        "ignores-restarts",
        "autosign",
        "controller-puppet",
        "monitoring-puppet",
        "loses-boot-entry",
        "agent-after-boot",
        "agent-run",
        "agent-period",
        "first-agent-run",
        "certificate-request",
        "exported-resource",
        "checks",
        "recheck",
        "debmonitor-period",
        "netbox-script",
        "unreachable",
        "denied",
        "errors",
        "certificates",
        "requests",
        "suites",
        "endpoints",
        "id",
        "title",
        "site",
        "script",
        "certificate",
        "disabled",
        "first-run-fails",
        "cannot-be-disabled",
        "forged-request",
        "known",
        "resource",
        "never-known",
        "never-green",
        "drops-downtimes",
        "fails",
        "cluster",
        "service",
        "pooled",
        "weight",
    ];
    for key in schema {
        assert!(
            BUILTIN
                .split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
                .any(|word| word == key),
            "{key}"
        );
    }
    // And nothing that it explains is missing here: an unknown key's error lists what there is.
    let WorldError::File { message, .. } =
        World::parse(&SMALL.replace("answers =", "nonsense =")).unwrap_err()
    else {
        panic!("a saved world?")
    };
    for key in message.split('`').skip(3).step_by(2) {
        assert!(schema.contains(&key), "{key}");
    }
}

fn error(from: &str, to: &str) -> String {
    assert!(SMALL.contains(from), "{from}");
    match World::parse(&SMALL.replacen(from, to, 1)) {
        Ok(_) => panic!("`{to}` is taken"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_wrong_file_is_told_with_line_and_key() {
    World::parse(SMALL).unwrap();
    let rows = [
        (
            "answers = \"yes\"",
            "answer = \"yes\"",
            "line 12: machine.a.bmc.answer: unknown field `answer`, expected one of",
        ),
        (
            "answers = \"yes\"",
            "answers = \"perhaps\"",
            "line 12: machine.a.bmc.answers: unknown variant `perhaps`, expected one of",
        ),
        (
            "answers = \"yes\"",
            "keeps-override = 1",
            "line 12: machine.a.bmc.keeps-override: invalid type: integer `1`, expected a boolean",
        ),
        (
            "answers = \"yes\"",
            "pxe-does-not-stick = -1",
            "line 12: machine.a.bmc.pxe-does-not-stick: invalid value: integer `-1`, expected u32",
        ),
        (
            "answers = \"yes\"",
            "guid = \"4C4C4544\"",
            "line 12: machine.a.bmc.guid: `4C4C4544` is not a UUID in lower case with dashes",
        ),
        (
            "answers = \"yes\"",
            "forgets-override-after = \"a while\"",
            "line 12: machine.a.bmc.forgets-override-after: `a while` is not a span of time such as `90s` or `12min`",
        ),
        (
            "address = \"192.0.2.1\"",
            "address = \"192.0.2.256\"",
            "line 8: machine.a.address: `192.0.2.256` is not an IP address",
        ),
        (
            "address = \"192.0.2.1\"",
            "mac = \"02-00-5e-00-10-01\"",
            "line 8: machine.a.mac: `02-00-5e-00-10-01` is not a MAC address in lower case with colons",
        ),
        (
            "address = \"192.0.2.1\"",
            "disk = \"Bull seye\"",
            "line 8: machine.a.disk: `Bull seye` is not made of lower-case letters, digits, dashes and dots",
        ),
        (
            "address = \"192.0.2.1\"",
            "kind = \"virtual\"",
            "line 9: machine.a.switch: a virtual machine has no switch port",
        ),
        (
            "switch = { name = \"s\", port = \"p1\", vlan = \"v\" }",
            "kind = \"virtual\"",
            "line 11: machine.a.bmc: a virtual machine has no BMC",
        ),
        (
            "vlan = \"v\"",
            "vlan = \"v\\\"; x\"",
            "line 9: machine.a.switch: name, port and vlan are made of letters, digits and `-./_`",
        ),
        (
            ", vlan = \"v\"",
            "",
            "line 9: machine.a.switch: missing field `vlan`",
        ),
        (
            "[machine.a.bmc]\nanswers = \"yes\"",
            "[machine.b]\nswitch = { name = \"s\", port = \"p1\", vlan = \"v\" }",
            "line 12: machine.b.switch: a is plugged in there already",
        ),
        (
            "site = \"x\"",
            "site = \"X\"",
            "line 1: site: `X` is not made of lower-case letters, digits and dashes",
        ),
        (
            "start = \"2026-01-05T08:00:00Z\"",
            "start = \"yesterday\"",
            "line 3: start: is not a time such as `2026-01-05T08:00:00Z`",
        ),
        (
            "start = \"2026-01-05T08:00:00Z\"",
            "start = \"1960-01-05T08:00:00Z\"",
            "line 3: start: is too early",
        ),
        (
            "distributions = [\"bullseye\"]",
            "distributions = [\"../x\"]",
            "line 4: distributions: `../x` is not made of lower-case letters, digits, dashes and dots",
        ),
        (
            "media = [\"installer\"]",
            "medium = []",
            "line 5: medium: unknown field `medium`, expected one of",
        ),
        (
            "[machine.a]",
            "[times]\npost = \"0s\"\n[machine.a]",
            "line 8: times.post: `0s` is not between one second and 30 days",
        ),
        (
            "[machine.a]",
            "[times]\npost = \"999999999999h\"\n[machine.a]",
            "line 8: times.post: `999999999999h` is not",
        ),
        (
            "[machine.a]",
            "[machine.\"A b\"]\n[machine.a]",
            "line 7: machine.\"A b\": `A b` is not made of lower-case letters, digits and dashes",
        ),
        ("domain = \"x.test\"\n", "", "missing field `domain`"),
        ("site = \"x\"", "site = ", "line 1: site: "),
    ];
    for (from, to, expected) in rows {
        let told = error(from, to);
        assert!(
            told.contains(expected),
            "\n{to}\n  told: {told}\n  expected: {expected}"
        );
    }
}

#[test]
fn bytes_that_are_no_file_are_errors() {
    for text in [
        "",
        "\u{0}",
        "[[[[",
        "a = 1",
        "machine = 3",
        "[machine]\nx = 1",
        "é = \"",
        "\"\"\"",
    ] {
        assert!(World::parse(text).is_err(), "{text:?}");
    }
    // Cut off anywhere, also within a character.
    for end in 0..BUILTIN.len() {
        if let Some(text) = BUILTIN.get(..end) {
            let _ = World::parse(text);
        }
    }
}

#[test]
fn what_is_no_saved_world_is_told() {
    let saved = World::builtin().unwrap().save();
    assert_eq!(World::restore(&saved).unwrap(), World::builtin().unwrap());
    for text in [
        "",
        "{}",
        "[]",
        BUILTIN,
        saved.get(..saved.len() / 2).unwrap(),
    ] {
        let told = World::restore(text).unwrap_err().to_string();
        assert!(told.starts_with("not a saved world: "), "{told}");
    }
}

#[test]
fn a_wrong_service_is_told_with_line_and_key() {
    for (text, key, says) in [
        (
            "[services]\nunreachable = [\"pupetdb\"]",
            "services.unreachable",
            "is none of",
        ),
        (
            "[services]\nerrors = { x = 1 }",
            "services.errors",
            "is none of",
        ),
        (
            "[services]\nnonsense = 1",
            "services.nonsense",
            "unknown field",
        ),
        (
            "[services]\nendpoints = [\"x\"]",
            "services.endpoints",
            "is none of",
        ),
        ("[[task]]\nid = \"12\"", "task.id", "not the id of a task"),
        (
            "[machine.a.puppet]\nnonsense = 1",
            "machine.a.puppet.nonsense",
            "unknown field",
        ),
        (
            "[machine.a.puppet]\nfirst-run-fails = \"often\"",
            "machine.a.puppet.first-run-fails",
            "always",
        ),
        (
            "[machine.a.puppetdb]\nresource = \"often\"",
            "machine.a.puppetdb.resource",
            "unknown variant",
        ),
        (
            "[machine.a.icinga]\nknow = true",
            "machine.a.icinga.know",
            "unknown field",
        ),
        (
            "[machine.a.debmonitor]\nknow = true",
            "machine.a.debmonitor.know",
            "unknown field",
        ),
        (
            "[machine.a.httpbb]\nfail = true",
            "machine.a.httpbb.fail",
            "unknown field",
        ),
        (
            "[[machine.a.conftool]]\ncluster = \"c\"\nservice = \"s\"\npooled = \"maybe\"",
            "machine.a.conftool.pooled",
            "is none of",
        ),
    ] {
        let error = World::parse(&format!("{SMALL}\n{text}\n")).unwrap_err();
        let WorldError::File {
            key: told,
            message,
            line,
        } = error
        else {
            panic!("{error:?}")
        };
        assert_eq!(told, key, "{message}");
        assert!(message.contains(says), "{key}: {message}");
        assert_eq!(
            line,
            SMALL.lines().count() + 1 + text.lines().count(),
            "{key}"
        );
    }
}
