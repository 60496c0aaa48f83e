//! Digests of the parts of a site file that consent is bound to.

use wreimage_live::{Tables, digest};

/// SHA-256 of each part, whatever its layout and its comments.
pub(crate) fn digests(text: &str) -> Vec<(String, String)> {
    // A site file that cannot be read is refused elsewhere.
    let file: toml::Table = toml::from_str(text).unwrap_or_default();
    let digest = |keys: &[&str]| {
        let values: Vec<(&str, Option<&toml::Value>)> =
            keys.iter().map(|key| (*key, file.get(*key))).collect();
        let values = serde_json::to_string(&values).unwrap_or_default();
        digest::sha256(values.as_bytes())
    };
    let mut providers = vec!["domain", "management"];
    providers.extend(Tables::names());
    providers.push("lab");
    [
        ("site grants", digest(&["grants"])),
        ("site policy", digest(&["policy", "limits"])),
        ("site providers", digest(&providers)),
    ]
    .map(|(name, digest)| (name.to_owned(), digest))
    .into()
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
