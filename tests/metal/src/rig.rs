//! All parts together.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;

use crate::bmc::{self, Bmc, BmcKind};
use crate::boot::{BootServers, path_prefix};
use crate::clock::now;
use crate::console::{Console, ConsoleLine};
use crate::control::{Control, Reply};
use crate::disk;
use crate::image::Image;
use crate::install::{self, InstallServer};
use crate::keys::Keys;
use crate::machine::{self, BootOverride, ChassisCommand, Machine};
use crate::namespaces::Owner;
use crate::network::{
    INSTALL_ADDRESS, MACHINE_ADDRESS, MACHINE_PORT, Network, OTHER_PORT, SWITCH_ADDRESS,
};
use crate::port;
use crate::preflight;
use crate::relay::{Passed, Relay, Wiring};
use crate::ssh::{self, Identity};
use crate::template::{directory, template, write};
use crate::workdir::{self, WorkDir};

/// The access switch of the machine.
pub const SWITCH: &str = "asw1-rig";
/// The port of the switch on which the machine is.
pub const SWITCH_INTERFACE: &str = "ge-0/0/1";
/// The VLAN of that port.
pub const VLAN: &str = "private1-rig";

/// What can be chosen.
#[derive(Debug, Clone)]
pub struct Options {
    /// The program that plays the BMC.
    pub bmc: BmcKind,
    /// How long the installer waits, once it answers, before it writes.
    pub installer_hold: Duration,
    /// Whether the machine has power when the rig is up. Its old OS answers
    /// some ten seconds later: [`Rig::wait_for_old_os`].
    pub powered_on: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bmc: BmcKind::IpmiSim,
            installer_hold: Duration::from_secs(6),
            powered_on: true,
        }
    }
}

/// The rig; dropping it ends and removes everything but the logs.
///
/// The fields stand in the order in which they have to go.
#[derive(Debug)]
pub struct Rig {
    _control: Control,
    bmc: Bmc,
    machine: Arc<Machine>,
    relay: Relay,
    install: InstallServer,
    boot: BootServers,
    console: Console,
    keys: Keys,
    hosts_file: PathBuf,
    work: WorkDir,
    network: Network,
}

impl Rig {
    /// Starts everything, and builds the Debian image first where it is missing.
    ///
    /// # Errors
    ///
    /// This is not root, a program is missing, or one of the parts does not
    /// start: the message has its output.
    pub fn start(options: Options) -> Result<Self> {
        preflight::check()?;
        let cache = directory(workdir::base()?.join("cache"))?;
        let image = Image::ensure(&cache)?;
        let owner = Owner::new()?;
        let work = WorkDir::create(&owner)?;

        let bin = directory(work.join("bin"))?;
        let [janitor, chassis, systemctl] =
            ["janitor.sh", "chassis", "systemctl"].map(|name| bin.join(name));
        write(&janitor, template!("janitor.sh"), 0o755)?;
        write(&chassis, template!("shim.sh"), 0o755)?;
        write(&systemctl, template!("shim.sh"), 0o755)?;

        let network = Network::create(&owner, &janitor)?;
        let keys = Keys::generate(
            &work.join("keys"),
            &[machine::FQDN, machine::NAME, MACHINE_ADDRESS],
            &[install::FQDN, INSTALL_ADDRESS],
        )?;
        let hosts_file = work.join("hosts");
        write(&hosts_file, hosts(), 0o644)?;

        let disk = work.join("disk.raw");
        disk::prepare(&disk, &image, &keys, work.path())?;
        let console = Console::new(&work.join("console.log"));
        let machine = Arc::new(Machine::new(work.path(), &disk, &network.switch, &console));
        if options.powered_on {
            machine.power_on()?;
        }

        let relay = Relay::start(&network.switch, wiring()?, &work.join("relay.log"))?;
        let hold = options.installer_hold;
        let boot = BootServers::start(
            &network.install,
            &network.switch,
            work.path(),
            &image,
            &keys,
            hold,
        )?;
        let install = InstallServer::start(&network.install, work.path(), &systemctl, &keys)?;
        let control = control(work.path(), &machine, &install)?;
        let bmc = Bmc::start(options.bmc, &network.switch, work.path(), &cache, &chassis)?;
        Ok(Self {
            _control: control,
            bmc,
            machine,
            relay,
            install,
            boot,
            console,
            keys,
            hosts_file,
            work,
            network,
        })
    }

