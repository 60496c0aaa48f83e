//! The default guest in the lab, as its users run it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{User, mutations};
use wreimage_journal::Record;

/// The part of the runbook that wipes the machine.
const INSTALL: [&str; 5] = [
    "dhcp.publish",
    "ipmi.set-boot-device",
    "ipmi.set-power",
    "ipmi.clear-boot-device",
    "dhcp.withdraw",
];

/// Options without which a machine of the lab is not reimaged.
fn needed(host: &str) -> &'static [&'static str] {
    match host {
        "host1002" => &["--new"],
        _ => &[],
    }
}

#[test]
fn every_machine_that_can_be_reimaged_is() {
    for host in ["host1001", "host1002", "host1003", "host1004"] {
        let mut more = vec!["--output", "json"];
        more.extend(needed(host));
        let done = User::new().reimage(host, &more).ends_with(0, &[]);
        let events = done.events();
        let changes = mutations(&events);
        let install: Vec<&str> = changes
            .iter()
            .map(String::as_str)
            .filter(|change| INSTALL.contains(change))
            .collect();
        assert_eq!(install, INSTALL, "{host}");
        let at = |change: &str| {
            changes
                .iter()
                .position(|c| c == change)
                .unwrap_or_else(|| panic!("{host}: no {change}: {changes:?}"))
        };
        let order = [
            "puppetdb.deactivate",
            "puppet-ca.clean",
            "debmonitor.remove",
            "dhcp.publish",
            "dhcp.withdraw",
            "puppet.request-certificate",
            "puppet-ca.sign",
            "puppet.noop-run",
            "puppet.first-run",
            "remote.reboot",
            "netbox.run-script",
        ];
        assert!(order.map(at).is_sorted(), "{host}: {changes:?}");
        let last = events.last().unwrap();
        assert_eq!(last["event"], "finished", "{host}");
        let outcome = last["outcome"].as_str().unwrap();
        assert!(["success", "warnings"].contains(&outcome), "{host}: {last}");
    }
}

#[test]
fn on_uefi_the_override_is_not_touched_before_the_new_system_is_up() {
    let events = User::new()
        .reimage("host1005", &["--output", "json"])
        .ends_with(0, &[])
        .events();
    let place = |what: &dyn Fn(&serde_json::Value) -> bool| events.iter().position(what).unwrap();
    let set = place(&|e| e["function"] == "ipmi.set-boot-device" && e["event"] == "outcome");
    assert_eq!(events[set]["arguments"]["mode"], "Efi");
    let booted: Vec<usize> = (0..events.len())
        .filter(|i| {
            events[*i]["function"] == "remote.wait-for-boot" && events[*i]["event"] == "outcome"
        })
        .collect();
    assert!(booted.len() >= 2, "{booted:?}");
    let touched = (set + 1..events.len())
        .filter(|i| {
            let function = events[*i]["function"].as_str().unwrap_or_default();
            events[*i]["event"] == "intent" && function.ends_with("boot-device")
        })
        .min();
    assert!(
        touched.is_none_or(|touched| touched > booted[1]),
        "{touched:?} {booted:?}"
    );
}

#[test]
fn the_record_holds_the_events_that_were_printed() {
    let user = User::new();
    let done = user.reimage("host1001", &["--output", "json"]);
    let runs = user.runs();
    assert_eq!(runs.len(), 1);
    let entries = user.records(&runs[0]);
    let printed: Vec<_> = done
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect::<Vec<wreimage_journal::Entry>>();
    assert_eq!(entries, printed);
    assert!(
        entries
            .iter()
            .map(|e| e.number)
            .eq(1..=entries.len() as u64)
    );
    let Record::Header(header) = &entries[0].record else {
        panic!("the first record is no header")
    };
    assert_eq!(header.site, "lab1");
    // The kernel's account, whatever $USER says.
    let home = std::fs::metadata(user.home.path()).unwrap();
    let uid = format!("(uid {})", std::os::unix::fs::MetadataExt::uid(&home));
    assert!(header.actor.ends_with(&uid), "{}", header.actor);
    assert!(!header.actor.contains("tester"), "{}", header.actor);
    let bytes = std::fs::read(common::guests().join("reimage.wasm")).unwrap();
    let digest: String = <sha2::Sha256 as sha2::Digest>::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    assert_eq!(header.guest_digest, digest);
}

