//! OpenSSH's file of known host keys (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT").

use crate::bounded;
use hmac::{Hmac, KeyInit, Mac};
use russh::keys::ssh_key::known_hosts::{Entry, HostPatterns, Marker};
use russh::keys::{Algorithm, PublicKey};
use sha1::Sha1;
use std::path::Path;

/// What the file says of a host key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the host's.
    Known,
    /// The file has no key of this host.
    Unknown,
    /// The file has another key of this host, on this line.
    Changed(usize),
    /// The key is marked as revoked, on this line.
    Revoked(usize),
}

/// One line that speaks of the host.
#[derive(Debug, Clone)]
struct Known {
    line: usize,
    key: PublicKey,
    revoked: bool,
}

/// The keys that a file has for one host.
#[derive(Debug, Clone, Default)]
pub(crate) struct HostKeysOf(Vec<Known>);

impl HostKeysOf {
    /// Reads the keys of the host of that name, on that port. Lines that cannot be read are passed over.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn read(path: &Path, name: &str, port: u16) -> std::io::Result<Self> {
        let text = bounded::read(path, bounded::TABLE)?;
        Ok(Self::parse(&text, name, port))
    }

    /// The keys in the text of such a file.
    pub(crate) fn parse(text: &str, name: &str, port: u16) -> Self {
        let name = match port {
            22 => name.to_ascii_lowercase(),
            _ => format!("[{}]:{port}", name.to_ascii_lowercase()),
        };
        let mut keys = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Ok(entry) = line.parse::<Entry>() else {
                continue;
            };
            // Certificates of host keys are not asked for, so the authorities do not matter.
            if entry.marker() == Some(&Marker::CertAuthority) || !fits(entry.host_patterns(), &name)
            {
                continue;
            }
            keys.push(Known {
                line: index + 1,
                key: entry.public_key().clone(),
                revoked: entry.marker() == Some(&Marker::Revoked),
            });
        }
        HostKeysOf(keys)
    }

    /// The algorithms of the keys that are known: a server is asked for these first.
    pub(crate) fn algorithms(&self) -> Vec<Algorithm> {
        let known = self.0.iter().filter(|known| !known.revoked);
        known.map(|known| known.key.algorithm()).collect()
    }

    pub(crate) fn verdict(&self, key: &PublicKey) -> Verdict {
        let same = |known: &&Known| known.key.key_data() == key.key_data();
        if let Some(known) = self.0.iter().find(|known| known.revoked && same(known)) {
            return Verdict::Revoked(known.line);
        }
        let mut valid = self.0.iter().filter(|known| !known.revoked);
        match valid.clone().find(same) {
            Some(_) => Verdict::Known,
            None => valid
                .next()
                .map_or(Verdict::Unknown, |known| Verdict::Changed(known.line)),
        }
    }
}

fn fits(patterns: &HostPatterns, name: &str) -> bool {
    match patterns {
        HostPatterns::HashedName { salt, hash } => Hmac::<Sha1>::new_from_slice(salt)
            .is_ok_and(|mac| mac.chain_update(name.as_bytes()).verify_slice(hash).is_ok()),
        HostPatterns::Patterns(patterns) => {
            let hit = |pattern: &str| {
                let pattern: Vec<char> = pattern.to_ascii_lowercase().chars().collect();
                glob(&pattern, &name.chars().collect::<Vec<char>>())
            };
            let denied = patterns
                .iter()
                .filter_map(|it| it.strip_prefix('!'))
                .any(hit);
            !denied && patterns.iter().any(|it| !it.starts_with('!') && hit(it))
        }
    }
}

/// `*` for any text, `?` for one character. Only the last star is ever tried again, so the time does not grow with their number.
fn glob(pattern: &[char], text: &[char]) -> bool {
    let (mut at, mut seen) = (0, 0);
    let mut star = None;
    while let Some(c) = text.get(seen) {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(p) if *p == '?' || p == c => {
                at += 1;
                seen += 1;
            }
            _ => {
                let Some((place, taken)) = star else {
                    return false;
                };
                star = Some((place, taken + 1));
                at = place + 1;
                seen = taken + 1;
            }
        }
    }
    pattern
        .get(at..)
        .unwrap_or_default()
        .iter()
        .all(|p| *p == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const B: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILIG2T/B0l0gaqj3puu510tu9N1OkQ4znY3LYuEm5zCF";
    // `ssh-keygen -H` of "host1001.lab1.test".
    const HASHED: &str = "|1|AAECAwQFBgcICQoLDA0ODxAREhM=|";

    fn key(text: &str) -> PublicKey {
        text.parse().unwrap()
    }

    fn verdict(text: &str, name: &str, port: u16, of: &str) -> Verdict {
        HostKeysOf::parse(text, name, port).verdict(&key(of))
    }

    #[test]
    fn names_ports_and_patterns() {
        let text = format!(
            "# comment\ngarbage\nHost1001.lab1.test,10.0.0.1 {A} root@x\n[host1002]:2222 {A}\n*.wild.test,!no.wild.test {B}\n"
        );
        assert_eq!(verdict(&text, "host1001.lab1.test", 22, A), Verdict::Known);
        assert_eq!(verdict(&text, "10.0.0.1", 22, A), Verdict::Known);
        assert_eq!(
            verdict(&text, "host1001.lab1.test", 2222, A),
            Verdict::Unknown
        );
        assert_eq!(verdict(&text, "host1002", 2222, A), Verdict::Known);
        assert_eq!(
            verdict(&text, "host1001.lab1.test", 22, B),
            Verdict::Changed(3)
        );
        assert_eq!(verdict(&text, "x.wild.test", 22, B), Verdict::Known);
        assert_eq!(verdict(&text, "no.wild.test", 22, B), Verdict::Unknown);
    }

    #[test]
    fn a_pattern_of_many_stars_is_judged_at_once() {
        let began = std::time::Instant::now();
        let text = format!("{}b {A}\n{}a {A}\n", "*a".repeat(200), "*a".repeat(20));
        let name = "a".repeat(250);
        assert_eq!(verdict(&text, &name, 22, A), Verdict::Known);
        assert!(began.elapsed() < std::time::Duration::from_secs(1));
        let fits = |pattern: &str, text: &str| {
            let chars = |it: &str| it.chars().collect::<Vec<char>>();
            glob(&chars(pattern), &chars(text))
        };
        for (pattern, text, expected) in [
            ("", "", true),
            ("*", "", true),
            ("?", "", false),
            ("a*b*c", "axbxbxc", true),
            ("a*b*c", "axbx", false),
            ("*ab", "aab", true),
            ("a?c*", "abcd", true),
            ("a", "ab", false),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn hashed_names() {
        use base64::Engine;
        let salt: Vec<u8> = (0..20).collect();
        let mac = Hmac::<Sha1>::new_from_slice(&salt)
            .unwrap()
            .chain_update(b"host1001.lab1.test");
        let hash = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
        let text = format!("{HASHED}{hash} {A}\n");
        assert_eq!(verdict(&text, "host1001.lab1.test", 22, A), Verdict::Known);
        assert_eq!(
            verdict(&text, "host1002.lab1.test", 22, A),
            Verdict::Unknown
        );
    }

    #[test]
    fn a_revoked_key_is_never_known() {
        let text = format!("h {A}\n@revoked h {A}\n@cert-authority h {B}\n");
        assert_eq!(verdict(&text, "h", 22, A), Verdict::Revoked(2));
        assert_eq!(verdict(&text, "h", 22, B), Verdict::Changed(1));
    }
}
