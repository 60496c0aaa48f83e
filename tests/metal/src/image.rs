//! The Debian that is installed: built once, kept by the hash of its recipe.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::clock::wait_for;
use crate::mirror;
use crate::process::run;
use crate::template::{directory, template, text, write};

/// The Debian release of the machine, before and after.
pub const SUITE: &str = "bookworm";

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const RECIPE: &[(&str, &str)] = &[
    ("base-image.sh", template!("base-image.sh")),
    ("announce", template!("announce")),
    ("os-init", template!("os-init")),
    ("installer-init", template!("installer-init")),
    ("udhcpc.sh", template!("udhcpc.sh")),
];
const BUILD_LIMIT: Duration = Duration::from_secs(15 * 60);

/// What the build leaves.
#[derive(Debug, Clone)]
pub struct Image {
    path: PathBuf,
}

impl Image {
    /// The disk with a Debian that has no host name, address or key yet.
    pub fn disk(&self) -> PathBuf {
        self.path.join("disk.raw")
    }

    /// The same as a zstd stream.
    pub fn stream(&self) -> PathBuf {
        self.path.join("disk.raw.zst")
    }

    /// The kernel of that Debian.
    pub fn kernel(&self) -> PathBuf {
        self.path.join("vmlinuz")
    }

    /// The initrd that is the installer.
    pub fn installer_initrd(&self) -> PathBuf {
        self.path.join("installer-initrd.zst")
    }

    /// Takes it from the cache, or builds it first.
    ///
    /// # Errors
    ///
    /// The build failed: the message has the end of its log.
    pub fn ensure(cache: &Path) -> Result<Self> {
        cached(cache, "image", &recipe_key(), BUILD_LIMIT, |out| {
            let templates = directory(out.join("templates"))?;
            for (name, content) in RECIPE {
                write(&templates.join(name), content, 0o755)?;
            }
            // Mounts, loop devices and processes end with the two namespaces.
            let mut build = Command::new("unshare");
            build
                .args(["--mount", "--pid", "--fork", "--kill-child", "--", "sh"])
                .arg(templates.join("base-image.sh"))
                .args([text(out)?, text(&templates)?, SUITE])
                .arg(mirror::find(SUITE)?)
                .arg(KEYRING);
            eprintln!("metal: building the Debian image (a minute or two, once)");
            run(&build, BUILD_LIMIT).context("the Debian image could not be built")?;
            Ok(())
        })
        .map(|path| Self { path })
    }
}

fn recipe_key() -> String {
    let mut hash = Sha256::new();
    hash.update(SUITE);
    for (name, content) in RECIPE {
        hash.update(name);
        hash.update([0]);
        hash.update(content);
        hash.update([0]);
    }
    short(&hash.finalize())
}

/// The first 16 hexadecimal digits: enough to tell recipes apart.
pub(crate) fn short(digest: &[u8]) -> String {
    digest.iter().take(8).map(|b| format!("{b:02x}")).collect()
}

/// `cache/<name>-<key>`, built by `build` when it is not there yet.
///
/// It appears under its name only when it is complete, and one process builds
/// while the others wait. Builds of other recipes are removed.
pub(crate) fn cached(
    cache: &Path,
    name: &str,
    key: &str,
    limit: Duration,
    build: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let path = cache.join(format!("{name}-{key}"));
    if path.is_dir() {
        return Ok(path);
    }
    directory(cache)?;
    let lock = File::create(cache.join(format!("{name}.lock")))?;
    wait_for(
        &format!("another process that builds the {name}"),
        limit,
        || match lock.try_lock() {
            Ok(()) => Ok(Some(())),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error.into()),
        },
    )?;
    if path.is_dir() {
        return Ok(path);
    }
    for entry in fs::read_dir(cache)? {
        let entry = entry?;
        if entry
            .file_name()
            .to_string_lossy()
            .starts_with(&format!("{name}-"))
        {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    let partial = directory(cache.join(format!("{name}-{key}.partial")))?;
    build(&partial)?;
    fs::rename(&partial, &path)
        .with_context(|| format!("cannot put {} in its place", path.display()))?;
    Ok(path)
}