#[test]
fn the_same_run_twice_makes_the_same_calls() {
    let calls = || {
        let events = User::new()
            .reimage("host1001", &["--output", "json"])
            .events();
        let run = events[0]["run"].as_str().unwrap().to_owned();
        events
            .into_iter()
            .filter(|event| event["event"] == "outcome")
            .map(|event| {
                format!(
                    "{} {} {}",
                    event["function"], event["arguments"], event["result"]
                )
                .replace(&run, "RUN")
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(calls(), calls());
}

#[test]
fn a_rehearsal_goes_to_the_end_prints_the_plan_and_changes_nothing() {
    let user = User::new();
    for host in ["host1001", "host1002", "host1003", "host1004", "host1005"] {
        let done = user
            .wreimage(
                &[
                    &[
                        "run",
                        "reimage",
                        "--lab",
                        "--host",
                        host,
                        "--os",
                        "bullseye",
                        "--dry-run",
                    ],
                    needed(host),
                ]
                .concat(),
            )
            .ends_with(0, &["Plan for"]);
        let at = |word: &str| {
            done.out
                .find(word)
                .unwrap_or_else(|| panic!("{word}: {}", done.out))
        };
        assert!(at("dhcp.publish") < at("ipmi.set-boot-device"));
        assert!(at("ipmi.set-boot-device") < at("ipmi.set-power"));
        assert!(at("ipmi.set-power") < at("dhcp.withdraw"));
    }
    let events = user
        .wreimage(&[
            "run",
            "reimage",
            "--lab",
            "--host",
            "host1001",
            "--os",
            "bullseye",
            "--dry-run",
            "--output",
            "json",
        ])
        .events();
    let real = events.iter().filter(|event| {
        let mutates = event["effect"] == "write" || event["effect"] == "once";
        event["event"] == "outcome" && mutates && event["reality"].is_null()
    });
    assert_eq!(
        real.count(),
        0,
        "a change of the rehearsal was not made in the twin"
    );
    assert_eq!(events.last().unwrap()["touched"], false);
    let planned = mutations(&events);
    assert!(
        INSTALL
            .iter()
            .all(|change| planned.iter().any(|c| c == change)),
        "{planned:?}"
    );
}

#[test]
fn no_pxe_installs_nothing() {
    // The release that runs there already: with another one there is nothing to go on with.
    let done = User::new()
        .wreimage(&[
            "run", "reimage", "--lab", "--host", "host1001", "--os", "buster", "--yes", "host1001",
            "--no-pxe", "--output", "json",
        ])
        .ends_with(0, &[]);
    let changes = mutations(&done.events());
    assert!(
        INSTALL
            .iter()
            .all(|change| !changes.iter().any(|made| made == change)),
        "{changes:?}"
    );
}

#[test]
fn a_release_or_media_that_the_install_server_lacks_is_refused_before_anything_is_touched() {
    let user = User::new();
    for (more, named) in [
        (&["--os", "sarge"][..], "sarge"),
        (
            &["--os", "bullseye", "--pxe-media", "installer-of-mars"],
            "installer-of-mars",
        ),
    ] {
        let run = [
            "run", "reimage", "--lab", "--host", "host1001", "--yes", "host1001", "--output",
            "json",
        ];
        let done = user
            .wreimage(&[&run[..], more].concat())
            .ends_with(40, &[named]);
        let events = done.events();
        assert_eq!(events.last().unwrap()["outcome"], "refused");
        assert!(
            !events.iter().any(|event| event["event"] == "intent"),
            "{}",
            done.said()
        );
    }
}

#[test]
fn help_shows_the_options_of_the_guest_and_the_exit_codes() {
    User::new()
        .wreimage(&["run", "reimage", "--help"])
        .ends_with(
            0,
            &[
                "Options of the guest reimage",
                "--os",
                "--pxe-media",
                "--dry-run",
                "Exit codes",
                "40",
            ],
        );
}

#[test]
fn a_guest_that_only_reads_needs_no_consent() {
    User::new()
        .wreimage(&["run", "bmc-check", "--lab", "--host", "host1001"])
        .ends_with(0, &["SUCCESS"]);
}

#[test]
fn without_a_site_file_the_lab_is_used_and_said() {
    let done = User::new().wreimage(&["run", "bmc-check", "--host", "host1001"]);
    done.ends_with(0, &["this is the lab"]);
}

#[test]
fn inspect_lists_functions_with_their_effects_and_no_wasi() {
    let user = User::new();
    let done = user.wreimage(&["inspect", "reimage"]).ends_with(
        0,
        &["once  set-power", "write publish", "--os OS", "sha256"],
    );
    assert!(!done.out.contains("wasi:"), "{}", done.out);
    let json: serde_json::Value = serde_json::from_str(
        &user
            .wreimage(&["inspect", "reimage", "--output", "json"])
            .out,
    )
    .unwrap();
    assert_eq!(json["name"], "reimage");
    let interfaces: Vec<&str> = json["imports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| i["interface"].as_str().unwrap())
        .collect();
    assert!(
        interfaces.contains(&"wreimage:ipmi/ipmi@0.1.0"),
        "{interfaces:?}"
    );
    assert!(
        interfaces.iter().all(|i| i.starts_with("wreimage:")),
        "{interfaces:?}"
    );
}

#[test]
fn the_labs_world_is_printed_and_can_be_read() {
    let done = User::new()
        .wreimage(&["lab", "show"])
        .ends_with(0, &["host1001", "db1001", "vm1001"]);
    done.out.parse::<toml::Table>().unwrap();
}

#[test]
fn a_bare_name_is_looked_up_in_the_users_data_too() {
    let user = User::new();
    let folder = user.home.path().join(".local/share/wreimage/guests");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(
        common::guests().join("bmc-check.wasm"),
        folder.join("mine.wasm"),
    )
    .unwrap();
    user.wreimage(&["inspect", "mine"])
        .ends_with(0, &["bmc-check"]);
}

/// A site whose machine is reached for real and whose other systems are the lab's. Nothing of the machine is asked for here
/// that the lab does not serve, so that the test needs no server.
#[test]
fn a_rehearsal_goes_to_the_end_where_the_lab_serves_what_the_site_does_not_have() {
    let user = User::new();
    let world = user.wreimage(&["lab", "show"]).out;
    user.file("world.toml", world);
    user.file(
        "inventory.toml",
        "[hosts.host1001]\nstatus = \"active\"\nfqdn = \"host1001.lab1.test\"\nserial = \"LAB1001\"\n\
         machine-uuid = \"4c4c4544-0041-4210-8031-ccc04f303031\"\nprimary-ip = \"192.0.2.11\"\n\
         mac = \"02:00:5e:00:10:01\"\n\
         switch-port = { switch = \"asw1-a-lab1\", port = \"ge-0/0/1\", vlan = \"private1-a-lab1\" }\n",
    );
    user.file(
        "hosts",
        "192.0.2.11 host1001.lab1.test\n198.51.100.11 host1001.mgmt.lab1.test\n",
    );
    let services = "\"puppet\", \"puppet-ca\", \"puppetdb\", \"icinga\", \"alertmanager\", \"conftool\", \
                    \"debmonitor\", \"httpbb\", \"phabricator\", \"http\"";
    let site = user.file(
        "site.toml",
        format!(
            "name = \"lab1\"\ndomain = \"lab1.test\"\n\
             [[grants]]\nguest = \"reimage\"\nhosts = [\"*\"]\n\
             capabilities = [\"netbox\", \"dns\", \"ipmi\", \"dhcp\", \"remote\", {services}]\n\
             [netbox]\nprovider = \"file\"\ninventory = \"inventory.toml\"\n\
             [dns]\nprovider = \"hosts\"\nhosts = \"hosts\"\n\
             [ipmi]\nprovider = \"lab\"\n[dhcp]\nprovider = \"lab\"\n[remote]\nprovider = \"lab\"\n\
             [lab]\ncapabilities = [{services}]\nworld = \"world.toml\"\n"
        ),
    );
    for options in [
        &[][..],
        &[
            "--task",
            "T12345",
            "--conftool",
            "--httpbb",
            "--mask",
            "nginx",
        ],
    ] {
        let call = [
            "run",
            "reimage",
            "--site",
            &site,
            "--host",
            "host1001",
            "--os",
            "bullseye",
            "--dry-run",
        ];
        let done = user.wreimage(&[&call[..], options].concat());
        done.ends_with(
            0,
            &["Plan for host1001", "puppet.first-run", "netbox.run-script"],
        );
    }
}
