//! The lab's providers: one file a capability.

pub(crate) mod alertmanager;
pub(crate) mod command;
pub(crate) mod conftool;
pub(crate) mod debmonitor;
pub(crate) mod dhcp;
pub(crate) mod dns;
pub(crate) mod http;
pub(crate) mod httpbb;
pub(crate) mod icinga;
pub(crate) mod ipmi;
pub(crate) mod netbox;
pub(crate) mod phabricator;
pub(crate) mod puppet;
pub(crate) mod puppet_ca;
pub(crate) mod puppetdb;
pub(crate) mod remote;
pub(crate) mod session;

use crate::seat::Seat;
use wreimage_capability as capability;
use wreimage_capability::Providers;

/// Every capability of the lab, for one host.
pub(crate) fn all(seat: &Seat) -> Providers {
    let mut providers = Providers::new();
    for served in [
        capability::netbox::serve(netbox::Netbox(seat.clone())),
        capability::dns::serve(dns::Dns(seat.clone())),
        capability::ipmi::serve(ipmi::Ipmi(seat.clone())),
        capability::dhcp::serve(dhcp::Dhcp(seat.clone())),
        capability::remote::serve(remote::Remote(seat.clone())),
        capability::puppet::serve(puppet::Puppet(seat.clone())),
        capability::puppet_ca::serve(puppet_ca::PuppetCa(seat.clone())),
        capability::puppetdb::serve(puppetdb::PuppetDb(seat.clone())),
        capability::icinga::serve(icinga::Icinga(seat.clone())),
        capability::alertmanager::serve(alertmanager::Alertmanager(seat.clone())),
        capability::conftool::serve(conftool::Conftool(seat.clone())),
        capability::debmonitor::serve(debmonitor::Debmonitor(seat.clone())),
        capability::httpbb::serve(httpbb::Httpbb(seat.clone())),
        capability::phabricator::serve(phabricator::Phabricator(seat.clone())),
        capability::http::serve(http::Http(seat.clone())),
    ] {
        providers.add(served);
    }
    providers
}
