//! Site files: the documented example, and what is said about wrong ones.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use secrecy::SecretString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use wreimage_capability::Call;
use wreimage_live::dhcp::{Dhcp, Expiry};
use wreimage_live::ipmi::Ipmi;
use wreimage_live::lease::LeaseTable;
use wreimage_live::netbox::InventoryFile;
use wreimage_site::{Choice, ConfigError, Period, Site, SiteFile};

const EXAMPLE: &str = include_str!("../example-site.toml");

fn parse(text: &str) -> Result<SiteFile, ConfigError> {
    SiteFile::parse(Path::new("site.toml"), text)
}

/// Line, key and message of the error.
fn wrong(text: &str) -> (usize, Option<String>, String) {
    let error = parse(text).expect_err("the file is wrong");
    let shown = error.to_string();
    assert!(shown.starts_with("site.toml, line "), "{shown}");
    match error {
        ConfigError::Content {
            line, key, message, ..
        } => (line, key, message),
        other => panic!("{other}"),
    }
}

fn minimal(more: &str) -> String {
    format!("name = \"lab1\"\ndomain = \"lab1.test\"\n{more}")
}

#[test]
fn the_example_is_a_site_file_and_says_the_defaults() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let file = parse(EXAMPLE).unwrap();
    let ipmi = file.tables.of::<Ipmi>().unwrap();
    let bare = parse(&minimal(
        "[ipmi]\nprovider = \"ipmitool\"\npassword = { env = \"X\" }\n",
    ))
    .unwrap();
    let defaults = bare.tables.of::<Ipmi>().unwrap();
    assert_eq!(
        (
            &ipmi.user,
            ipmi.port,
            ipmi.timeout,
            ipmi.tries,
            &ipmi.cipher_suites,
            &ipmi.program
        ),
        (
            &defaults.user,
            defaults.port,
            defaults.timeout,
            defaults.tries,
            &defaults.cipher_suites,
            &defaults.program
        )
    );
    assert_eq!(file.management, bare.management);
    assert_eq!(file.limits, bare.limits);
    assert_eq!(file.policy, bare.policy);
    let dhcp = file.tables.of::<Dhcp>().unwrap();
    let bare = parse(&minimal("[dhcp]\nprovider = \"dhcpincludes\"\n")).unwrap();
    let bare = bare.tables.of::<Dhcp>().unwrap();
    assert_eq!(
        (
            &dhcp.folder,
            &dhcp.snippets,
            &dhcp.include,
            &dhcp.running,
            &dhcp.started,
            dhcp.timeout,
            dhcp.expiry
        ),
        (
            &bare.folder,
            &bare.snippets,
            &bare.include,
            &bare.running,
            &bare.started,
            bare.timeout,
            bare.expiry
        )
    );
    assert_eq!(
        (&dhcp.schedule, &dhcp.scheduled, &dhcp.unschedule),
        (&bare.schedule, &bare.scheduled, &bare.unschedule)
    );
    assert_eq!(file.lease.ttl.get_ref(), bare_lease().ttl.get_ref());
    let inventory: InventoryFile =
        toml::from_str(&std::fs::read_to_string(folder.join("example-inventory.toml")).unwrap())
            .unwrap();
    assert_eq!(inventory.hosts.len(), 2);
}

fn bare_lease() -> LeaseTable {
    parse(&minimal("")).unwrap().lease
}

#[test]
fn the_lease_is_kept_where_dhcp_is_live() {
    let dhcp = "[dhcp]\nprovider = \"dhcpincludes\"\n";
    for (text, words) in [
        ("[lease]\nttl = \"59s\"\n", "from \"60s\" to \"900s\""),
        ("[lease]\nttl = \"16m\"\n", "from \"60s\" to \"900s\""),
        ("[lease]\nprovider = \"install-server\"\n", "needs [dhcp]"),
        ("[lease]\nprovider = \"nats\"\n", "install-server"),
    ] {
        let (_, _, message) = wrong(&minimal(text));
        assert!(message.contains(words), "{text}: {message}");
    }
    let load = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("site.toml");
        std::fs::write(&path, minimal(text)).unwrap();
        Site::load(&path).unwrap()
    };
    let here = load(dhcp);
    assert!(here.lease().is_some());
    assert!(here.unordered().unwrap().contains("only its own runs"));
    let far = load(&format!(
        "{dhcp}[dhcp.server]\nhost = \"install1001\"\nkey = \"k\"\nknown-hosts = \"k\"\n"
    ));
    assert!(far.lease().is_some() && far.unordered().is_none());
    let none = load(&format!("{dhcp}[lease]\nprovider = \"none\"\n"));
    assert!(none.lease().is_none());
    assert!(none.unordered().unwrap().contains("another state folder"));
    let without = load(
        "[remote]\nprovider = \"russh\"\n[remote.production]\nkey = \"k\"\nknown-hosts = \"k\"\n",
    );
    assert!(without.lease().is_none());
    assert!(
        without
            .unordered()
            .unwrap()
            .contains("another state folder")
    );
    let lab = load("");
    assert!(lab.lease().is_none() && lab.unordered().is_none());
}

