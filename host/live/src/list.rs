//! The one list of capabilities with live providers.

use crate::row::{Row, row};
use crate::{dhcp::Dhcp, dns::Dns, ipmi::Ipmi, netbox::Netbox, remote::Remote};

/// A row each, in the order in which their tables are read and what they lend is lent: a row may use what an earlier one lends.
pub(crate) static CAPABILITIES: &[&dyn Row] = &[
    row::<Netbox>(),
    row::<Dns>(),
    row::<Ipmi>(),
    row::<Dhcp>(),
    row::<Remote>(),
];
