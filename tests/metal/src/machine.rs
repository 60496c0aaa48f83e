//! The machine `rig1001`: QEMU, and the chassis that the BMC controls.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use anyhow::{Result, bail};
use jiff::Timestamp;

use crate::clock::now;
use crate::console::Console;
use crate::namespaces::Namespace;
use crate::network::MACHINE_PORT;
use crate::process::Process;
use crate::sync::lock;
use crate::template::text;

/// Short name.
pub const NAME: &str = "rig1001";
/// Name of the machine.
pub const FQDN: &str = "rig1001.rig.test";
/// Name of its BMC.
pub const MANAGEMENT_FQDN: &str = "rig1001.mgmt.rig.test";
/// Serial number (SMBIOS type 1, and the BMC's FRU).
pub const SERIAL: &str = "RIG1001SN";
/// Machine UUID (SMBIOS type 1, and the BMC's GUID).
pub const UUID: &str = "7d1c4e6a-52b8-4f0e-9a63-5c1de0a81001";
/// MAC address of its only network interface.
pub const MAC: &str = "52:54:00:64:10:01";

/// What the BMC boots from next time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BootOverride {
    /// The boot order of the BIOS: the disk.
    None,
    /// The network, once.
    Pxe,
}

/// A command of the BMC that was not a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChassisCommand {
    /// When it came.
    pub at: Timestamp,
    /// `power on`, `power off`, `reset`, `boot pxe`, `boot none`.
    pub command: String,
}

#[derive(Debug)]
struct State {
    process: Option<Process>,
    boot: BootOverride,
    log: Vec<ChassisCommand>,
}

/// The machine; dropping it turns it off.
#[derive(Debug)]
pub struct Machine {
    directory: PathBuf,
    disk: PathBuf,
    switch: Namespace,
    console: Console,
    state: Mutex<State>,
}

impl Machine {
    pub(crate) fn new(
        directory: &Path,
        disk: &Path,
        switch: &Namespace,
        console: &Console,
    ) -> Self {
        Self {
            directory: directory.to_owned(),
            disk: disk.to_owned(),
            switch: switch.clone(),
            console: console.clone(),
            state: Mutex::new(State {
                process: None,
                boot: BootOverride::None,
                log: Vec::new(),
            }),
        }
    }

    /// Whether it has power.
    pub fn is_on(&self) -> bool {
        lock(&self.state).is_on()
    }

    /// What the next power on boots from.
    pub fn boot_override(&self) -> BootOverride {
        lock(&self.state).boot
    }

    /// The commands of the BMC so far.
    pub fn log(&self) -> Vec<ChassisCommand> {
        lock(&self.state).log.clone()
    }

    /// Turns it on, if it is off.
    ///
    /// # Errors
    ///
    /// QEMU does not start.
    pub fn power_on(&self) -> Result<()> {
        self.start(&mut lock(&self.state))
    }

    fn start(&self, state: &mut State) -> Result<()> {
        if state.is_on() {
            return Ok(());
        }
        // An IPMI override is for one boot: it is used up now, whatever comes of it.
        let order = match std::mem::replace(&mut state.boot, BootOverride::None) {
            BootOverride::None => "order=c",
            // A BIOS tries the disk when nobody answers on the network.
            BootOverride::Pxe => "order=c,once=nc",
        };
        let log = self.directory.join("qemu.log");
        let (process, output) = Process::start_piped("QEMU", &self.qemu(order)?, &log)?;
        self.console.follow(output)?;
        state.process = Some(process);
        Ok(())
    }

    fn qemu(&self, order: &str) -> Result<Command> {
        let mut qemu = self.switch.command("qemu-system-x86_64");
        qemu.args([
            "-name",
            NAME,
            "-machine",
            "pc,accel=tcg",
            "-cpu",
            CPU,
            "-m",
            "1024",
        ]);
        qemu.args([
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-vga",
            "none",
        ]);
        // The console is the second serial line, as on most servers.
        qemu.args(["-chardev", "null,id=com1", "-serial", "chardev:com1"]);
        qemu.args([
            "-chardev",
            "stdio,id=com2,signal=off",
            "-serial",
            "chardev:com2",
        ]);
        qemu.args(["-boot", order]);
        qemu.args([
            "-smbios",
            &format!("type=1,manufacturer=Rig,product=Emulated,serial={SERIAL},uuid={UUID}"),
        ]);
        // The disk's host cache outlives a power cycle, and nothing here survives the host.
        qemu.args([
            "-drive",
            &format!(
                "file={},if=none,id=disk,format=raw,cache=unsafe,discard=unmap",
                text(&self.disk)?.replace(',', ",,")
            ),
        ]);
        qemu.args(["-device", "virtio-blk-pci,drive=disk"]);
        qemu.args([
            "-netdev",
            &format!("tap,id=net,ifname={MACHINE_PORT},script=no,downscript=no"),
        ]);
        qemu.args(["-device", &format!("virtio-net-pci,netdev=net,mac={MAC}")]);
        Ok(qemu)
    }

    /// The chassis program: `get power boot`, `set power 1`, `set boot pxe` and so on.
    pub(crate) fn chassis(&self, words: &[&str]) -> Result<String> {
        match words {
            ["get", questions @ ..] => {
                let state = lock(&self.state);
                let mut answers = Vec::new();
                for question in questions {
                    answers.push(match *question {
                        "power" => format!("power:{}", u8::from(state.is_on())),
                        "boot" if state.boot == BootOverride::Pxe => "boot:pxe".to_owned(),
                        "boot" => "boot:none".to_owned(),
                        other => bail!("the chassis does not know {other:?}"),
                    });
                }
                Ok(answers.join("\n"))
            }
            ["set", settings @ ..] => {
                for setting in settings.chunks(2) {
                    self.set(setting)?;
                }
                Ok(String::new())
            }
            _ => bail!("the chassis does not understand {words:?}"),
        }
    }

    fn set(&self, setting: &[&str]) -> Result<()> {
        let mut state = lock(&self.state);
        match setting {
            ["power", "1"] => {
                state.note("power on");
                self.start(&mut state)
            }
            ["power", "0"] => {
                state.note("power off");
                state.process = None;
                Ok(())
            }
            ["reset", "1"] => {
                state.note("reset");
                if !state.is_on() {
                    return Ok(());
                }
                state.process = None;
                self.start(&mut state)
            }
            ["boot", "pxe"] => {
                state.note("boot pxe");
                state.boot = BootOverride::Pxe;
                Ok(())
            }
            ["boot", "none" | "default"] => {
                state.note("boot none");
                state.boot = BootOverride::None;
                Ok(())
            }
            // ipmi_sim hands "identify SECONDS FORCE" as one setting and a half.
            ["identify", ..] | [_] => Ok(()),
            // Soft power off included: the Debian of the rig has nobody for its power button.
            other => bail!("the chassis cannot set {other:?}"),
        }
    }
}

/// A processor with more features boots twice as slowly in the emulator once
/// the machine has been reset a first time.
const CPU: &str = "qemu64";

impl State {
    fn is_on(&self) -> bool {
        self.process.as_ref().is_some_and(Process::seems_running)
    }

    fn note(&mut self, command: &str) {
        self.log.push(ChassisCommand {
            at: now(),
            command: command.to_owned(),
        });
    }
}
