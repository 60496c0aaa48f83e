//! What a command of the site printed last, kept for `--help` and completion, which open no connection. It is a hint: no run
//! believes it.

use super::table::is_name;
use crate::bounded;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use wreimage_capability::dhcp::Release;

/// Bytes of a file that is read.
const LIMIT: u64 = 256 << 10;

/// The file of one site in the user's own cache folder; none where there is no such folder.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cache(Option<PathBuf>);

#[derive(Serialize, Deserialize)]
struct Kept {
    distribution: String,
    media: Vec<String>,
}

impl Cache {
    /// The file of this site in `folder`. The path of its file identifies a site, not its name: two files
    /// may have one name.
    pub(crate) fn new(folder: &Path, site: &Path) -> Self {
        let site = site.canonicalize().unwrap_or_else(|_| site.to_owned());
        let digest = crate::digest::sha256(site.as_os_str().as_encoded_bytes());
        Cache(Some(folder.join(format!("releases-{digest}.json"))))
    }

    /// Keeps what was listed. A cache that cannot be written is no reason to stop.
    pub(crate) fn keep(&self, releases: &[Release]) {
        if let Some(path) = &self.0 {
            let _ = write(path, releases);
        }
    }

    /// What was listed last; empty when nothing was, or what is there is no such list.
    pub(crate) fn read(&self) -> Vec<Release> {
        let kept = self.0.as_deref().and_then(read).unwrap_or_default();
        let names = |kept: &Kept| {
            is_name(&kept.distribution) && kept.media.iter().all(|media| is_name(media))
        };
        kept.into_iter()
            .filter(names)
            .map(|kept| Release {
                distribution: kept.distribution,
                media: kept.media,
                extra: Vec::new(),
            })
            .collect()
    }
}

fn read(path: &Path) -> Option<Vec<Kept>> {
    let text = bounded::read(path, LIMIT).ok()?;
    serde_json::from_str(&text).ok()
}

/// By renaming a whole file into its place: another process may read it meanwhile.
fn write(path: &Path, releases: &[Release]) -> std::io::Result<()> {
    let kept = releases.iter().map(|release| Kept {
        distribution: release.distribution.clone(),
        media: release.media.clone(),
    });
    let text = serde_json::to_string(&kept.collect::<Vec<_>>())?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let new = path.with_extension(format!("{}.new", std::process::id()));
    std::fs::write(&new, text)?;
    std::fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bullseye() -> Vec<Release> {
        vec![Release {
            distribution: "bullseye".to_owned(),
            media: vec!["installer".to_owned()],
            extra: Vec::new(),
        }]
    }

    #[test]
    fn what_was_kept_is_read_and_what_is_no_list_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path(), Path::new("site.toml"));
        assert_eq!(cache.read(), []);
        cache.keep(&bullseye());
        assert_eq!(cache.read(), bullseye());
        let path = cache.0.clone().unwrap();
        for broken in [
            "",
            "{",
            "[1]",
            r#"[{"distribution":"a b","media":[]}]"#,
            r#"[{"distribution":"a","media":["\u001b[2J"]}]"#,
        ] {
            std::fs::write(&path, broken).unwrap();
            assert_eq!(cache.read(), [], "{broken}");
        }
        // Another site file has another list.
        assert_eq!(
            Cache::new(folder.path(), Path::new("other.toml")).read(),
            []
        );
    }

    #[test]
    fn a_cache_that_cannot_be_written_stops_nothing() {
        let cache = Cache::new(Path::new("/proc/none"), Path::new("site.toml"));
        cache.keep(&bullseye());
        assert_eq!(cache.read(), []);
        assert_eq!(Cache::default().read(), []);
    }
}