    /// A command in the controller's namespace: from there the BMC, the
    /// machine and the install server are reached, and nothing else.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        self.network.switch.command(program)
    }

    /// The directory with all logs; it stays until the next run begins.
    pub fn directory(&self) -> &Path {
        self.work.path()
    }

    /// A hosts file with the names of machine, BMC and install server.
    pub fn hosts_file(&self) -> &Path {
        &self.hosts_file
    }

    /// The SSH keys and the known-hosts file.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The BMC.
    pub fn bmc(&self) -> &Bmc {
        &self.bmc
    }

    /// The machine's serial console.
    pub fn console(&self) -> &Console {
        &self.console
    }

    /// The machine, past its BMC.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The install server with its paths.
    pub fn install_server(&self) -> &InstallServer {
        &self.install
    }

    /// TFTP and HTTP.
    pub fn boot_servers(&self) -> &BootServers {
        &self.boot
    }

    /// The namespaces.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// What the BMC was told to do, and when.
    pub fn chassis_log(&self) -> Vec<ChassisCommand> {
        self.machine.log()
    }

    /// The boot override of the BMC.
    pub fn boot_override(&self) -> BootOverride {
        self.machine.boot_override()
    }

    /// Where the DHCP snippet of the machine has to be.
    pub fn snippet_path(&self) -> PathBuf {
        self.install
            .snippets()
            .join(format!("{}.conf", machine::NAME))
    }

    /// Whether that snippet is on the install server.
    pub fn snippet_exists(&self) -> bool {
        self.snippet_path().exists()
    }

    /// Whether dhcpd's configuration includes it.
    pub fn snippet_is_listed(&self) -> bool {
        fs::read_to_string(self.install.proxy_file())
            .unwrap_or_default()
            .contains(&self.snippet_path().display().to_string())
    }

    /// The DHCP messages that passed the switch.
    pub fn dhcp_messages(&self) -> Vec<Passed> {
        self.relay.passed()
    }

    /// The leases that were given: the `ACK` messages of the server, each with
    /// the circuit-id that the server has echoed.
    pub fn leases(&self) -> Vec<Passed> {
        let mut messages = self.relay.passed();
        messages.retain(|message| message.kind == "ACK");
        messages
    }

    /// Asks for a lease on another port of the switch; the address, if there was one.
    ///
    /// # Errors
    ///
    /// The client could not ask.
    pub fn lease_on_other_port(&self) -> Result<Option<String>> {
        port::ask_for_lease(&self.network.other, self.work.path())
    }

    /// Runs a shell command on the machine. Exit status 255 is ssh's own: no
    /// connection, no such key, another host key.
    ///
    /// # Errors
    ///
    /// `ssh` cannot be started or does not end within 30 s.
    pub fn try_ssh(&self, identity: Identity, command: &str) -> Result<Output> {
        let (key, check) = match identity {
            Identity::Production => (&self.keys.production, true),
            Identity::Installer => (&self.keys.installer, false),
        };
        let controller = &self.network.switch;
        ssh::ssh(controller, &self.keys, key, check, MACHINE_ADDRESS, command)
    }

    /// As [`Rig::try_ssh`]; gives the standard output without its last line end.
    ///
    /// # Errors
    ///
    /// The command did not end with 0, or was not run.
    pub fn ssh(&self, identity: Identity, command: &str) -> Result<String> {
        ssh::stdout(&self.try_ssh(identity, command)?)
    }

    /// Runs a shell command on the install server.
    ///
    /// # Errors
    ///
    /// `ssh` cannot be started or does not end within 30 s.
    pub fn try_ssh_install_server(&self, command: &str) -> Result<Output> {
        let (controller, key) = (&self.network.switch, &self.keys.install_server);
        ssh::ssh(controller, &self.keys, key, true, INSTALL_ADDRESS, command)
    }

    /// Waits until the sshd of the old OS is up, after [`Rig::start`] with power on.
    ///
    /// # Errors
    ///
    /// It is not within `limit`: the message has the end of the console.
    pub fn wait_for_old_os(&self, limit: Duration) -> Result<ConsoleLine> {
        self.console
            .wait_for(Timestamp::MIN, SSHD_UP, limit)
            .context("the old OS does not come up")
    }

    /// When the machine was last given power by its BMC.
    pub fn last_power_on(&self) -> Option<Timestamp> {
        let mut log = self.chassis_log();
        log.retain(|command| matches!(command.command.as_str(), "power on" | "reset"));
        log.last().map(|command| command.at)
    }
}