#[test]
fn typos_name_their_line_and_key() {
    let (line, key, message) = wrong(&minimal(
        "[ipmi]\nprovider = \"ipmitool\"\npasword = { env = \"X\" }\n",
    ));
    assert_eq!((line, key.as_deref()), (5, Some("pasword")));
    assert!(
        message.contains("unknown key `pasword`") && message.contains("`password`"),
        "{message}"
    );

    let (line, key, _) = wrong("name = \"a\"\ndomain = \"b\"\nnme = 1\n");
    assert_eq!((line, key.as_deref()), (3, Some("nme")));

    let (line, key, _) = wrong(&minimal(
        "\n[dhcp.boot.pxelinux-http]\npath = \"x\"\n[dhcp]\nprovider = \"lab\"\n",
    ));
    assert_eq!((line, key.as_deref()), (5, Some("path")));

    let (line, key, message) = wrong(&minimal("[dns]\nprovider = \"bind\"\n"));
    assert_eq!((line, key.as_deref()), (4, Some("provider")));
    assert!(message.contains("`system`"), "{message}");

    let (line, _, message) = wrong("name = \"a\"\ndomain = \"b\n");
    assert_eq!(line, 2, "{message}");

    let (line, _, message) = wrong(&minimal(
        "[waits]\ndefault = { interval = \"5 parsecs\" }\n",
    ));
    assert_eq!(line, 4);
    assert!(message.contains("such as \"10s\""), "{message}");

    let (line, _, message) = wrong(&minimal(
        "[ipmi]\nprovider = \"ipmitool\"\npassword = { env = \"X\" }\ncipher-suites = [0]\n",
    ));
    assert_eq!(line, 6);
    assert!(message.contains("17 and 3"), "{message}");

    assert_eq!(wrong("domain = \"b\"\n").1.as_deref(), Some("name"));
}

#[test]
fn what_a_provider_needs_must_be_there() {
    for (table, key) in [
        ("[ipmi]\nprovider = \"ipmitool\"\n", "password"),
        ("[netbox]\nprovider = \"file\"\n", "inventory"),
        ("[dns]\nprovider = \"server\"\n", "servers"),
        ("[dns]\nprovider = \"hosts\"\n", "hosts"),
        ("[remote]\nprovider = \"russh\"\n", "production"),
        (
            "[dhcp]\nprovider = \"dhcpincludes\"\ninclude = []\n",
            "include",
        ),
        (
            "[dhcp]\nprovider = \"dhcpincludes\"\nsnippets = \"../x\"\n",
            "snippets",
        ),
    ] {
        let (line, named, message) = wrong(&minimal(table));
        assert_eq!((line, named.as_deref()), (4, Some(key)), "{message}");
    }
    let (line, key, message) = wrong(&minimal(
        "[[grants]]\nguest = \"g\"\nhosts = [\"*\"]\ncapabilities = [\"netbox\", \"impi\"]\n",
    ));
    assert_eq!((line, key.as_deref()), (6, Some("capabilities")));
    assert!(
        message.contains("`impi`") && message.contains("ipmi"),
        "{message}"
    );
    let (line, key, _) = wrong(&minimal(
        "[waits]\n\"remote.reboot\" = { interval = \"1s\" }\n",
    ));
    assert_eq!((line, key.as_deref()), (4, Some("remote.reboot")));
}

#[test]
fn no_timeout_outlasts_the_gate() {
    const IPMI: &str = "[ipmi]\nprovider = \"ipmitool\"\npassword = { env = \"X\" }\n";
    const REMOTE: &str = "[remote]\nprovider = \"lab\"\n";
    for (table, key, most, more) in [
        ("[dns]\nprovider = \"system\"\n", "timeout", "10s", "11s"),
        (IPMI, "timeout", "20s", "21s"),
        ("[dhcp]\nprovider = \"lab\"\n", "timeout", "60s", "2m"),
        (REMOTE, "connect-timeout", "20s", "20001ms"),
        (REMOTE, "login-timeout", "20s", "1m"),
        (REMOTE, "read-timeout", "20s", "1h"),
    ] {
        parse(&minimal(&format!("{table}{key} = \"{most}\"\n"))).unwrap();
        let (line, named, message) = wrong(&minimal(&format!("{table}{key} = \"{more}\"\n")));
        assert_eq!((line, named.as_deref()), (4, Some(key)), "{message}");
        assert!(message.contains("at most"), "{message}");
    }
    parse(&minimal(&format!("{IPMI}tries = 1\ntimeout = \"40s\"\n"))).unwrap();
    let (_, key, _) = wrong(&minimal(&format!("{IPMI}tries = 6\n")));
    assert_eq!(key.as_deref(), Some("tries"));
}

