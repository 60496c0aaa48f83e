//! What the install server can install, as `--help` and completion show it, and a run that asks for something else.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Done, User};

/// The values that the help shows, whatever the width at which it is wrapped.
#[track_caller]
fn shows(help: &Done, known: &[&str]) {
    let text: Vec<&str> = help.out.split_whitespace().collect();
    for known in known {
        let known = format!("[known here: {known}]");
        assert!(text.join(" ").contains(&known), "{known}:\n{}", help.out);
    }
}

/// A site whose `dhcp` is live, on this machine, with these keys in `[dhcp.boot]`; all else is the lab's.
fn site(user: &User, boot: &str) -> String {
    let world = user.wreimage(&["lab", "show"]).out;
    user.file("world.toml", world.as_bytes());
    let all = "\"puppet\", \"puppet-ca\", \"puppetdb\", \"icinga\", \"alertmanager\", \"conftool\", \"debmonitor\", \
               \"httpbb\", \"phabricator\"";
    user.file(
        "site.toml",
        format!(
            "name = \"lab1\"\ndomain = \"lab1.test\"\n[[grants]]\nguest = \"reimage\"\nhosts = [\"*\"]\n\
             capabilities = [\"netbox\", \"dns\", \"ipmi\", \"dhcp\", \"remote\", {all}]\n[netbox]\nprovider = \"lab\"\n\
             [dns]\nprovider = \"lab\"\n[ipmi]\nprovider = \"lab\"\n[remote]\nprovider = \"lab\"\n[lab]\n\
             world = \"world.toml\"\ncapabilities = [{all}]\n[dhcp]\nprovider = \"dhcpincludes\"\nfolder = \"/nowhere\"\n\
             [lease]\nprovider = \"none\"\n\
             [dhcp.boot]\n{boot}\n"
        ),
    )
}

#[test]
fn the_names_of_the_site_file_stand_in_the_help_and_in_the_completion() {
    let user = User::new();
    let named = "distributions = [\"bullseye\", \"sid-next\"]\nmedia = [\"installer\", \"rescue\"]";
    let site = site(&user, named);
    let help = user
        .wreimage(&["run", "reimage", "--site", &site, "--help"])
        .ends_with(0, &[]);
    shows(&help, &["bullseye, sid-next", "installer, rescue"]);
    for shell in ["bash", "zsh", "fish"] {
        let words = ["completions", shell, "--guest", "reimage", "--site", &site];
        user.wreimage(&words)
            .ends_with(0, &["bullseye", "sid-next", "rescue"]);
    }
    // Without a guest the script is for any guest.
    let plain = user.wreimage(&["completions", "bash"]).ends_with(0, &[]);
    assert!(!plain.out.contains("sid-next"));
    // A name that is not among them is the guest's business, which knows the one that was meant.
    let words = [
        "run",
        "reimage",
        "--site",
        &site,
        "--host",
        "host1001",
        "--os",
        "bulseye",
        "--dry-run",
    ];
    user.wreimage(&words)
        .ends_with(40, &["did you mean bullseye?", "Nothing was touched"]);
}

#[test]
fn the_lab_names_what_its_world_has() {
    let user = User::new();
    let help = user
        .wreimage(&["run", "reimage", "--lab", "--help"])
        .ends_with(0, &[]);
    shows(&help, &["buster, bullseye, bookworm, trixie"]);
}

/// What a command lists is known to the help after a run has read it; the help itself starts nothing.
#[test]
fn what_a_command_has_listed_is_kept_for_the_help_which_does_not_run_it() {
    let user = User::new();
    let count = user.home.path().join("count");
    let list = format!(
        "list = [\"sh\", \"-c\", \"echo run >> {}; echo bookworm installer; echo hamm\"]\nlist-on = \"controller\"",
        count.display()
    );
    let site = site(&user, &list);
    let cache = user.home.path().join("cache");
    let own = [("XDG_CACHE_HOME", cache.to_str().unwrap())];
    let runs = || std::fs::read_to_string(&count).map_or(0, |text| text.lines().count());
    let help = ["run", "reimage", "--site", &site, "--help"];
    let before = user.with(&help, &own).ends_with(0, &[]);
    assert!(!before.out.contains("[known here:"), "{}", before.out);
    assert_eq!(runs(), 0);
    let words = [
        "run",
        "reimage",
        "--site",
        &site,
        "--host",
        "host1001",
        "--os",
        "bokworm",
        "--dry-run",
    ];
    user.with(&words, &own)
        .ends_with(40, &["did you mean bookworm?"]);
    assert_eq!(runs(), 1);
    let after = user.with(&help, &own).ends_with(0, &[]);
    shows(&after, &["bookworm, hamm"]);
    assert_eq!(runs(), 1);
}
