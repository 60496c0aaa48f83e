//! A rig to look around in: starts it, prints how to reach everything, and
//! stays until standard input ends.
//!
//! usage: `cargo run --release -p wreimage-metal --example rig -- [ipmi_sim|pyghmi] [HOLD-SECONDS]`

use std::io::Read;
use std::time::Duration;

use anyhow::{Result, bail};
use wreimage_metal::network::MACHINE_ADDRESS;
use wreimage_metal::rig::snippet;
use wreimage_metal::{BmcKind, Options, Rig, bmc};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let bmc = match arguments.next().as_deref() {
        None | Some("ipmi_sim") => BmcKind::IpmiSim,
        Some("pyghmi") => BmcKind::Pyghmi,
        Some(other) => bail!("{other:?} is no BMC: ipmi_sim or pyghmi"),
    };
    let hold = arguments.next().map_or(Ok(6), |text| text.parse())?;
    let rig = Rig::start(Options {
        bmc,
        installer_hold: Duration::from_secs(hold),
        ..Options::default()
    })?;
    let run = rig.directory().display();
    let inside = format!("ip netns exec {}", rig.network().switch.name());
    let ssh = "ssh -F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null";
    let keys = rig.keys();
    println!("logs          {run}");
    println!("console       tail -f {}", rig.console().log().display());
    println!(
        "BMC           {inside} ipmitool -I lanplus -H {} -C 3 -U {} -f {} power status",
        bmc::ADDRESS,
        bmc::USER,
        rig.bmc().password_file().display()
    );
    println!(
        "old OS        {inside} {ssh} -i {} root@{MACHINE_ADDRESS}",
        keys.production.private().display()
    );
    println!(
        "installer     {inside} {ssh} -i {} root@{MACHINE_ADDRESS}",
        keys.installer.private().display()
    );
    println!(
        "dhcpincludes  {} -r commit",
        rig.install_server().dhcpincludes().display()
    );
    println!("snippet, for {}:", rig.snippet_path().display());
    println!("{}", snippet());
    println!("The rig ends with standard input (Ctrl-D).");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
