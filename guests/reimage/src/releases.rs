//! Which releases the install server can install: a wrong name must be found before anything is changed.

use crate::options::Asked;
use crate::policy;
use wreimage_facts::{code, debian};
use wreimage_sdk::dhcp::{self, Release};
use wreimage_sdk::{Fault, FaultKind, Step, nearest, retry_if_worth};

/// Names of a list that a message shows.
const SHOWN: usize = 20;

/// The code of the fault of a release that is not there.
pub const NO_RELEASE: &str = "reimage.no-such-release";

/// The code of the fault of boot media that are not there.
pub const NO_MEDIA: &str = "reimage.no-such-media";

/// The key of the name that was probably meant, in the fault of one that is not there.
pub const MEANT: &str = "meant";

/// What the install server can install; `None` where that is not known, which is no reason to stop.
///
/// # Errors
/// `not-found` when the release or the boot media that the operator asked for is not there.
pub fn check(asked: &Asked, step: &mut Step) -> Result<Option<Vec<Release>>, Fault> {
    let releases = match retry_if_worth(policy::ASK_SERVICE, |_| dhcp::get_releases()) {
        Err(fault) if fault.code == code::RELEASES_UNKNOWN => {
            step.skips("the site does not name the releases that its install server has");
            return Ok(None);
        }
        read => {
            let failed = "which releases the install server has is not known";
            let Some(releases) = step.tolerates(failed, read)? else {
                return Ok(None);
            };
            releases
        }
    };
    let media = asked.media();
    find(&releases, &asked.os, media).map_err(|fault| {
        let option = match fault.code.as_str() {
            NO_RELEASE => "--os",
            _ => "--pxe-media",
        };
        fault.and(&format!("Correct {option}, then run again."))
    })?;
    step.says(format!("the install server has {}-{media}", asked.os));
    step.evidence(
        "releases",
        names(releases.iter().map(|it| it.distribution.as_str())),
    );
    Ok(Some(releases))
}

/// Whether the install server has a boot path.
///
/// # Errors
/// `not-found`, with the name that was probably meant.
pub fn find(releases: &[Release], os: &str, media: &str) -> Result<(), Fault> {
    let known = || releases.iter().map(|release| release.distribution.as_str());
    let Some(release) = releases.iter().find(|release| release.distribution == os) else {
        let what = format!("release `{os}`");
        let meant = meant(os, known());
        return Err(missing(NO_RELEASE, &what, meant, &names(known())));
    };
    let known = || release.media.iter().map(String::as_str);
    if release.media.is_empty() || known().any(|it| it == media) {
        return Ok(());
    }
    let what = format!("boot media `{media}` of {os}");
    let near = nearest(media, known()).map(|name| (name, None));
    Err(missing(NO_MEDIA, &what, near, &names(known())))
}

/// `meant` is the name that was probably meant, and of which version of Debian it is if it was meant by that.
fn missing(code: &str, what: &str, meant: Option<(&str, Option<&str>)>, known: &str) -> Fault {
    let hint = match meant {
        Some((name, Some(version))) => {
            format!("; did you mean {name}, which is Debian {version}?")
        }
        Some((name, None)) => format!("; did you mean {name}?"),
        None => ".".to_owned(),
    };
    let mut fault = Fault::new(
        FaultKind::NotFound,
        code,
        "install server",
        format!("the install server has no {what}{hint} It has {known}. Nothing was touched."),
    );
    if let Some((name, _)) = meant {
        fault.extra.push((MEANT.to_owned(), name.to_owned()));
    }
    fault
}

/// The release that was probably meant: by its version, which is then given too, or because its name is nearly that.
fn meant<'a>(
    os: &str,
    mut known: impl Iterator<Item = &'a str> + Clone,
) -> Option<(&'a str, Option<&'static str>)> {
    let version = os.strip_prefix("debian").unwrap_or(os);
    let version = version.trim_start_matches(['-', '.']);
    let named = debian::RELEASES
        .iter()
        .find(|(number, _)| *number == version);
    let by_version = named.and_then(|(number, name)| {
        let there = known.clone().find(|it| it == name)?;
        Some((there, Some(*number)))
    });
    by_version.or_else(|| nearest(os, &mut known).map(|name| (name, None)))
}

fn names<'a>(known: impl Iterator<Item = &'a str>) -> String {
    let mut known: Vec<&str> = known.collect();
    let more = known.len().saturating_sub(SHOWN);
    known.truncate(SHOWN);
    let names = known.join(", ");
    match more {
        0 => names,
        _ => format!("{names} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(distribution: &str, media: &[&str]) -> Release {
        Release {
            distribution: distribution.to_owned(),
            media: media.iter().map(|it| (*it).to_owned()).collect(),
            extra: Vec::new(),
        }
    }

    fn known() -> [Release; 3] {
        [
            release("bullseye", &["installer", "rescue"]),
            release("bookworm", &["installer"]),
            release("trixie", &[]),
        ]
    }

    #[test]
    fn what_is_there_is_found() {
        for (os, media) in [
            ("bullseye", "rescue"),
            ("bookworm", "installer"),
            // Its media are not known.
            ("trixie", "anything"),
        ] {
            assert_eq!(find(&known(), os, media), Ok(()));
        }
    }

    #[test]
    fn what_is_not_there_is_refused_with_the_name_that_was_meant() {
        for (os, media, says) in [
            ("bulseye", "installer", "`bulseye`; did you mean bullseye?"),
            (
                "12",
                "installer",
                "`12`; did you mean bookworm, which is Debian 12?",
            ),
            ("debian12", "installer", "did you mean bookworm"),
            (
                "stretch",
                "installer",
                "no release `stretch`. It has bullseye, bookworm, trixie.",
            ),
            // Known to Debian, and not there.
            ("10", "installer", "no release `10`. It has"),
            (
                "bullseye",
                "instaler",
                "no boot media `instaler` of bullseye; did you mean installer? It has",
            ),
            (
                "bookworm",
                "rescue",
                "no boot media `rescue` of bookworm. It has installer.",
            ),
        ] {
            let fault = find(&known(), os, media).unwrap_err();
            assert!(fault.message.contains(says), "{}", fault.message);
            assert!(fault.message.contains("Nothing was touched."));
        }
    }

    #[test]
    fn a_long_list_is_cut() {
        let many: Vec<Release> = (0..30).map(|it| release(&format!("r{it}"), &[])).collect();
        let fault = find(&many, "stretch", "installer").unwrap_err();
        assert!(
            fault.message.contains("r19 and 10 more"),
            "{}",
            fault.message
        );
    }
}
