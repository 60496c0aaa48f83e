//! The one list of capabilities with live providers.

use crate::row::{Row, row};

/// A row each, in the order in which their tables are read and what they lend is lent: a row may use what an earlier one lends.
pub(crate) static CAPABILITIES: &[&dyn Row] = &[
    row::<crate::netbox::Netbox>(),
    row::<crate::dns::Dns>(),
    row::<crate::ipmi::Ipmi>(),
    row::<crate::dhcp::Dhcp>(),
    row::<crate::remote::Remote>(),
];
