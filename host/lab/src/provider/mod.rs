//! The lab's providers: one file a capability.

pub(crate) mod command;
pub(crate) mod dhcp;
pub(crate) mod dns;
pub(crate) mod ipmi;
pub(crate) mod netbox;
pub(crate) mod remote;
pub(crate) mod session;

use crate::seat::Seat;
use wreimage_capability::Providers;

/// Every capability of the lab, for one host.
pub(crate) fn all(seat: &Seat) -> Providers {
    let mut providers = Providers::new();
    providers.add(wreimage_capability::netbox::serve(netbox::Netbox(
        seat.clone(),
    )));
    providers.add(wreimage_capability::dns::serve(dns::Dns(seat.clone())));
    providers.add(wreimage_capability::ipmi::serve(ipmi::Ipmi(seat.clone())));
    providers.add(wreimage_capability::dhcp::serve(dhcp::Dhcp(seat.clone())));
    providers.add(wreimage_capability::remote::serve(remote::Remote(
        seat.clone(),
    )));
    providers
}
