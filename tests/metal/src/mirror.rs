//! The Debian mirror of the machine's own apt configuration.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// One place of packages that apt knows.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Source {
    uri: String,
    suites: Vec<String>,
    components: Vec<String>,
}

/// The address from which apt takes `main` of this Debian suite.
///
/// # Errors
///
/// apt's configuration names none.
pub fn find(suite: &str) -> Result<String> {
    find_below(Path::new("/etc/apt"), suite)
}

fn find_below(apt: &Path, suite: &str) -> Result<String> {
    let mut sources = Vec::new();
    if let Ok(text) = fs::read_to_string(apt.join("sources.list")) {
        sources.extend(one_line(&text));
    }
    if let Ok(entries) = fs::read_dir(apt.join("sources.list.d")) {
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let parse: fn(&str) -> Vec<Source> = match path.extension().and_then(|e| e.to_str()) {
                Some("list") => one_line,
                Some("sources") => deb822,
                _ => continue,
            };
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            sources.extend(parse(&text));
        }
    }
    let found = sources.into_iter().find(|source| {
        source.suites.iter().any(|one| one == suite)
            && source.components.iter().any(|one| one == "main")
    });
    match found {
        Some(source) => Ok(source.uri),
        None => bail!(
            "no mirror for Debian {suite}: {} has no source with suite {suite} and component main",
            apt.display()
        ),
    }
}

/// `deb [options] URI SUITE COMPONENT...`
fn one_line(text: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let Some(rest) = line.strip_prefix("deb ") else {
            continue;
        };
        let rest = rest.trim_start();
        let rest = match rest.strip_prefix('[') {
            Some(options) => options.split_once(']').map_or("", |(_, rest)| rest),
            None => rest,
        };
        let mut words = rest.split_whitespace().map(str::to_owned);
        if let (Some(uri), Some(suite)) = (words.next(), words.next()) {
            sources.push(Source {
                uri,
                suites: vec![suite],
                components: words.collect(),
            });
        }
    }
    sources
}

/// Paragraphs of `Field: values`, continued by indented lines.
fn deb822(text: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    for paragraph in text.split("\n\n") {
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in paragraph.lines().filter(|line| !line.starts_with('#')) {
            if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = fields.last_mut() {
                    value.push(' ');
                    value.push_str(line);
                }
            } else if let Some((name, value)) = line.split_once(':') {
                fields.push((name.to_ascii_lowercase(), value.to_owned()));
            }
        }
        let words = |name: &str| -> Vec<String> {
            fields
                .iter()
                .filter(|(field, _)| field == name)
                .flat_map(|(_, value)| value.split_whitespace().map(str::to_owned))
                .collect()
        };
        let disabled = words("enabled").iter().any(|word| word == "no");
        if disabled || !words("types").iter().any(|word| word == "deb") {
            continue;
        }
        for uri in words("uris") {
            sources.push(Source {
                uri,
                suites: words("suites"),
                components: words("components"),
            });
        }
    }
    sources
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_one_line_sources() {
        let text = "# a comment\ndeb-src http://mirror.test/debian bookworm main\n\
                    deb [signed-by=/x.gpg arch=amd64] http://mirror.test/debian bookworm main contrib # x\n";
        let sources = one_line(text);
        assert_eq!(sources.len(), 1);
        assert_eq!(sources[0].uri, "http://mirror.test/debian");
        assert_eq!(sources[0].suites, ["bookworm"]);
        assert_eq!(sources[0].components, ["main", "contrib"]);
    }

    #[test]
    fn reads_deb822_sources() {
        let text = "Types: deb deb-src\n# URIs: http://other.test\nURIs: http://mirror.test/debian\n\
                    Suites: bookworm\n bookworm-updates\nComponents: main\n\n\
                    Enabled: no\nTypes: deb\nURIs: http://off.test\nSuites: bookworm\nComponents: main\n";
        let sources = deb822(text);
        assert_eq!(sources.len(), 1);
        assert_eq!(sources[0].uri, "http://mirror.test/debian");
        assert_eq!(sources[0].suites, ["bookworm", "bookworm-updates"]);
    }

    #[test]
    fn a_suite_without_mirror_is_an_error_that_names_it() {
        let error = find_below(Path::new("/nonexistent"), "bookworm").unwrap_err();
        assert!(error.to_string().contains("bookworm"), "{error}");
    }
}
