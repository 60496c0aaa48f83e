//! The live providers of a site, bound to one host.

use crate::SiteError;
use crate::dhcp::DhcpIncludes;
use crate::dns::Dns;
use crate::ipmi::{Ipmitool, Settings};
use crate::netbox::FileInventory;
use crate::remote::{BootIds, BySsh, Remote, Ways};
use crate::site::Site;
use crate::ssh::{Login, Patience};
use crate::target::Target;
use std::sync::Arc;
use wreimage_capability::{Providers, dhcp, dns, ipmi, netbox, remote};

pub(crate) fn open(site: &Site, target: &Target) -> Result<Providers, SiteError> {
    let mut providers = Providers::new();
    if let Some(inventory) = inventory(site, target) {
        providers.add(netbox::serve(inventory));
    }
    if site.is_live("dns") {
        providers.add(dns::serve(Dns::new(target, site.names())));
    }
    let ways = ways(site, target).map(Arc::new);
    if let (Some(ways), Some(table)) = (&ways, &site.file.remote) {
        let remote = Remote::new(ways.clone(), &table.reboot, &table.allow);
        providers.add(remote::serve(remote));
    }
    if let Some(ipmi) = ipmitool(site, target, ways) {
        providers.add(ipmi::serve(ipmi));
    }
    if let Some(dhcp) = dhcpincludes(site, target) {
        providers.add(dhcp::serve(dhcp));
    }
    Ok(providers)
}

/// The inventory, when the site's `netbox` is live.
pub(crate) fn inventory(site: &Site, target: &Target) -> Option<FileInventory> {
    let inventory = site.inventory().filter(|_| site.is_live("netbox"))?;
    Some(FileInventory::new(inventory, target, site.name()))
}

/// The ways into the host by SSH, when the site's `remote` is live.
pub(crate) fn ways(site: &Site, target: &Target) -> Option<Ways> {
    let table = site
        .file
        .remote
        .as_ref()
        .filter(|_| site.is_live("remote"))?;
    let login = |key, passphrase| Login::new(&table.user, site.resolve(key), passphrase);
    Some(Ways {
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
        seen: Default::default(),
    })
}

/// The BMC by `ipmitool`, when the site's `ipmi` is live.
pub(crate) fn ipmitool(site: &Site, target: &Target, ways: Option<Arc<Ways>>) -> Option<Ipmitool> {
    let table = site.file.ipmi.as_ref().filter(|_| site.is_live("ipmi"))?;
    let settings = Settings {
        names: site.names(),
        port: table.port,
        user: table.user.clone(),
        password: site.secrets.ipmi.clone(),
        suites: table.cipher_suites.clone(),
        timeout: table.timeout.0,
        tries: table.tries,
        program: table.program.clone(),
        memory: Default::default(),
    };
    let boots = ways.map(|ways| Arc::new(BySsh(ways)) as Arc<dyn BootIds>);
    Some(Ipmitool::new(settings, target, boots))
}

/// The DHCP automation, when the site's `dhcp` is live.
pub(crate) fn dhcpincludes(site: &Site, target: &Target) -> Option<DhcpIncludes> {
    let (table, shared) = (site.file.dhcp.as_ref()?, site.shared_server()?);
    Some(DhcpIncludes::new(site, shared, table, target))
}