#[test]
fn an_entry_expires_unless_the_site_says_none() {
    let dhcp = |keys: &str| minimal(&format!("[dhcp]\nprovider = \"dhcpincludes\"\n{keys}\n"));
    for good in ["none", "10m", "2h", "168h"] {
        let file = parse(&dhcp(&format!("expiry = \"{good}\""))).unwrap();
        let never = file.tables.of::<Dhcp>().unwrap().expiry == Expiry::Never;
        assert_eq!(never, good == "none");
    }
    for wrong_one in ["9m", "169h", "0s", "never", "120"] {
        let (_, key, message) = wrong(&dhcp(&format!("expiry = \"{wrong_one}\"")));
        assert_eq!(key.as_deref(), Some("expiry"), "{message}");
        assert!(message.contains("\"none\""), "{message}");
    }
    let (_, key, _) = wrong(&dhcp("schedule = []"));
    assert_eq!(key.as_deref(), Some("schedule"));
}

#[test]
fn a_secret_written_into_the_file_is_refused_and_never_repeated() {
    for value in [
        "\"hunter2-secret\"",
        "{ text = \"hunter2-secret\" }",
        "[\"hunter2-secret\"]",
        "4711",
    ] {
        let text = minimal(&format!(
            "[ipmi]\nprovider = \"ipmitool\"\npassword = {value}\n"
        ));
        let error = parse(&text).unwrap_err();
        for shown in [error.to_string(), format!("{error:?}")] {
            assert!(
                !shown.contains("hunter2") && !shown.contains("4711"),
                "{shown}"
            );
            assert!(shown.contains("line"), "{shown}");
        }
    }
    // Pasted in the wrong place, it is still a secret.
    for (place, key, expected) in [
        ("timeout = \"hunter2-secret\"", "timeout", "10s"),
        ("timeout = \"hunter2, expected x\"", "timeout", "10s"),
        ("timeout = 4711", "timeout", "10s"),
        ("port = \"hunter2-secret\"", "port", "u16"),
        ("port = 47114711", "port", "u16"),
        ("provider = \"hunter2-secret\"", "provider", "`lab`"),
        ("provider = \"hunter2`, expected x\"", "provider", "`lab`"),
    ] {
        let error = parse(&minimal(&format!("[ipmi]\n{place}\n"))).unwrap_err();
        for shown in [error.to_string(), format!("{error:?}")] {
            assert!(
                !shown.contains("hunter2") && !shown.contains("4711"),
                "{shown}"
            );
            assert!(shown.contains(key) && shown.contains(expected), "{shown}");
        }
        assert!(error.to_string().contains("line 4"), "{error}");
    }
}

/// A site in a folder of its own.
fn site(text: &str) -> (tempfile::TempDir, Result<Site, ConfigError>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("site.toml");
    std::fs::write(&path, text).unwrap();
    std::fs::write(
        folder.path().join("inventory.toml"),
        "[hosts.host1001]\nstatus = \"active\"\n[hosts.vm1001]\nstatus = \"active\"\nkind = \"virtual\"\n",
    )
    .unwrap();
    let site = Site::load(&path);
    (folder, site)
}

