//! Booting from the network: TFTP for the loader, HTTP for all the rest.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::image::{Image, SUITE};
use crate::keys::Keys;
use crate::namespaces::Namespace;
use crate::network::INSTALL_ADDRESS;
use crate::process::Process;
use crate::template::{directory, fill, template, text, write};

const LOADER: &str = "/usr/lib/PXELINUX/lpxelinux.0";
const LOADER_LIBRARY: &str = "/usr/lib/syslinux/modules/bios/ldlinux.c32";
const LIMIT: Duration = Duration::from_secs(10);

/// The running servers and their trees.
#[derive(Debug)]
pub struct BootServers {
    access_log: PathBuf,
    _tftp: Process,
    _http: Process,
    _radvd: Process,
}

/// What the DHCP snippet must give as `pxelinux.pathprefix`: the loader finds
/// its configuration only there, so the boot path has to name the distribution.
pub fn path_prefix() -> String {
    format!("http://{INSTALL_ADDRESS}/tftpboot/{SUITE}-installer/")
}

impl BootServers {
    pub(crate) fn start(
        install: &Namespace,
        switch: &Namespace,
        work: &Path,
        image: &Image,
        keys: &Keys,
        hold: Duration,
    ) -> Result<Self> {
        let state = directory(work.join("boot"))?;
        let tftp_root = directory(state.join("tftp"))?;
        let http_root = directory(state.join("http"))?;
        place(Path::new(LOADER), &tftp_root.join("lpxelinux.0"))?;
        fill_http(&http_root, image, keys, hold)?;

        let mut tftp = install.command("in.tftpd");
        tftp.args([
            "--foreground",
            "--ipv4",
            "--address",
            &format!("{INSTALL_ADDRESS}:69"),
            "--secure",
        ])
        .arg(&tftp_root);
        let tftp = Process::start("in.tftpd", &tftp, &state.join("tftp.log"))?;

        let configuration = state.join("nginx.conf");
        let values = [("state", text(&state)?), ("root", text(&http_root)?)];
        write(
            &configuration,
            fill(template!("nginx.conf"), &values)?,
            0o644,
        )?;
        let mut nginx = install.command("nginx");
        nginx
            .arg("-e")
            .arg(state.join("nginx-error.log"))
            .arg("-c")
            .arg(&configuration);
        let mut http = Process::start("nginx", &nginx, &state.join("nginx.log"))?;
        let pid = state.join("nginx.pid");
        http.wait_ready(LIMIT, |_| pid.exists())?;

        let configuration = state.join("radvd.conf");
        write(&configuration, template!("radvd.conf"), 0o644)?;
        let mut radvd = switch.command("radvd");
        radvd
            .args(["--nodaemon", "--logmethod", "stderr", "--config"])
            .arg(&configuration);
        radvd.arg("--pidfile").arg(state.join("radvd.pid"));
        let radvd = Process::start("radvd", &radvd, &state.join("radvd.log"))?;
        Ok(Self {
            access_log: state.join("nginx-access.log"),
            _tftp: tftp,
            _http: http,
            _radvd: radvd,
        })
    }

    /// What was fetched over HTTP, one request a line.
    pub fn http_log(&self) -> String {
        fs::read_to_string(&self.access_log).unwrap_or_default()
    }
}

fn fill_http(root: &Path, image: &Image, keys: &Keys, hold: Duration) -> Result<()> {
    let installer = directory(root.join(format!("tftpboot/{SUITE}-installer")))?;
    place(Path::new(LOADER_LIBRARY), &installer.join("ldlinux.c32"))?;
    let hold = hold.as_secs().to_string();
    let menu = directory(installer.join("pxelinux.cfg"))?.join("ttyS1-115200");
    write(
        &menu,
        fill(template!("pxelinux.cfg"), &[("hold", &hold)])?,
        0o644,
    )?;
    // The loader adds BOOT_IMAGE=<this path> to the kernel's command line.
    let system = directory(installer.join("debian-installer/amd64"))?;
    place(&image.kernel(), &system.join("linux"))?;
    place(&image.installer_initrd(), &system.join("initrd.zst"))?;
    let payload = directory(root.join("rig"))?;
    place(&image.stream(), &payload.join("disk.raw.zst"))?;
    write(
        &payload.join("installer.pub"),
        format!("{}\n", keys.installer.line()),
        0o644,
    )
}

/// A second name where that is possible, so that nothing is copied; not a
/// symbolic link, since the cache may be renewed under a running rig.
fn place(from: &Path, to: &Path) -> Result<()> {
    if fs::hard_link(from, to).is_err() {
        fs::copy(from, to)
            .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    }
    Ok(())
}
