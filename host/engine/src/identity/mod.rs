//! Is it the right machine, may it be changed, and was that agreed to? Each stage reads the host by roles.

pub(crate) mod boot_override;
pub(crate) mod check;
pub(crate) mod comparison;
pub(crate) mod consent;
pub(crate) mod difference;
pub(crate) mod first_boot;
pub(crate) mod host_key;
pub(crate) mod installer;
pub(crate) mod known;
pub(crate) mod pooled;
pub(crate) mod reads;
pub(crate) mod snapshot;
