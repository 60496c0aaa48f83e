//! A colleague who can write to the state folder puts symbolic links there, and edits what lies there: neither lets them write
//! other files of whoever continues a run, nor choose the site file by which it is continued.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Done, User};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

fn state(user: &User) -> PathBuf {
    user.home.path().join(".local/state/wreimage")
}

/// A file of the user that must stay as it is.
fn victim(user: &User) -> PathBuf {
    let path = PathBuf::from(user.file("id_ed25519", "a private key"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

#[track_caller]
fn is_untouched(victim: &Path) {
    assert_eq!(fs::read_to_string(victim).unwrap(), "a private key");
    let mode = fs::metadata(victim).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// A run in a world that is kept, which waits.
fn paused(user: &User) -> String {
    let world = user.home.path().join("world").display().to_string();
    // Its first Puppet run fails, and the step is to wait for somebody.
    user.reimage_in(&world, "host1008", &["--on-failure", "pause"]);
    let run = user.runs().pop().unwrap();
    run.file_name().unwrap().to_str().unwrap().to_owned()
}

trait InWorld {
    fn reimage_in(&self, world: &str, host: &str, more: &[&str]) -> Done;
}

impl InWorld for User {
    fn reimage_in(&self, world: &str, host: &str, more: &[&str]) -> Done {
        let words = [
            &["run", "reimage", "--world", world, "--host", host][..],
            &["--os", "bullseye", "--yes", host, "--speed", "0"],
            more,
        ];
        self.wreimage(&words.concat())
    }
}

/// Puts a link to the victim in the place of a file, which may be there.
fn link(victim: &Path, at: &Path) {
    let _ = fs::remove_file(at);
    symlink(victim, at).unwrap();
}

#[test]
fn a_link_in_the_place_of_the_driver_is_not_followed() {
    let user = User::new();
    let (run, victim) = (paused(&user), victim(&user));
    let folder = state(&user).join("runs").join(&run);
    link(&victim, &folder.join("driver"));
    for command in [
        &["resume", &run, "--abort"][..],
        &["cleanup", &run],
        &["cancel", &run],
    ] {
        let done = user.wreimage(command);
        assert_ne!(done.code, 0, "{command:?}: {}", done.said());
        assert!(
            done.said().contains("is a symbolic link"),
            "{}",
            done.said()
        );
        is_untouched(&victim);
    }
}

#[test]
fn a_link_in_the_place_of_a_run_or_of_its_journal_is_not_followed() {
    let user = User::new();
    let run = paused(&user);
    let folder = state(&user).join("runs").join(&run);
    let away = user.home.path().join("away");
    fs::rename(&folder, &away).unwrap();
    symlink(&away, &folder).unwrap();
    user.wreimage(&["show", &run]).ends_with(64, &[]);
    fs::remove_file(&folder).unwrap();
    fs::create_dir(&folder).unwrap();
    symlink(away.join("journal.db"), folder.join("journal.db")).unwrap();
    let before = fs::read(away.join("journal.db")).unwrap();
    let done = user.wreimage(&["cleanup", &run]);
    assert_ne!(done.code, 0, "{}", done.said());
    assert!(!folder.join("driver").exists());
    assert_eq!(fs::read(away.join("journal.db")).unwrap(), before);
}

#[test]
fn a_link_in_the_place_of_a_folder_is_not_followed() {
    for name in ["guests", "batches", "detached"] {
        let user = User::new();
        paused(&user);
        let away = user.home.path().join("away");
        fs::create_dir(&away).unwrap();
        let _ = fs::remove_dir_all(state(&user).join(name));
        symlink(&away, state(&user).join(name)).unwrap();
        let world = user.home.path().join("world").display().to_string();
        let hosts = "host[1001-1002]";
        let more: &[&str] = match name {
            "detached" => &["--detach"],
            _ => &[],
        };
        let done = user.reimage_in(&world, hosts, more);
        assert_ne!(done.code, 0, "{name}: {}", done.said());
        assert!(
            done.said().contains("is a symbolic link"),
            "{name}: {}",
            done.said()
        );
        assert_eq!(fs::read_dir(&away).unwrap().count(), 0, "{name}");
    }
}

/// A site whose systems are those of a lab, with a command that is run for each message.
fn site(user: &User, name: &str, notify: &str) -> String {
    let all = "\"puppet\", \"puppet-ca\", \"puppetdb\", \"icinga\", \"alertmanager\", \"conftool\", \"debmonitor\", \
               \"httpbb\", \"phabricator\"";
    user.file(
        name,
        format!(
            "name = \"lab1\"\ndomain = \"lab1.test\"\n[[grants]]\nguest = \"reimage\"\nhosts = [\"*\"]\n\
             capabilities = [\"netbox\", \"dns\", \"ipmi\", \"dhcp\", \"remote\", {all}]\n[netbox]\nprovider = \"lab\"\n\
             [dns]\nprovider = \"lab\"\n[ipmi]\nprovider = \"lab\"\n[dhcp]\nprovider = \"lab\"\n[remote]\n\
             provider = \"lab\"\n[lab]\ncapabilities = [{all}]\n[notify]\ncommand = [\"/bin/sh\", \"-c\", \
             \"{notify}\"]\n"
        ),
    )
}

/// A batch of which nothing was begun, in the state folder.
fn batch_to_resume(user: &User, own: &str) -> PathBuf {
    // The host is not known to this bare lab: its run is refused, and the others are not begun.
    user.wreimage(&[
        "run",
        "reimage",
        "--site",
        own,
        "--host",
        "host[1001-1003]",
        "--os",
        "bullseye",
        "--yes",
        "host[1001-1003]",
        "--parallel",
        "1",
    ]);
    let batches = state(user).join("batches");
    fs::read_dir(batches)
        .unwrap()
        .map(|it| it.unwrap().path())
        .find(|path| path.extension().is_some_and(|it| it == "json"))
        .unwrap()
}

#[test]
fn the_site_file_that_a_batch_names_is_never_used() {
    let user = User::new();
    let foreign = user.home.path().join("foreign");
    let own = site(&user, "site.toml", "cat > /dev/null");
    let evil = site(&user, "evil.toml", &format!("touch {}", foreign.display()));
    let path = batch_to_resume(&user, &own);
    // A colleague edits the batch, in the words of each version.
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains("site.toml"), "{text}");
    let mut batch: Value = serde_json::from_str(&text).unwrap();
    batch["site"] = evil.clone().into();
    fs::write(&path, batch.to_string()).unwrap();
    let id = batch["id"].as_str().unwrap();
    let environment = [("WREIMAGE_SITE", own.as_str())];
    // Without a site of the operator's own, there is none: nothing of the batch leads to one.
    for command in ["resume", "cleanup"] {
        let done = user.wreimage(&[command, id]);
        assert_eq!(done.code, 64, "{}", done.said());
        assert!(done.said().contains("--site"), "{}", done.said());
    }
    for command in ["resume", "cleanup"] {
        let done = user.with(&[command, id], &environment);
        assert!(!done.said().contains("evil"), "{}", done.said());
    }
    assert!(!foreign.exists());
}

#[test]
fn another_site_file_than_the_recorded_one_is_confirmed() {
    let user = User::new();
    let own = site(&user, "site.toml", "cat > /dev/null");
    let path = batch_to_resume(&user, &own);
    let id = path.file_stem().unwrap().to_str().unwrap().to_owned();
    let changed = user.home.path().join("changed");
    site(&user, "site.toml", &format!("touch {}", changed.display()));
    for command in ["resume", "cleanup"] {
        user.wreimage(&[command, &id, "--site", &own]).ends_with(
            50,
            &[
                "the site file of lab1 is not the one",
                "recorded sha256",
                "--changed-site",
            ],
        );
    }
    assert!(!changed.exists(), "a command of the changed file was run");
    let done = user.wreimage(&["resume", &id, "--site", &own, "--changed-site"]);
    assert!(!done.said().contains("--changed-site"), "{}", done.said());
}
