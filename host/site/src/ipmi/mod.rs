//! `ipmi`: the machine's BMC.

mod answers;
mod classify;
mod identity;
mod ipmitool;
mod session;

pub(crate) use ipmitool::{Ipmitool, power_word, summary};
pub(crate) use session::Bmc;
