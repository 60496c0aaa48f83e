//! Facts of the field that guests and the host both use. Without dependencies and without `std`.
#![no_std]

pub mod code;
pub mod debian;
mod device_status;
pub mod installer;
pub mod placeholder;
pub mod task;
