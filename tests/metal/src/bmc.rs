//! The BMC: two implementations of IPMI that know nothing of each other.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::clock::wait_for;
use crate::image::{cached, short};
use crate::machine::{NAME, SERIAL, UUID};
use crate::namespaces::Namespace;
use crate::preflight;
use crate::process::{Process, run, run_any};
use crate::template::{directory, fill, template, text, write};

/// Which program plays the BMC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BmcKind {
    /// OpenIPMI's `ipmi_sim`: cipher suite 3.
    IpmiSim,
    /// The rig's own on pyghmi: cipher suites 3 and 17.
    Pyghmi,
}

/// Where the BMC listens in the controller's namespace.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
/// The port of RMCP+.
pub const PORT: u16 = 623;
/// Its only user.
pub const USER: &str = "root";
/// The size of the FRU inventory area, in bytes.
const FRU_SIZE: usize = 256;
const LIMIT: Duration = Duration::from_secs(20);

/// The running BMC.
#[derive(Debug)]
pub struct Bmc {
    kind: BmcKind,
    password_file: PathBuf,
    controller: Namespace,
    _process: Process,
}

impl Bmc {
    pub(crate) fn start(
        kind: BmcKind,
        controller: &Namespace,
        work: &Path,
        cache: &Path,
        chassis: &Path,
    ) -> Result<Self> {
        let state = directory(work.join("bmc"))?;
        let password = random_password()?;
        let password_file = state.join("password");
        write(&password_file, format!("{password}\n"), 0o600)?;
        let command = match kind {
            BmcKind::IpmiSim => ipmi_sim(controller, &state, chassis, &password)?,
            BmcKind::Pyghmi => pyghmi(controller, &state, cache, chassis, &password_file)?,
        };
        let mut process = Process::start("the BMC", &command, &state.join("bmc.log"))?;
        let listening = format!("{ADDRESS}:{PORT}");
        let mut sockets = controller.command("ss");
        sockets.args(["-Hlun"]);
        wait_for("the BMC to listen", LIMIT, || {
            if !process.is_running() {
                bail!("the BMC ended:\n{}", process.output());
            }
            Ok(run(&sockets, LIMIT)?.contains(&listening).then_some(()))
        })
        .with_context(|| process.output())?;
        Ok(Self {
            kind,
            password_file,
            controller: controller.clone(),
            _process: process,
        })
    }

    /// Which one it is.
    pub fn kind(&self) -> BmcKind {
        self.kind
    }

    /// The cipher suites that it speaks.
    pub fn cipher_suites(&self) -> &'static [u8] {
        match self.kind {
            BmcKind::IpmiSim => &[3],
            BmcKind::Pyghmi => &[3, 17],
        }
    }

    /// The file (mode 0600) with the password of [`USER`] in its only line.
    pub fn password_file(&self) -> &Path {
        &self.password_file
    }

    /// Runs the real `ipmitool` against it and gives its standard output.
    ///
    /// # Errors
    ///
    /// It ends with another status than 0; the message has what it said.
    pub fn ipmitool(&self, suite: u8, arguments: &[&str]) -> Result<String> {
        let mut command = self.controller.command("ipmitool");
        command
            .args([
                "-I",
                "lanplus",
                "-H",
                &ADDRESS.to_string(),
                "-p",
                &PORT.to_string(),
            ])
            .args(["-U", USER, "-C", &suite.to_string(), "-f"])
            .arg(&self.password_file)
            .args(arguments);
        run(&command, LIMIT)
    }

    /// As [`Bmc::ipmitool`] with a password that is not the BMC's; gives what
    /// was said and whether the exit status was 0.
    ///
    /// # Errors
    ///
    /// `ipmitool` did not come to an end.
    pub fn ipmitool_with_wrong_password(&self, suite: u8) -> Result<(bool, String)> {
        let mut command = self.controller.command("ipmitool");
        command
            .args([
                "-I",
                "lanplus",
                "-H",
                &ADDRESS.to_string(),
                "-p",
                &PORT.to_string(),
            ])
            .args([
                "-U",
                USER,
                "-C",
                &suite.to_string(),
                "-v",
                "-P",
                "not-the-password",
            ])
            .args(["power", "status"]);
        let output = run_any(&command, LIMIT)?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok((output.status.success(), said))
    }
}

