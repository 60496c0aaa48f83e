//! The releases that the install server can install: named in the site file, or listed by a command.

use super::cache::Cache;
use super::table::{BootTable, ListOn, RELEASE_NAME, is_name};
use crate::install_server::{InstallServer, Ran};
use crate::redact;
use std::time::Duration;
use wreimage_capability::Fault;
use wreimage_capability::dhcp::Release;

/// How long the command may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// Bytes that it may print.
const OUTPUT: usize = 64 << 10;

/// The releases of an install server, from the site file or from its command.
pub(super) struct Releases {
    table: BootTable,
    cache: Cache,
}

impl Releases {
    pub(super) fn new(table: &BootTable, cache: Cache) -> Self {
        Releases {
            table: table.clone(),
            cache,
        }
    }

    /// Whether the site file names releases, or a command that lists them.
    pub(super) fn are_known(&self) -> bool {
        !self.table.distributions.is_empty() || !self.table.list.is_empty()
    }

    /// What the site file names, or what its command prints. What a command printed is kept for `--help` and completion.
    pub(super) async fn read(&self, server: &InstallServer) -> Result<Vec<Release>, Fault> {
        let system = server.system();
        if let Some(named) = named(&self.table) {
            return Ok(named);
        }
        if self.table.list.is_empty() {
            return Err(Fault::unsupported(
                wreimage_facts::code::RELEASES_UNKNOWN,
                system,
                "the site file names no releases: neither `distributions` nor `list` stands in [dhcp.boot]",
            ));
        }
        let ran = match self.table.list_on {
            ListOn::InstallServer => server.command(&self.table.list, DEADLINE, OUTPUT).await?,
            ListOn::Controller => {
                let here = InstallServer::here();
                here.command(&self.table.list, DEADLINE, OUTPUT).await?
            }
        };
        let releases = listed(&ran).map_err(|why| {
            let program = self.table.list.first().map_or("", String::as_str);
            Fault::rejected(
                "dhcp.releases",
                system,
                format!("`{program}`, which the site file names as `list` in [dhcp.boot], {why}"),
            )
        })?;
        self.cache.keep(&releases);
        Ok(releases)
    }
}

/// The releases that the site file itself names, each with all media.
pub(super) fn named(table: &BootTable) -> Option<Vec<Release>> {
    let release = |distribution: &String| Release {
        distribution: distribution.clone(),
        media: table.media.clone(),
        extra: Vec::new(),
    };
    let named: Vec<Release> = table.distributions.iter().map(release).collect();
    (!named.is_empty()).then_some(named)
}

/// What a command printed: a release a line, its name and then its boot media. `Err` says what is wrong with it.
fn listed(ran: &Ran) -> Result<Vec<Release>, String> {
    if ran.is_cut || ran.stdout.len() > OUTPUT {
        return Err(format!("printed more than {} KiB", OUTPUT >> 10));
    }
    if !ran.ok() {
        return Err(format!("failed: {}", ran.summary()));
    }
    let mut releases: Vec<Release> = Vec::new();
    for line in ran.stdout.lines() {
        let mut words = line.split_whitespace();
        let Some(distribution) = words.next() else {
            continue;
        };
        let media: Vec<&str> = words.collect();
        if let Some(wrong) = [&[distribution], &media[..]]
            .concat()
            .into_iter()
            .find(|word| !is_name(word))
        {
            let shown = redact::head(wrong, RELEASE_NAME);
            return Err(format!(
                "printed {shown:?}, which is no name of lower-case letters, digits, dots and dashes"
            ));
        }
        let media = media.into_iter().map(str::to_owned);
        match releases
            .iter_mut()
            .find(|known| known.distribution == distribution)
        {
            Some(known) => known.media.extend(media),
            None => releases.push(Release {
                distribution: distribution.to_owned(),
                media: media.collect(),
                extra: Vec::new(),
            }),
        }
    }
    if releases.is_empty() {
        return Err("printed no release".to_owned());
    }
    Ok(releases)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(status: i64, stdout: &str) -> Ran {
        Ran::new(status, stdout)
    }

    #[test]
    fn a_line_is_a_release_and_its_media() {
        let found = listed(&ran(
            0,
            "bullseye installer rescue\n\nbookworm\nbullseye gtk\n",
        ));
        let found: Vec<(String, Vec<String>)> = found
            .unwrap()
            .into_iter()
            .map(|release| (release.distribution, release.media))
            .collect();
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(
            found,
            [
                (
                    "bullseye".to_owned(),
                    words(&["installer", "rescue", "gtk"])
                ),
                ("bookworm".to_owned(), words(&[])),
            ]
        );
    }

    #[test]
    fn what_is_no_list_of_releases_is_refused_with_its_reason() {
        for (status, stdout, why) in [
            (1, "", "failed: exit status 1"),
            (0, "", "printed no release"),
            (0, "\n \n", "printed no release"),
            (0, "bullseye; reboot", "printed \"bullseye;\""),
            (0, "Bullseye", "printed \"Bullseye\""),
            (0, "bullseye \u{1b}[2J", "printed \"\\u{1b}[2J\""),
        ] {
            let error = listed(&ran(status, stdout)).unwrap_err();
            assert!(error.starts_with(why), "{stdout:?}: {error}");
        }
        let endless = "a\n".repeat(OUTPUT);
        assert_eq!(
            listed(&ran(0, &endless)).unwrap_err(),
            "printed more than 64 KiB"
        );
    }
}
