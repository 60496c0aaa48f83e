//! Digests of the parts of a site file that consent is bound to.

use crate::digest::sha256;

/// The name under which each part is shown, and the keys that it has.
const PARTS: [(&str, &[&str]); 3] = [
    ("site grants", &["grants"]),
    ("site policy", &["policy", "limits"]),
    (
        "site providers",
        &[
            "domain",
            "management",
            "netbox",
            "dns",
            "ipmi",
            "dhcp",
            "remote",
            "lab",
        ],
    ),
];

/// SHA-256 of each part, whatever its layout and its comments.
pub(crate) fn digests(text: &str) -> Vec<(String, String)> {
    // A site file that cannot be read is refused elsewhere.
    let file: toml::Table = toml::from_str(text).unwrap_or_default();
    let digest = |keys: &[&str]| {
        let values: Vec<(&str, Option<&toml::Value>)> =
            keys.iter().map(|key| (*key, file.get(*key))).collect();
        sha256(
            serde_json::to_string(&values)
                .unwrap_or_default()
                .as_bytes(),
        )
    };
    PARTS
        .iter()
        .map(|(name, keys)| ((*name).to_owned(), digest(keys)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::digests;

    #[test]
    fn what_consent_is_bound_to_changes_the_digest_and_the_rest_does_not() {
        let site = "name = \"a\"\ndomain = \"a.test\"\n[policy]\nprotected-tags = [\"db\"]\n[ipmi]\nport = 1\n";
        let before = digests(site);
        assert_eq!(
            before,
            digests(&format!("# a comment\n{site}[retention]\ndays = 3\n"))
        );
        for (name, change) in [
            ("site grants", format!("{site}[[grants]]\nguest = \"x\"\n")),
            ("site policy", site.replace("db", "web")),
            ("site providers", site.replace("port = 1", "port = 2")),
        ] {
            let differs: Vec<String> = before
                .iter()
                .zip(digests(&change))
                .filter(|(before, now)| *before != now)
                .map(|(before, _)| before.0.clone())
                .collect();
            assert_eq!(differs, [name]);
        }
    }
}
