//! Words for the values of the services around the host.

use crate::conftool::PoolObject;
use crate::icinga::{HostState, Status};
use crate::netbox::{DeviceStatus, ScriptEnd};
use crate::puppet::AgentRun;
use crate::puppet_ca::Certificate;
use std::fmt;

wreimage_facts::device_status!(DeviceStatus);

impl fmt::Display for DeviceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl fmt::Display for ScriptEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ScriptEnd::Completed => "completed",
            ScriptEnd::Failed => "failed",
            ScriptEnd::Errored => "errored",
            ScriptEnd::Running => "is still running",
            ScriptEnd::Other(name) => name,
        })
    }
}

/// Such as `dc=lab1,cluster=web,service=nginx: pooled=yes, weight 10`.
impl fmt::Display for PoolObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "dc={},cluster={},service={}: pooled={}, weight {}",
            self.dc, self.cluster, self.service, self.pooled, self.weight
        )
    }
}

/// Such as `succeeded, exit status 2`.
impl fmt::Display for AgentRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.succeeded {
            "succeeded"
        } else {
            "failed"
        };
        write!(f, "{how}, exit status {}", self.status)
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Certificate::Absent => f.write_str("none"),
            Certificate::Requested(fingerprint) => write!(f, "requested, {fingerprint}"),
            Certificate::Signed(fingerprint) => write!(f, "signed, {fingerprint}"),
            Certificate::Revoked(fingerprint) => write!(f, "revoked, {fingerprint}"),
            Certificate::Other(state) => f.write_str(state),
        }
    }
}

impl fmt::Display for HostState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HostState::Up => "up",
            HostState::Down => "down",
            HostState::Unreachable => "unreachable",
            HostState::Other(name) => name,
        })
    }
}

/// Such as `up, not optimal: ssh, ntp`.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.state)?;
        if self.optimal {
            return f.write_str(", optimal");
        }
        f.write_str(", not optimal")?;
        if !self.failed_services.is_empty() {
            write!(f, ": {}", self.failed_services.join(", "))?;
        }
        Ok(())
    }
}
