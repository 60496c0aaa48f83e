//! SSH keys of the rig, new in every run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process::run;
use crate::template::{directory, write};

/// How often a key is made until it is one that can be read. One of 256 is not.
const KEY_TRIES: u32 = 10;

/// Whether the private number of an ECDSA key has all of its 32 bytes: the SSH library of the host refuses one that begins with a
/// zero byte (`length invalid`).
fn has_whole_number(private: &str) -> bool {
    const CURVE: &[u8] = b"nistp256";
    let bytes = decoded(private);
    let last = bytes.windows(CURVE.len()).rposition(|it| it == CURVE);
    // Behind the name of the curve stand the public point and the number, each after its length.
    let number = last.and_then(|at| bytes.get(at + CURVE.len() + 4 + 65..)?.first_chunk::<4>());
    number.is_some_and(|length| u32::from_be_bytes(*length) >= 32)
}

/// The bytes of a text in base64, without the lines that begin and end it.
fn decoded(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let lines = text.lines().filter(|line| !line.starts_with('-'));
    let digits = lines
        .flat_map(str::bytes)
        .filter_map(|it| DIGITS.iter().position(|digit| *digit == it));
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0, 0_u32);
    for digit in digits {
        held = (held << 6) | u32::try_from(digit).unwrap_or(0);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((held >> bits) & 0xff).unwrap_or(0));
        }
    }
    bytes
}

/// A key pair in files.
#[derive(Debug, Clone)]
pub struct KeyPair {
    private: PathBuf,
    line: String,
}

impl KeyPair {
    fn generate(directory: &Path, name: &str) -> Result<Self> {
        let private = directory.join(name);
        for _try in 0..KEY_TRIES {
            Self::make(&private, name)?;
            let text = fs::read_to_string(&private)
                .with_context(|| format!("cannot read {}", private.display()))?;
            if has_whole_number(&text) {
                break;
            }
            fs::remove_file(&private)?;
            fs::remove_file(private.with_extension("pub"))?;
        }
        let public = private.with_extension("pub");
        let line = fs::read_to_string(&public)
            .with_context(|| format!("cannot read {}", public.display()))?;
        Ok(Self {
            private,
            line: line.trim().to_owned(),
        })
    }

    fn make(private: &Path, name: &str) -> Result<()> {
        let mut command = Command::new("ssh-keygen");
        command
            .args(["-q", "-t", "ecdsa", "-N", "", "-C", &format!("rig-{name}")])
            .arg("-f")
            .arg(private);
        run(&command, Duration::from_secs(10))?;
        Ok(())
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_key_of_the_rig_has_a_whole_number() {
        let name = format!("wreimage-rig-keys-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir(&directory).unwrap();
        for name in ["one", "two", "three"] {
            let key = KeyPair::generate(&directory, name).unwrap();
            let text = fs::read_to_string(key.private()).unwrap();
            assert!(has_whole_number(&text), "{text}");
        }
        fs::remove_dir_all(&directory).unwrap();
        assert!(!has_whole_number("no key"));
    }
}