/// 16 hexadecimal digits; IPMI 2.0 takes at most 20 bytes.
fn random_password() -> Result<String> {
    use std::io::Read;
    let mut bytes = [0; 8];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

fn ipmi_sim(
    controller: &Namespace,
    state: &Path,
    chassis: &Path,
    password: &str,
) -> Result<Command> {
    let lan = state.join("lan.conf");
    let emulator = state.join("bmc.emu");
    let persistent = directory(state.join("persistent"))?;
    let guid: String = guid()?.iter().map(|b| format!("{b:02x}")).collect();
    let values = [
        ("address", ADDRESS.to_string()),
        ("port", PORT.to_string()),
        ("guid", guid),
        ("chassis", text(chassis)?.to_owned()),
        ("password", password.to_owned()),
    ];
    let values: Vec<(&str, &str)> = values.iter().map(|(n, v)| (*n, v.as_str())).collect();
    write(&lan, fill(template!("lan.conf"), &values)?, 0o600)?;
    let fru: Vec<String> = fru().iter().map(|byte| format!("{byte:#04x}")).collect();
    let values = [
        ("fru_size", &*FRU_SIZE.to_string()),
        ("fru", &*fru.join(" ")),
    ];
    write(&emulator, fill(template!("bmc.emu"), &values)?, 0o644)?;
    let mut command = controller.command("ipmi_sim");
    command.arg("-c").arg(lan).arg("-f").arg(emulator);
    command.arg("-s").arg(persistent).arg("-n");
    Ok(command)
}

fn pyghmi(
    controller: &Namespace,
    state: &Path,
    cache: &Path,
    chassis: &Path,
    password_file: &Path,
) -> Result<Command> {
    let requirements = template!("requirements.txt");
    let key = short(&Sha256::digest(requirements));
    let limit = Duration::from_secs(300);
    let venv = cached(cache, "pyghmi", &key, limit, |out| {
        let list = out.join("requirements.txt");
        write(&list, requirements, 0o644)?;
        let python = preflight::find("python3").context("no python3")?;
        run(Command::new(python).args(["-m", "venv"]).arg(out), limit)?;
        // "python -m pip" works after the directory is renamed; the pip script does not.
        let mut pip = Command::new(out.join("bin/python"));
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .arg("-r")
        .arg(&list);
        run(&pip, limit).context("pyghmi could not be installed")?;
        Ok(())
    })?;
    let script = state.join("bmc.py");
    write(&script, template!("bmc.py"), 0o644)?;
    let fru: String = fru().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut command = controller.command(venv.join("bin/python"));
    command
        .arg(script)
        .args([&ADDRESS.to_string(), &PORT.to_string(), UUID, &fru])
        .arg(chassis)
        .arg(password_file);
    Ok(command)
}

/// The GUID as it goes over the wire: SMBIOS' byte order (IPMI 2.0, 20.8, and
/// what `dmidecode` shows), its first three fields little-endian.
fn guid() -> Result<Vec<u8>> {
    let digits: String = UUID.chars().filter(|letter| *letter != '-').collect();
    let value = u128::from_str_radix(&digits, 16).context("the machine's UUID is none")?;
    let mut bytes = value.to_be_bytes().to_vec();
    for field in [0..4, 4..6, 6..8] {
        if let Some(field) = bytes.get_mut(field) {
            field.reverse();
        }
    }
    Ok(bytes)
}

/// An FRU inventory with nothing but a product area (IPMI FRU Information
/// Storage Definition 1.0, 8 and 12).
fn fru() -> Vec<u8> {
    let mut product = vec![1, 0, 0];
    // Manufacturer, name, part number, version, serial number, asset tag, file id.
    for field in ["Rig", "Emulated", "", "", SERIAL, NAME, ""] {
        // Type 3 (8-bit text) in the upper two bits; "no more fields" is 0xc1, so an empty field is 0.
        let size = u8::try_from(field.len()).unwrap_or(0) & 0x3f;
        product.push(if size == 0 { 0 } else { 0xc0 | size });
        product.extend(field.bytes());
    }
    product.push(0xc1);
    product.resize((product.len() + 1).next_multiple_of(8) - 1, 0);
    let mut area = vec![1, 0, 0, 0, 1, 0, 0];
    area.push(checksum(&area));
    let blocks = u8::try_from((product.len() + 1) / 8).unwrap_or(0);
    if let Some(length) = product.get_mut(1) {
        *length = blocks;
    }
    product.push(checksum(&product));
    area.extend(product);
    area.resize(FRU_SIZE, 0);
    area
}

/// What makes the sum of all bytes 0.
fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_sub(*byte))
}