/// The console's line when the sshd of an installed Debian is up (`host=`, `boot_id=`).
pub const SSHD_UP: &str = r"RIG sshd up\b";
/// The console's line when the installer answers (`boot_id=`).
pub const INSTALLER_UP: &str = r"RIG installer sshd up\b";
/// The console's line when the disk holds the new OS.
pub const WRITTEN: &str = r"RIG written\b";
/// The console's last line of the installer.
pub const REBOOTING: &str = r"RIG rebooting\b";

/// The circuit-id of the machine's port.
pub fn circuit_id() -> String {
    format!("{SWITCH}:{SWITCH_INTERFACE}.0:{VLAN}")
}

/// The snippet that boots the machine into the installer, byte for byte as the
/// automation writes it.
pub fn snippet() -> String {
    format!(
        "\nhost {} {{\n    host-identifier option agent.circuit-id \"{}\";\n    \
         fixed-address {MACHINE_ADDRESS};\n    option pxelinux.pathprefix \"{}\";\n}}\n",
        machine::NAME,
        circuit_id(),
        path_prefix()
    )
}

fn hosts() -> String {
    format!(
        "127.0.0.1 localhost\n{MACHINE_ADDRESS} {} {}\n{} {}\n{INSTALL_ADDRESS} {}\n",
        machine::FQDN,
        machine::NAME,
        bmc::ADDRESS,
        machine::MANAGEMENT_FQDN,
        install::FQDN
    )
}

fn wiring() -> Result<Wiring> {
    Ok(Wiring {
        bridge: "br0",
        gateway: SWITCH_ADDRESS.parse()?,
        server: INSTALL_ADDRESS.parse()?,
        ports: vec![
            (MACHINE_PORT, circuit_id()),
            (OTHER_PORT, format!("{SWITCH}:ge-0/0/2.0:{VLAN}")),
        ],
    })
}

fn control(work: &Path, machine: &Arc<Machine>, install: &InstallServer) -> Result<Control> {
    let machine = Arc::clone(machine);
    let dhcpd = install.shared_dhcpd();
    let restart_fault = install.restart_fault();
    let log = work.join("control.log");
    Control::start(work, move |words| {
        let reply = match words {
            ["chassis", _name, command @ ..] => Reply::of(machine.chassis(command)),
            ["systemctl", "restart", ..] if restart_fault.exists() => {
                dhcpd.stop();
                Reply {
                    status: 1,
                    output: "Job for isc-dhcp-server.service failed: injected by fault-restart"
                        .to_owned(),
                }
            }
            ["systemctl", arguments @ ..] => {
                let (status, output) = dhcpd.systemctl(arguments);
                Reply { status, output }
            }
            other => Reply {
                status: 1,
                output: format!("the rig does not understand {other:?}"),
            },
        };
        note(&log, words, &reply);
        reply
    })
}

/// A line in the log of the control socket; that it cannot be written is no
/// reason to fail a BMC.
fn note(log: &Path, words: &[&str], reply: &Reply) {
    use std::io::Write;
    if let Ok(mut file) = fs::File::options().create(true).append(true).open(log) {
        let _ = writeln!(
            file,
            "{:.3} {} -> {} {:?}",
            now(),
            words.join(" "),
            reply.status,
            reply.output
        );
    }
}
