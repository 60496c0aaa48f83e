//! What the inventory must say of the machine.

use super::UNTOUCHED;
use crate::options::Asked;
use crate::policy;
use wreimage_sdk::netbox::{self, Device, DeviceKind, Firmware};
use wreimage_sdk::{Fault, FaultKind, Step, retry_if_worth};

/// The inventory's record of the host.
///
/// # Errors
/// When the inventory cannot be asked, or has no physical machine under this name.
pub fn physical_device(step: &mut Step) -> Result<Device, Fault> {
    let device = retry_if_worth(policy::ASK_SERVICE, |_| netbox::get_device())
        .map_err(|fault| fault.and(UNTOUCHED))?;
    step.evidence("name", &device.fqdn);
    step.evidence("serial", device.serial.as_deref().unwrap_or("unknown"));
    step.evidence("vendor", device.vendor.as_deref().unwrap_or("unknown"));
    match &device.kind {
        DeviceKind::Physical => {
            step.says(format!("{} at site {}", device.fqdn, device.site));
            Ok(device)
        }
        DeviceKind::Virtual => Err(inventory(
            FaultKind::Unsupported,
            "reimage.virtual-host",
            format!(
                "{} is a virtual machine, and only physical hosts are reimaged here. {UNTOUCHED} Decommission the virtual \
                 machine and provision a new one instead.",
                device.fqdn
            ),
        )),
        DeviceKind::Other(kind) => Err(inventory(
            FaultKind::Unsupported,
            "reimage.unknown-kind",
            format!(
                "the inventory says that {} is of the kind `{kind}`, and only physical hosts are reimaged here. {UNTOUCHED}",
                device.fqdn
            ),
        )),
    }
}

/// Checks that the record has what the reimage needs. Returns the name of the management interface.
///
/// # Errors
/// `rejected`, with the first field that is missing.
pub fn complete(device: &Device, step: &mut Step) -> Result<String, Fault> {
    let missing = |field: &str| {
        inventory(
            FaultKind::Rejected,
            "reimage.inventory-incomplete",
            format!(
                "the inventory entry of {} lacks its {field}. {UNTOUCHED} Complete the entry, then run again.",
                device.name
            ),
        )
    };
    let management = device
        .management_fqdn
        .clone()
        .ok_or_else(|| missing("management name"))?;
    let address = device
        .primary_ip
        .as_deref()
        .ok_or_else(|| missing("primary address"))?;
    let firmware = match &device.firmware {
        Firmware::Bios => "BIOS",
        Firmware::Uefi => "UEFI",
        Firmware::Other(other) => {
            let field = format!("firmware kind, BIOS or UEFI (it says `{other}`)");
            return Err(missing(&field));
        }
    };
    step.says(format!("{firmware}, {address}, managed at {management}"));
    Ok(management)
}

/// Checks that the host is at the run's site: another one has other install servers, another Puppet and another monitoring.
///
/// # Errors
/// `conflict` when it is not.
pub fn own_site(asked: &Asked, device: &Device, step: &mut Step) -> Result<(), Fault> {
    if device.site == asked.site() {
        step.says(&device.site);
        return Ok(());
    }
    Err(inventory(
        FaultKind::Conflict,
        "reimage.other-site",
        format!(
            "the inventory has {} at the site {}, and this run is for {}. {UNTOUCHED} Run it for that site.",
            device.fqdn,
            device.site,
            asked.site()
        ),
    ))
}

fn inventory(kind: FaultKind, code: &str, message: String) -> Fault {
    Fault::new(kind, code, "inventory", message)
}