#[tokio::test]
async fn a_site_says_who_serves_what_and_opens_the_live_ones() {
    let (_folder, site) = site(&minimal(
        "console = \"ipmitool -H {management} sol activate\"\n\
         [netbox]\nprovider = \"file\"\ninventory = \"inventory.toml\"\n\
         [dns]\nprovider = \"lab\"\n[dhcp]\nprovider = \"absent\"\n\
         [ipmi]\nprovider = \"ipmitool\"\npassword = { env = \"NO_SUCH_VARIABLE\" }\n\
         [[grants]]\nguest = \"g\"\ncapabilities = [\"ipmi\"]\nhosts = [\"host*\"]\n\
         [waits]\n\"remote.wait-for-boot\" = { interval = \"200ms\" }\n",
    ));
    let site = site.unwrap();
    let choices = site.choices();
    assert_eq!(choices["netbox"], Choice::Live);
    assert_eq!(choices["dns"], Choice::Lab);
    assert_eq!(choices["dhcp"], Choice::Absent);
    assert_eq!(choices["remote"], Choice::Absent);
    let open = site.open("host1001").unwrap();
    assert_eq!(open.names().collect::<Vec<_>>(), ["ipmi", "netbox"]);
    assert!(matches!(
        site.open("host1001.lab1.test"),
        Err(ConfigError::HostName(_))
    ));
    assert_eq!(
        site.console_command("host1001").as_deref(),
        Some("ipmitool -H host1001.mgmt.lab1.test sol activate")
    );
    assert_eq!(site.granted("g", "any", "host1001"), ["ipmi"]);
    assert!(site.granted("g", "any", "db1001").is_empty());
    assert!(site.granted("other", "any", "host1001").is_empty());
    assert_eq!(
        site.waits().of("remote.wait-for-boot").interval,
        Some(Period(Duration::from_millis(200)))
    );
    assert_eq!(site.protected_tags(), ["protected"]);

    let lines = site.check(None).await;
    let secret = lines
        .iter()
        .find(|line| line.what == "secret ipmi.password")
        .unwrap();
    assert!(
        !secret.ok && secret.message.contains("NO_SUCH_VARIABLE"),
        "{}",
        secret.message
    );
}

#[tokio::test]
async fn secrets_come_from_files_commands_and_people_and_stay_out_of_sight() {
    for (reference, fails) in [
        ("{ file = \"secret\" }", false),
        ("{ command = [\"cat\", \"secret\"] }", false),
        ("{ prompt = \"Management password\" }", false),
        ("{ file = \"no-such-file\" }", true),
        (
            "{ command = [\"sh\", \"-c\", \"echo no >&2; exit 3\"] }",
            true,
        ),
        ("{ command = [\"no-such-program\"] }", true),
        ("{ file = \"empty\" }", true),
    ] {
        let (folder, site) = site(&minimal(&format!(
            "[ipmi]\nprovider = \"ipmitool\"\npassword = {reference}\n"
        )));
        for (name, content) in [("secret", "hunter2-secret\n"), ("empty", "\n")] {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            let own = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::set_permissions(&path, own).unwrap();
        }
        let site = site.unwrap().with_prompter(Arc::new(|label| {
            assert_eq!(label, "Management password");
            Ok(SecretString::from("hunter2-secret"))
        }));
        site.ask_secrets().await.unwrap();
        let lines = site.check(None).await;
        let secret = lines
            .iter()
            .find(|line| line.what == "secret ipmi.password")
            .unwrap();
        assert_eq!(secret.ok, !fails, "{reference}: {}", secret.message);
        let shown = format!("{site:?} {lines:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        if fails {
            assert!(
                secret.message.contains("ipmi.password"),
                "{}",
                secret.message
            );
        }
    }
}

#[tokio::test]
async fn names_that_are_none_are_refused() {
    let (folder, site) = site(&minimal(
        "[netbox]\nprovider = \"file\"\ninventory = \"inventory.toml\"\n",
    ));
    let site = site.unwrap();
    let get_device = async |inventory: &str| {
        std::fs::write(folder.path().join("inventory.toml"), inventory).unwrap();
        let netbox = site.open("host1001").unwrap().get("netbox").unwrap();
        let function = &wreimage_capability::netbox::functions::get_device;
        let arguments = serde_json::json!({});
        let answer = netbox.perform(&Call::alone(), function, &arguments).await;
        answer.unwrap_err()
    };
    let fault = get_device("[hosts.host1001]\nstatus = \"active\"\nfqdn = \"x; reboot\"\n").await;
    assert_eq!(fault.code, "site.bad-name");
    let fault = get_device("[hosts.host1001]\nfqnd = 1\n").await;
    assert!(
        fault
            .message
            .contains("inventory.toml, line 2: unknown key `fqnd`"),
        "{}",
        fault.message
    );
}

#[test]
fn the_lab_stands_in_only_for_what_has_no_table_of_its_own() {
    for (name, words) in [
        ("dhcp", "provider = \"lab\" in [dhcp]"),
        ("pupet", "no such capability"),
    ] {
        let text = format!(
            "name = \"x\"\ndomain = \"x.test\"\n[lab]\ncapabilities = [\"puppet\", \"{name}\"]\n"
        );
        let error = wreimage_site::SiteFile::parse(std::path::Path::new("site.toml"), &text)
            .unwrap_err()
            .to_string();
        assert!(error.contains("line 4") && error.contains(words), "{error}");
    }
}
