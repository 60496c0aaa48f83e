//! The wires: switch, install server, and a second port of the switch.
//!
//! ```text
//!  rig1001 ─ tap0 ┐
//!                 ├ br0 10.64.0.1/24 (sw) ─ uplink 10.64.255.1/30 ─ eth0 10.64.255.2/30 (inst)
//!  other ── port2 ┘
//! ```

use std::path::Path;

use anyhow::Result;

use crate::namespaces::{Namespace, Namespaces, Owner};

/// The switch's address in the machine's network; also its router.
pub const SWITCH_ADDRESS: &str = "10.64.0.1";
/// The install server.
pub const INSTALL_ADDRESS: &str = "10.64.255.2";
/// The machine.
pub const MACHINE_ADDRESS: &str = "10.64.0.10";
/// The bridge port of the machine.
pub const MACHINE_PORT: &str = "tap0";
/// The other bridge port.
pub const OTHER_PORT: &str = "port2";

/// The namespaces with their links and addresses.
#[derive(Debug)]
pub struct Network {
    /// The switch; the controller runs here too.
    pub switch: Namespace,
    /// The install server.
    pub install: Namespace,
    /// A client on another port.
    pub other: Namespace,
    _namespaces: Namespaces,
}

impl Network {
    /// Makes them.
    ///
    /// # Errors
    ///
    /// `ip` failed.
    pub(crate) fn create(owner: &Owner, janitor: &Path) -> Result<Self> {
        let namespaces = Namespaces::create(owner, &["sw", "inst", "other"], janitor)?;
        let network = Self {
            switch: namespaces.get("sw"),
            install: namespaces.get("inst"),
            other: namespaces.get("other"),
            _namespaces: namespaces,
        };
        network.connect()?;
        Ok(network)
    }

    fn connect(&self) -> Result<()> {
        let (sw, inst, other) = (&self.switch, &self.install, &self.other);
        sw.sysctl("net/ipv4/ip_forward", "1")?;
        // radvd refuses to speak for a host that does not forward.
        sw.sysctl("net/ipv6/conf/all/forwarding", "1")?;

        sw.ip("link add br0 type bridge forward_delay 0 mcast_snooping 0")?;
        sw.ip(&format!("addr add {SWITCH_ADDRESS}/24 dev br0"))?;
        sw.ip("link set br0 up")?;
        // The relay's answers to clients without an address.
        sw.ip("route add 255.255.255.255/32 dev br0")?;

        sw.ip(&format!("tuntap add dev {MACHINE_PORT} mode tap"))?;
        sw.ip(&format!("link set {MACHINE_PORT} master br0 up"))?;

        let far = format!("peer name eth0 netns {}", other.name());
        sw.ip(&format!("link add {OTHER_PORT} type veth {far}"))?;
        sw.ip(&format!("link set {OTHER_PORT} master br0 up"))?;
        other.ip("link set eth0 up")?;

        let far = format!("peer name eth0 netns {}", inst.name());
        sw.ip(&format!("link add uplink type veth {far}"))?;
        sw.ip("addr add 10.64.255.1/30 dev uplink")?;
        sw.ip("link set uplink up")?;
        inst.ip(&format!("addr add {INSTALL_ADDRESS}/30 dev eth0"))?;
        inst.ip("link set eth0 up")?;
        inst.ip("route add default via 10.64.255.1")
    }
}
