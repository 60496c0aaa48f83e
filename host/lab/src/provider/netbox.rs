//! The inventory.

use crate::seat::Seat;
use crate::service::job::Kind;
use crate::service::netbox::{IMPORT, Script};
use serde_json::{Value, json};
use wreimage_capability::netbox::{
    Device, DeviceKind, DeviceStatus, Provider, ScriptEnd, ScriptResult, ScriptTimeout, SwitchPort,
    functions,
};
use wreimage_capability::{Call, Fault, FaultKind, Function, Reconciled};

pub(crate) struct Netbox(pub(crate) Seat);

impl Provider for Netbox {
    async fn get_device(&self, call: &Call) -> Result<Device, Fault> {
        let unread = ("netbox.get-device", "the inventory was not read");
        self.0.read(call, "netbox", unread, |machine, _| {
            Ok(machine.inventory.device.clone())
        })
    }

    async fn get_switch_port(&self, call: &Call) -> Result<SwitchPort, Fault> {
        let unread = ("netbox.get-switch-port", "the switch port was not read");
        self.0.read(call, "netbox", unread, |machine, world| {
            let system = || format!("NetBox {}", world.site());
            if machine.inventory.device.kind == DeviceKind::Virtual {
                return Err(Fault::unsupported(
                    "netbox.virtual",
                    system(),
                    format!("{} is a virtual machine: it has no switch port", machine.name),
                ));
            }
            machine.inventory.switch_port.clone().ok_or_else(|| {
                Fault::not_found(
                    "netbox.not-cabled",
                    system(),
                    format!(
                        "the primary interface of {} has no cable in the inventory; enter the cable in NetBox",
                        machine.name
                    ),
                )
            })
        })
    }

    async fn set_status(&self, _call: &Call, status: DeviceStatus) -> Result<(), Fault> {
        self.0
            .service("netbox", |world, host| world.set_status(host, status))
    }

    async fn run_script(
        &self,
        call: &Call,
        name: String,
        timeout: ScriptTimeout,
    ) -> Result<ScriptResult, Fault> {
        if name != IMPORT {
            let shown: String = name.chars().take(100).collect();
            return Err(Fault::denied(
                wreimage_facts::code::SCRIPT_NOT_ALLOWED,
                "NetBox",
                format!("the site does not name the script {shown:?}; it names {IMPORT}"),
            ));
        }
        let function = &functions::run_script;
        let result = self
            .0
            .job(
                call,
                function,
                Kind::Script,
                timeout.timeout_ms,
                |world, host| {
                    world.answers("netbox")?;
                    let script = world.services.netbox.scripts.get(host);
                    let hangs = script == Some(&Script::Hangs);
                    Ok((!hangs).then_some(world.times.netbox_script))
                },
            )
            .await;
        let result = match result {
            // It was begun, and its job can be looked at.
            Err(fault) if fault.kind == FaultKind::Timeout => self.0.look(|_, world| {
                Ok(ScriptResult {
                    end: ScriptEnd::Running,
                    log: Vec::new(),
                    location: world.script_location(&name),
                    extra: Vec::new(),
                })
            })?,
            ended => ended?,
        };
        self.0.mark(
            call,
            "netbox.run-script",
            "what the script finds and changes",
        );
        Ok(result)
    }

    async fn witness(
        &self,
        _call: &Call,
        _function: &'static Function,
        _arguments: &Value,
    ) -> Result<Value, Fault> {
        self.0
            .look(|_, world| Ok(json!({ "jobs": world.services.netbox.jobs })))
    }

    async fn reconcile(
        &self,
        call: &Call,
        function: &'static Function,
        _arguments: &Value,
        _witness: &Value,
    ) -> Result<Reconciled, Fault> {
        Ok(self
            .0
            .job_verdict(call, function)
            .unwrap_or(Reconciled::DidNot))
    }
}
