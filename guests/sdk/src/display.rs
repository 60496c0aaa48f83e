//! Words for the values that guests report.

use crate::ipmi::{BootDevice, BootFlags, PowerState};
use crate::{Level, Severity, Verdict};
use std::fmt;

impl fmt::Display for PowerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PowerState::On => f.write_str("on"),
            PowerState::Off => f.write_str("off"),
            PowerState::Unknown(answer) => write!(f, "unknown: {answer}"),
        }
    }
}

impl fmt::Display for BootDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BootDevice::None => "none",
            BootDevice::Pxe => "PXE",
            BootDevice::Disk => "disk",
            BootDevice::Cdrom => "CD-ROM",
            BootDevice::BiosSetup => "BIOS setup",
            BootDevice::Other(name) => name,
        })
    }
}

/// Such as `PXE, EFI, next boot only (a004000000)`.
impl fmt::Display for BootFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.device == BootDevice::None {
            return write!(f, "no override ({})", self.raw);
        }
        let mode = if self.efi { "EFI" } else { "legacy" };
        let span = if self.persistent {
            "all future boots"
        } else {
            "next boot only"
        };
        write!(f, "{}, {mode}, {span} ({})", self.device, self.raw)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Success => "success",
            Level::Warning => "warning",
            Level::Failure => "failure",
            Level::Skipped => "skipped",
            Level::Other(name) => name,
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Success => "success",
            Verdict::Warnings => "success with warnings",
            Verdict::Failed => "failed",
            Verdict::Other(name) => name,
        })
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Debug => "debug",
            Severity::Info => "info",
            Severity::Warn => "warn",
            Severity::Error => "error",
        })
    }
}
