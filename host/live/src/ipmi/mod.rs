//! `ipmi`: the machine's BMC.

pub(crate) mod answers;
pub(crate) mod classify;
pub(crate) mod identity;
mod ipmitool;
mod power;
mod refused;
mod session;

pub(crate) use ipmitool::{Ipmitool, summary};
pub(crate) use power::power_word;
pub(crate) use session::Settings;
