//! What a check reads: the inventory, the BMC and the old system, and what an answer that does not come means.

use crate::check::Progress;
use crate::comparison::Compared;
use crate::course::Course;
use crate::identity::Known;
use crate::stop::Stop;
use serde_json::json;
use std::sync::Arc;
use wreimage_capability::ipmi::{self, DeviceInfo};
use wreimage_capability::netbox::{self, Device, SwitchPort};
use wreimage_capability::remote::{self, Dmi, Identity, OsRelease};
use wreimage_capability::{Fault, FaultKind};
use wreimage_journal::{Checked, Reported};

impl Course {
    pub(crate) async fn read_device(self: &Arc<Self>, again: bool) -> Result<Option<Device>, Stop> {
        if !self.serves("netbox") {
            return Ok(None);
        }
        let read = self.read_again::<Device>(&netbox::functions::get_device, json!({}), again);
        let fault = match read.await? {
            Ok(device) => return Ok(Some(device)),
            Err(fault) => fault,
        };
        let host = &self.host;
        if !again {
            return Err(Stop::Refused(format!(
                "the inventory does not report which machine {host} is: {}. Nothing was touched",
                fault.message
            )));
        }
        Err(match fault.kind {
            FaultKind::NotFound | FaultKind::Conflict => self.is_another(&format!(
                "the inventory does not describe {host} any more as it did at the last check: {}",
                fault.message
            )),
            _ => self.unanswered(
                &format!("the inventory could not be read again to check {host}"),
                &fault,
            ),
        })
    }

    /// The switch port; a host without one, or with several candidates, has none.
    pub(crate) async fn read_switch_port(
        self: &Arc<Self>,
        again: bool,
    ) -> Result<Option<SwitchPort>, Stop> {
        let read =
            self.read_again::<SwitchPort>(&netbox::functions::get_switch_port, json!({}), again);
        match read.await? {
            Ok(port) => Ok(Some(port)),
            Err(fault) if again && !is_absent(&fault) => Err(self.unanswered(
                &format!(
                    "the inventory could not be read again to check the switch port of {}",
                    self.host
                ),
                &fault,
            )),
            Err(_) => Ok(None),
        }
    }

    pub(crate) async fn ask_bmc(
        self: &Arc<Self>,
        again: bool,
        now: &mut Checked,
        compared: &mut Compared<'_>,
        known: &mut Known,
    ) -> Result<(), Stop> {
        if !self.serves("ipmi") {
            compared.why = Some("no BMC can be asked".to_owned());
            return Ok(());
        }
        let read =
            self.read_again::<DeviceInfo>(&ipmi::functions::get_device_info, json!({}), again);
        let info = match read.await? {
            Ok(info) => info,
            Err(fault) if fault.kind == FaultKind::Unsupported => {
                compared.why = Some(fault.message);
                return Ok(());
            }
            Err(fault) if again => {
                let what = format!(
                    "the BMC of {} could not be asked again which machine it belongs to",
                    self.host
                );
                return Err(self.unanswered(&what, &fault));
            }
            Err(fault) => {
                return Err(Stop::Refused(format!(
                    "the BMC of {} could not be asked which machine it belongs to: {}. Nothing was touched",
                    self.host, fault.message
                )));
            }
        };
        let addresses: Vec<_> = info
            .extra
            .iter()
            .filter(|(name, _)| name == "address")
            .filter_map(|(_, value)| value.parse().ok())
            .collect();
        if let Some(snapshot) = &mut now.snapshot {
            snapshot.bmc_addresses = addresses;
        }
        if let Some(address) = now
            .snapshot
            .as_ref()
            .and_then(|it| it.bmc_addresses.first())
        {
            known
                .facts
                .push(("BMC address".to_owned(), address.to_string()));
        }
        compared.bmc_models = [info.manufacturer, info.product]
            .into_iter()
            .flatten()
            .collect();
        now.bmc = Some(Reported {
            serial: info.serial,
            uuid: info.guid,
        });
        Ok(())
    }

    /// The system that runs there before the wipe, where it lets the production key in.
    pub(crate) async fn ask_old_system(self: &Arc<Self>, now: &mut Checked) -> Result<(), Stop> {
        let is_there = {
            let state = self.state();
            state.progress() != Progress::Wiping && !state.restarts.any()
        };
        if !is_there || !self.serves("remote") {
            return Ok(());
        }
        let at = || json!({ "at": Identity::Production });
        let Ok(dmi) = self
            .own_call::<Dmi>(&remote::functions::get_dmi, at())
            .await?
        else {
            return Ok(());
        };
        now.system = Some(Reported {
            serial: dmi.serial,
            uuid: dmi.machine_uuid,
        });
        let os = self
            .own_call::<OsRelease>(&remote::functions::get_os_release, at())
            .await?;
        now.old_os = os.ok().map(|os| match os.pretty_name.is_empty() {
            true => format!("{} {}", os.id, os.version_id),
            false => os.pretty_name,
        });
        Ok(())
    }
}

/// Whether the fault says that there is no such thing, or no single one.
fn is_absent(fault: &Fault) -> bool {
    matches!(
        fault.kind,
        FaultKind::NotFound | FaultKind::Conflict | FaultKind::Unsupported
    )
}

/// Whether a system that gave this fault may answer later.
pub(crate) fn is_passing(fault: &Fault) -> bool {
    fault.retryable || matches!(fault.kind, FaultKind::Unreachable | FaultKind::Timeout)
}
