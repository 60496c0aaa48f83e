//! What a check reads: the inventory, the BMC and the old system, and what an answer that does not come means.

use crate::gate::run_gate::RunGate;
use crate::identity::comparison::Compared;
use crate::identity::known::Known;
use crate::ledger::Progress;
use crate::run::stop::Stop;
use serde_json::json;
use std::sync::Arc;
use wreimage_capability::role::Login;
use wreimage_capability::{Fault, FaultKind, HostSnapshot, Role, SwitchPort};
use wreimage_journal::Checked;

impl RunGate {
    pub(crate) async fn read_inventory(
        self: &Arc<Self>,
        again: bool,
    ) -> Result<Option<HostSnapshot>, Stop> {
        let Some((function, read)) = self.served(Role::inventory) else {
            return Ok(None);
        };
        let fault = match self.read_again(function, json!({}), read, again).await? {
            Ok(snapshot) => return Ok(Some(snapshot)),
            Err(fault) => fault,
        };
        let host = &self.context.host;
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
        let Some((function, read)) = self.served(Role::switch_port) else {
            return Ok(None);
        };
        match self.read_again(function, json!({}), read, again).await? {
            Ok(port) => Ok(Some(port)),
            Err(fault) if again && !is_absent(&fault) => Err(self.unanswered(
                &format!(
                    "the inventory could not be read again to check the switch port of {}",
                    self.context.host
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
        let Some((function, read)) = self.served(Role::controller_identity) else {
            compared.why = Some("no BMC can be asked".to_owned());
            return Ok(());
        };
        let controller = match self.read_again(function, json!({}), read, again).await? {
            Ok(controller) => controller,
            Err(fault) if fault.kind == FaultKind::Unsupported => {
                compared.why = Some(fault.message);
                return Ok(());
            }
            Err(fault) if again => {
                let what = format!(
                    "the BMC of {} could not be asked again which machine it belongs to",
                    self.context.host
                );
                return Err(self.unanswered(&what, &fault));
            }
            Err(fault) => {
                return Err(Stop::Refused(format!(
                    "the BMC of {} could not be asked which machine it belongs to: {}. Nothing was touched",
                    self.context.host, fault.message
                )));
            }
        };
        if let Some(snapshot) = &mut now.snapshot {
            snapshot.bmc_addresses = controller.addresses;
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
        compared.bmc_models = controller.models;
        now.bmc = Some(controller.machine);
        Ok(())
    }

    /// The system that runs there before the wipe, where it lets the production key in.
    pub(crate) async fn ask_old_system(self: &Arc<Self>, now: &mut Checked) -> Result<(), Stop> {
        let is_there = {
            let state = self.state();
            state.progress() != Progress::Wiping && !state.restarts.any()
        };
        let Some((function, at)) = self.served(Role::system_identity).filter(|_| is_there) else {
            return Ok(());
        };
        let arguments = (at.arguments)(Login::Production);
        let Ok(machine) = self.own_call(function, arguments, at.read).await? else {
            return Ok(());
        };
        now.system = Some(machine);
        if let Some((function, at)) = self.served(Role::operating_system) {
            let arguments = (at.arguments)(Login::Production);
            now.old_os = self.own_call(function, arguments, at.read).await?.ok();
        }
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
