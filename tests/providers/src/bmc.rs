//! BMCs: `ipmi_sim` of OpenIPMI (suite 3), and one on pyghmi (suites 3 and 17). Both drive the same chassis program.

use crate::process::Process;
use crate::site::{SERIAL, TestSite, UUID};
use crate::tools::{program, run, script, udp_port};
use std::fs::File;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// The password that the BMCs accept; `WREIMAGE_TEST_PASSWORD` holds it.
pub const PASSWORD: &str = "s3cret-mgmt-pw";

/// A BMC and its chassis.
pub struct TestBmc {
    /// UDP port on 127.0.0.1.
    pub port: u16,
    chassis: PathBuf,
    _process: Process,
}

/// Power and boot device as files; each request is a line in `log`. With a file `ignores-boot` or `ignores-power` nothing
/// is changed; with `stays-off` nothing is switched on.
const CHASSIS: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
while [ $# -gt 0 ] && [ "$1" != get ] && [ "$1" != set ]; do shift; done
echo "$*" >> log
op=$1; shift
while [ $# -gt 0 ]; do
    if [ "$op" = get ]; then echo "$1:$(cat "$1")"; shift; continue; fi
    case $1 in
        boot) [ -e ignores-boot ] || echo "$2" | sed 's/^default$/none/' > boot ;;
        power) [ -e ignores-power ] || { [ -e stays-off ] && [ "$2" = 1 ]; } || echo "$2" > power ;;
    esac
    shift 2
done
exit 0
"#;

fn chassis(site: &TestSite) -> PathBuf {
    let folder = site.path("chassis");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("power"), "1\n").unwrap();
    std::fs::write(folder.join("boot"), "none\n").unwrap();
    script(&folder.join("chassis"), CHASSIS);
    folder
}

impl TestBmc {
    /// Starts `ipmi_sim`, which speaks suite 3 only.
    pub fn ipmi_sim(site: &TestSite) -> Self {
        let (chassis, port) = (chassis(site), udp_port());
        // As SMBIOS stores the UUID: the first three fields little-endian.
        let guid = "44454c4c310010328033b4c04f354333";
        site.write(
            "lan.conf",
            &format!(
                "name \"bmc\"\nset_working_mc 0x20\n  startlan 1\n    addr 127.0.0.1 {port}\n    priv_limit admin\n    \
                 allowed_auths_callback none md2 md5 straight\n    allowed_auths_user none md2 md5 straight\n    \
                 allowed_auths_operator none md2 md5 straight\n    allowed_auths_admin none md2 md5 straight\n    guid \
                 {guid}\n  endlan\n  chassis_control \"{}\"\n  user 1 false \"\" \"\" user 10 none md2 md5 straight\n  \
                 user 2 true \"root\" \"{PASSWORD}\" admin 10 none md2 md5 straight\n",
                chassis.join("chassis").display()
            ),
        );
        site.write(
            "bmc.emu",
            "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr\nsel_enable 0x20 1000 \
             0x0a\nmc_enable 0x20\n",
        );
        std::fs::create_dir_all(site.path("ipmi-state")).unwrap();
        let mut command = Command::new(program("ipmi_sim", "openipmi"));
        command.arg("-c").arg(site.path("lan.conf"));
        command.arg("-f").arg(site.path("bmc.emu"));
        command.arg("-s").arg(site.path("ipmi-state")).arg("-n");
        let mut process = Process::start(&command, &site.path("ipmi_sim.log"));
        process.wait_until("ipmi_sim", |_| is_bound(port));
        // Bound is not yet served.
        std::thread::sleep(Duration::from_millis(300));
        TestBmc {
            port,
            chassis,
            _process: process,
        }
    }

    /// Starts the BMC on pyghmi, which speaks suites 3 and 17.
    pub fn pyghmi(site: &TestSite) -> Self {
        let (chassis, port) = (chassis(site), udp_port());
        site.write("bmc.py", include_str!("../../metal/templates/bmc.py"));
        site.write("bmc-password", PASSWORD);
        let fru: String = fru().iter().map(|byte| format!("{byte:02x}")).collect();
        let mut command = Command::new(pyghmi().join("bin/python"));
        command
            .arg(site.path("bmc.py"))
            .args(["127.0.0.1", &port.to_string(), UUID, &fru])
            .arg(chassis.join("chassis"))
            .arg(site.path("bmc-password"));
        let mut process = Process::start(&command, &site.path("pyghmi.log"));
        process.wait_until("the pyghmi BMC", |log| log.contains("listening"));
        TestBmc {
            port,
            chassis,
            _process: process,
        }
    }

    /// The `[ipmi]` table of a site with this BMC.
    pub fn table(&self, more: &str) -> String {
        table(self.port, more)
    }

    /// Sets power or boot device behind the BMC's back, or one of the files that keep it from changing.
    pub fn set(&self, name: &str, value: &str) {
        std::fs::write(self.chassis.join(name), format!("{value}\n")).unwrap();
    }

    /// The requests that reached the chassis and changed something.
    pub fn changes(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.chassis.join("log")).unwrap_or_default();
        log.lines()
            .filter(|line| line.starts_with("set"))
            .map(str::to_owned)
            .collect()
    }
}

/// The `[ipmi]` table of a site whose BMC is at that port.
pub fn table(port: u16, more: &str) -> String {
    program("ipmitool", "ipmitool");
    format!(
        "[ipmi]\nprovider = \"ipmitool\"\nport = {port}\npassword = {{ command = [\"echo\", \"{PASSWORD}\"] }}\n{more}\n"
    )
}

fn is_bound(port: u16) -> bool {
    std::net::UdpSocket::bind(("127.0.0.1", port)).is_err()
}

/// A Python environment with pyghmi, kept in the target folder.
fn pyghmi() -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root.join("../../target"), PathBuf::from)
        .join("provider-tests");
    std::fs::create_dir_all(&target).unwrap();
    let lock = File::create(target.join("lock")).unwrap();
    lock.lock().unwrap();
    let (venv, done) = (target.join("pyghmi"), target.join("pyghmi/complete"));
    if !done.exists() {
        run(Command::new(program("python3", "python3 python3-venv"))
            .args(["-m", "venv"])
            .arg(&venv));
        run(Command::new(venv.join("bin/python"))
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "-r",
            ])
            .arg(root.join("../metal/templates/requirements.txt")));
        File::create(&done).unwrap();
    }
    venv
}

/// An FRU inventory with a product area (IPMI FRU Information Storage Definition 1.0, 8 and 12).
fn fru() -> Vec<u8> {
    let mut product = vec![1, 0, 0];
    for field in ["Maker", "Model", "", "", SERIAL, "", ""] {
        product.push(if field.is_empty() {
            0
        } else {
            0xc0 | u8::try_from(field.len()).unwrap()
        });
        product.extend(field.bytes());
    }
    product.push(0xc1);
    while product.len() % 8 != 7 {
        product.push(0);
    }
    product[1] = u8::try_from((product.len() + 1) / 8).unwrap();
    let sum = |bytes: &[u8]| bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_sub(*byte));
    product.push(sum(&product));
    let mut fru = vec![1, 0, 0, 0, 1, 0, 0];
    fru.push(sum(&fru));
    fru.extend(product);
    fru
}
