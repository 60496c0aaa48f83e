//! `netbox`: the inventory.

mod file;

pub(crate) use file::FileInventory;
