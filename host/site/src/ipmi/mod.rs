//! `ipmi`: the machine's BMC.

mod answers;
mod classify;
mod identity;
mod ipmitool;
mod power;
mod session;

pub(crate) use ipmitool::{Ipmitool, summary};
pub(crate) use power::power_word;
pub(crate) use session::Settings;
