//! Names by a hosts file, in the form of `/etc/hosts`.

use crate::bounded;
use std::net::IpAddr;
use std::path::Path;
use wreimage_capability::Fault;

pub(super) fn resolve(path: &Path, name: &str) -> Result<Vec<IpAddr>, Fault> {
    let text = bounded::read(path, bounded::TABLE).map_err(|error| {
        Fault::unreachable(
            "dns.hosts-file",
            format!("hosts file {}", path.display()),
            format!(
                "{} cannot be read: {error}; check `dns.hosts` in the site file",
                path.display()
            ),
        )
    })?;
    Ok(find(&text, name))
}

fn find(text: &str, name: &str) -> Vec<IpAddr> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split('#').next()?.split_whitespace();
            let address = words.next()?.parse().ok()?;
            words
                .any(|word| word.eq_ignore_ascii_case(name))
                .then_some(address)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_aliases_are_found_comments_are_not() {
        let text = "# 10.0.0.9 a\n10.0.0.1\ta.test a # b\nfe80::1 A.test\nnonsense c\n\n";
        let found = |name: &str| -> Vec<String> {
            find(text, name).iter().map(ToString::to_string).collect()
        };
        assert_eq!(found("a.test"), ["10.0.0.1", "fe80::1"]);
        assert_eq!(found("a"), ["10.0.0.1"]);
        assert!(found("b").is_empty());
        assert!(found("c").is_empty());
    }
}
