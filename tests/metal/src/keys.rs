//! SSH keys of the rig, new in every run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process::run;
use crate::template::{directory, write};

/// A key pair in files.
#[derive(Debug, Clone)]
pub struct KeyPair {
    private: PathBuf,
    line: String,
}

impl KeyPair {
    fn generate(directory: &Path, name: &str) -> Result<Self> {
        let private = directory.join(name);
        let mut command = Command::new("ssh-keygen");
        command
            .args(["-q", "-t", "ecdsa", "-N", "", "-C", &format!("rig-{name}")])
            .arg("-f")
            .arg(&private);
        run(&command, Duration::from_secs(10))?;
        let public = private.with_extension("pub");
        let line = fs::read_to_string(&public)
            .with_context(|| format!("cannot read {}", public.display()))?;
        Ok(Self {
            private,
            line: line.trim().to_owned(),
        })
    }

    /// The file of the private key (mode 0600); the public one has `.pub` behind it.
    pub fn private(&self) -> &Path {
        &self.private
    }

    /// The file of the public key.
    pub fn public(&self) -> PathBuf {
        self.private.with_extension("pub")
    }

    /// The public key in one line, without a line end.
    pub fn line(&self) -> &str {
        &self.line
    }
}

/// All keys of one run.
#[derive(Debug, Clone)]
pub struct Keys {
    /// Accepted by the old OS, and by nothing that is installed later.
    pub production: KeyPair,
    /// Accepted by the installer and by the new OS.
    pub installer: KeyPair,
    /// Accepted by the install server.
    pub install_server: KeyPair,
    /// The host key of the old OS.
    pub old_os_host: KeyPair,
    /// The host key of the install server.
    pub install_server_host: KeyPair,
    known_hosts: PathBuf,
}

impl Keys {
    /// Makes them all in one directory.
    ///
    /// # Errors
    ///
    /// `ssh-keygen` failed.
    pub(crate) fn generate(path: &Path, machine: &[&str], install_server: &[&str]) -> Result<Self> {
        let path = directory(path)?;
        let keys = Self {
            production: KeyPair::generate(&path, "production")?,
            installer: KeyPair::generate(&path, "installer")?,
            install_server: KeyPair::generate(&path, "install-server")?,
            old_os_host: KeyPair::generate(&path, "old-os-host")?,
            install_server_host: KeyPair::generate(&path, "install-server-host")?,
            known_hosts: path.join("known_hosts"),
        };
        let entry = |names: &[&str], key: &KeyPair| {
            let words: Vec<&str> = key.line().split(' ').take(2).collect();
            format!("{} {}\n", names.join(","), words.join(" "))
        };
        let text =
            entry(machine, &keys.old_os_host) + &entry(install_server, &keys.install_server_host);
        write(&keys.known_hosts, text, 0o644)?;
        Ok(keys)
    }

    /// Host keys of the old OS and of the install server, by name and address.
    pub fn known_hosts(&self) -> &Path {
        &self.known_hosts
    }
}
