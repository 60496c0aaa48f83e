//! The macro carries generated types from the guest's side of the gate to a typed provider and back.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::{Value, json};
use wreimage_capability::ipmi::{
    BootDevice, BootFlags, BootMode, DeviceInfo, PowerAction, PowerState, Provider, functions,
};
use wreimage_capability::{
    Call, Effect, Fault, FaultKind, Function, Polled, Providers, Reconciled,
};

struct Stub;

impl Provider for Stub {
    async fn get_power_state(&self, _call: &Call) -> Result<PowerState, Fault> {
        Ok(PowerState::Unknown("blinking".to_owned()))
    }

    async fn get_boot_flags(&self, _call: &Call) -> Result<BootFlags, Fault> {
        Err(Fault::unreachable("ipmi.unreachable", "BMC x", "no answer"))
    }

    async fn get_device_info(&self, _call: &Call) -> Result<DeviceInfo, Fault> {
        Err(Fault::unsupported("ipmi.unsupported", "BMC x", "no"))
    }

    async fn set_power(&self, _call: &Call, _action: PowerAction) -> Result<(), Fault> {
        Ok(())
    }

    async fn set_boot_device(
        &self,
        call: &Call,
        device: BootDevice,
        mode: BootMode,
    ) -> Result<BootFlags, Fault> {
        assert_eq!(call.key(), "run/7");
        Ok(BootFlags {
            valid: true,
            persistent: false,
            efi: mode == BootMode::Efi,
            device,
            raw: "a004000000".to_owned(),
            extra: vec![("a".to_owned(), "b".to_owned())],
        })
    }

    async fn clear_boot_device(&self, call: &Call) -> Result<BootFlags, Fault> {
        self.get_boot_flags(call).await
    }

    async fn witness(
        &self,
        _call: &Call,
        function: &'static Function,
        arguments: &Value,
    ) -> Result<Value, Fault> {
        Ok(json!({ "function": function.name, "arguments": arguments }))
    }
}

fn stub() -> Providers {
    let mut providers = Providers::new();
    providers.add(wreimage_capability::ipmi::serve(Stub));
    providers
}

#[tokio::test]
async fn a_call_reaches_the_typed_method_and_its_outcome_comes_back() {
    let provider = stub().get("ipmi").unwrap();
    let call = Call::new("run", 7, std::sync::Arc::new(wreimage_capability::Silent));
    let arguments = json!({ "device": "Pxe", "mode": "Efi" });
    let answer = provider
        .perform(&call, &functions::set_boot_device, &arguments)
        .await
        .unwrap();
    let Polled::Ready(outcome) = answer else {
        panic!("a write is never pending")
    };
    let flags: BootFlags = serde_json::from_value(outcome).unwrap();
    assert_eq!(flags.device, BootDevice::Pxe);
    assert!(flags.efi);

    let fault = provider
        .perform(&call, &functions::get_boot_flags, &json!({}))
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unreachable);
    assert!(fault.retryable);
}

#[tokio::test]
async fn an_argument_that_cannot_be_read_is_a_fault() {
    let provider = stub().get("ipmi").unwrap();
    let fault = provider
        .perform(
            &Call::alone(),
            &functions::set_power,
            &json!({ "action": "Explode" }),
        )
        .await
        .unwrap_err();
    assert_eq!(fault.code, "gate.argument");
    assert!(
        fault.message.contains("ipmi.set-power"),
        "{}",
        fault.message
    );
}

#[tokio::test]
async fn a_provider_without_a_word_on_it_leaves_a_once_call_in_doubt() {
    let provider = stub().get("ipmi").unwrap();
    let reconciled = provider
        .reconcile(
            &Call::alone(),
            &functions::set_power,
            &json!({}),
            &Value::Null,
        )
        .await
        .unwrap();
    assert!(matches!(reconciled, Reconciled::Unknown(_)));
}

#[test]
fn the_table_has_the_names_of_wit_and_the_inverses() {
    let set = wreimage_capability::function("ipmi.set-boot-device").unwrap();
    assert_eq!(set.effect, Effect::Write);
    let inverse = set.inverse.as_ref().unwrap();
    assert_eq!(inverse.function, "clear-boot-device");
    assert_eq!(
        wreimage_capability::function("ipmi.set-power")
            .unwrap()
            .effect,
        Effect::Once
    );
    for capability in wreimage_capability::ALL {
        for function in capability.functions {
            if let Some(inverse) = &function.inverse {
                let other = capability.function(inverse.function);
                assert!(
                    other.is_some_and(|f| f.effect == Effect::Write),
                    "{function}"
                );
            }
        }
    }
}
