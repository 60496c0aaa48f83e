//! The live providers of a site, bound to one host.

use crate::SiteError;
use crate::dhcp::DhcpIncludes;
use crate::dns::Dns;
use crate::ipmi::{Bmc, Ipmitool};
use crate::netbox::FileInventory;
use crate::remote::{BootIds, Machine, Remote};
use crate::site::Site;
use crate::ssh::{Login, Patience};
use crate::target::Target;
use std::sync::Arc;
use wreimage_capability::{Providers, dhcp, dns, ipmi, netbox, remote};

pub(crate) fn open(site: &Site, target: &Target) -> Result<Providers, SiteError> {
    let mut providers = Providers::new();
    if site.is_live("netbox")
        && let Some(inventory) = site.inventory()
    {
        providers.add(netbox::serve(FileInventory::new(
            inventory,
            target,
            site.name(),
        )));
    }
    if site.is_live("dns") {
        providers.add(dns::serve(Dns::new(target, site.names())));
    }
    let machine = machine(site, target).map(Arc::new);
    if let (Some(machine), Some(table)) = (&machine, &site.file.remote) {
        let remote = Remote::new(machine.clone(), &table.reboot, &table.allow);
        providers.add(remote::serve(remote));
    }
    if let Some(ipmi) = ipmitool(site, target, machine) {
        providers.add(ipmi::serve(ipmi));
    }
    if let Some(dhcp) = dhcpincludes(site, target) {
        providers.add(dhcp::serve(dhcp));
    }
    Ok(providers)
}

/// The host by SSH, when the site's `remote` is live.
pub(crate) fn machine(site: &Site, target: &Target) -> Option<Machine> {
    let table = site
        .file
        .remote
        .as_ref()
        .filter(|_| site.is_live("remote"))?;
    let login = |key, passphrase| Login::new(&table.user, site.resolve(key), passphrase);
    Some(Machine {
        target: target.clone(),
        names: site.names(),
        port: table.port,
        patience: Patience {
            connect: table.connect_timeout.0,
            login: table.login_timeout.0,
        },
        read_timeout: table.read_timeout.0,
        installer: table
            .installer
            .as_ref()
            .map(|it| login(&it.key, site.secrets.installer.clone())),
        production: table.production.as_ref().map(|it| {
            let login = login(&it.key, site.secrets.production.clone());
            (login, site.resolve(&it.known_hosts))
        }),
        trusted: Default::default(),
    })
}

/// The BMC by `ipmitool`, when the site's `ipmi` is live.
pub(crate) fn ipmitool(
    site: &Site,
    target: &Target,
    machine: Option<Arc<Machine>>,
) -> Option<Ipmitool> {
    let table = site.file.ipmi.as_ref().filter(|_| site.is_live("ipmi"))?;
    let bmc = target.management().map(|name| Bmc {
        name: name.to_owned(),
        names: site.names(),
        port: table.port,
        user: table.user.clone(),
        password: site.secrets.ipmi.clone(),
        suites: table.cipher_suites.clone(),
        timeout: table.timeout.0,
        tries: table.tries,
        program: table.program.clone(),
        memory: Default::default(),
    });
    let boots = machine.map(|machine| machine as Arc<dyn BootIds>);
    Some(Ipmitool::new(bmc, target, boots))
}

/// The DHCP automation, when the site's `dhcp` is live.
pub(crate) fn dhcpincludes(site: &Site, target: &Target) -> Option<DhcpIncludes> {
    let (table, shared) = (site.file.dhcp.as_ref()?, site.shared_server()?);
    Some(DhcpIncludes::new(site, shared, table, target))
}
