//! Capabilities that no host offers. The gate knows a capability by the roles of its functions, so that all its promises hold
//! for these as well.

use serde_json::{Value, json};
use wreimage_capability::role::{
    AtLogin, Boot, BootOverride, ControllerIdentity, Entry, Found, HostKey, Login, MachineIdentity,
    ReadBack,
};
use wreimage_capability::{
    ALL, Capability, Catalogue, Doubt, Effect, Facts, Function, HostSnapshot, Inverse, Returns,
    Role, Server, Subject,
};

/// A function that a provider serves, with nothing special about it.
const fn function(capability: &'static str, name: &'static str, effect: Effect) -> Function {
    Function {
        capability,
        name,
        effect,
        inverse: None,
        doubt: Doubt::Asked,
        roles: &[],
        returns: Returns::Nothing,
        understand: |answer| Ok(answer.clone()),
    }
}

const fn capability(
    name: &'static str,
    subject: Subject,
    functions: &'static [&'static Function],
) -> Capability {
    Capability {
        name,
        interface: "made-up",
        server: Server::Provider,
        subject,
        functions,
    }
}

fn text(value: &Value, name: &str) -> Option<String> {
    Some(value.get(name)?.as_str()?.to_owned())
}

fn login(value: &Value, name: &str) -> Option<Login> {
    match value.get(name)?.as_str()? {
        "Installer" => Some(Login::Installer),
        "Production" => Some(Login::Production),
        _ => None,
    }
}

fn at(login: Login) -> Value {
    json!({ "at": format!("{login:?}") })
}

fn machine(answer: &Value) -> Option<MachineIdentity> {
    answer.is_object().then(|| MachineIdentity {
        serial: text(answer, "serial"),
        uuid: text(answer, "uuid"),
    })
}

/// Switches the machine and sets what it boots.
#[allow(non_upper_case_globals)]
pub(super) mod board {
    use super::*;

    pub(in crate::gate_tests) mod functions {
        use super::*;

        pub(in crate::gate_tests) static get_state: Function =
            function("board", "get-state", Effect::Read);
        pub(in crate::gate_tests) static get_override: Function = Function {
            roles: &[Role::ReportsOverride(boot_override)],
            ..function("board", "get-override", Effect::Read)
        };
        pub(in crate::gate_tests) static get_owner: Function = Function {
            roles: &[Role::ControllerIdentity(|answer| {
                Some(ControllerIdentity {
                    machine: machine(answer)?,
                    models: text(answer, "model").into_iter().collect(),
                    addresses: text(answer, "address")
                        .and_then(|it| it.parse().ok())
                        .into_iter()
                        .collect(),
                })
            })],
            ..function("board", "get-owner", Effect::Read)
        };
        pub(in crate::gate_tests) static switch: Function = Function {
            roles: &[Role::Power(|arguments| {
                text(arguments, "action").as_deref() != Some("Off")
            })],
            ..function("board", "switch", Effect::Once)
        };
        pub(in crate::gate_tests) static set_override: Function = Function {
            inverse: Some(Inverse {
                function: "clear-override",
                valid: Facts::boot_override_may_go,
                thing: "the boot override",
            }),
            roles: &[
                Role::SetsOverride(|arguments| {
                    text(arguments, "device").as_deref() != Some("Disk")
                }),
                Role::ReadBack(&OVERRIDE),
            ],
            ..function("board", "set-override", Effect::Write)
        };
        pub(in crate::gate_tests) static clear_override: Function = Function {
            roles: &[Role::ClearsOverride(boot_override)],
            ..function("board", "clear-override", Effect::Write)
        };
    }

    fn boot_override(answer: &Value) -> Option<BootOverride> {
        let device = text(answer, "device")?;
        Some(BootOverride {
            is_set: device != "None",
            description: device,
        })
    }

    static OVERRIDE: ReadBack = ReadBack {
        function: "get-override",
        arguments: || json!({}),
        compare: |made, read| match (text(made, "device"), text(read, "device")) {
            (Some(made), Some(read)) if made == read => Found::There,
            (Some(_), Some(_)) => Found::Gone,
            _ => Found::Unknown,
        },
        is_used_up_by_restart: true,
        is_wiped: false,
        reopens: true,
    };

    pub(in crate::gate_tests) static CAPABILITY: Capability = capability(
        "board",
        Subject::Controller,
        &[
            &functions::get_state,
            &functions::get_override,
            &functions::get_owner,
            &functions::switch,
            &functions::set_override,
            &functions::clear_override,
        ],
    );
}

/// Offers an installer to the machine.
#[allow(non_upper_case_globals)]
pub(super) mod netboot {
    use super::*;

    pub(in crate::gate_tests) mod functions {
        use super::*;

        pub(in crate::gate_tests) static get_offer: Function =
            function("netboot", "get-offer", Effect::Read);
        pub(in crate::gate_tests) static offer: Function = Function {
            inverse: Some(Inverse {
                function: "withdraw",
                valid: Facts::always,
                thing: "the offer",
            }),
            roles: &[Role::OffersInstaller, Role::ReadBack(&OFFER)],
            ..function("netboot", "offer", Effect::Write)
        };
        pub(in crate::gate_tests) static withdraw: Function = Function {
            roles: &[Role::NamesItsRun],
            returns: Returns::YesOrNo,
            ..function("netboot", "withdraw", Effect::Write)
        };
    }

    static OFFER: ReadBack = ReadBack {
        function: "get-offer",
        arguments: || json!({}),
        compare: |made, read| match (text(made, "digest"), text(read, "digest")) {
            (Some(made), Some(read)) if made == read => Found::There,
            (Some(_), Some(read)) => Found::Replaced(format!("the offer {read}")),
            (Some(_), None) if read.is_null() => Found::Gone,
            _ => Found::Unknown,
        },
        is_used_up_by_restart: false,
        is_wiped: false,
        reopens: true,
    };

    pub(in crate::gate_tests) static CAPABILITY: Capability = capability(
        "netboot",
        Subject::NetworkBoot,
        &[
            &functions::get_offer,
            &functions::offer,
            &functions::withdraw,
        ],
    );
}

/// Acts on the system that runs on the machine.
#[allow(non_upper_case_globals)]
pub(super) mod inside {
    use super::*;

    pub(in crate::gate_tests) mod functions {
        use super::*;

        pub(in crate::gate_tests) static get_uptime: Function =
            function("inside", "get-uptime", Effect::Read);
        pub(in crate::gate_tests) static get_kernel: Function =
            function("inside", "get-kernel", Effect::Read);
        pub(in crate::gate_tests) static get_system: Function = Function {
            roles: &[Role::OperatingSystem(AtLogin {
                arguments: at,
                read: |answer| text(answer, "name"),
            })],
            ..function("inside", "get-system", Effect::Read)
        };
        pub(in crate::gate_tests) static get_machine: Function = Function {
            roles: &[Role::SystemIdentity(AtLogin {
                arguments: at,
                read: machine,
            })],
            ..function("inside", "get-machine", Effect::Read)
        };
        pub(in crate::gate_tests) static await_boot: Function = Function {
            roles: &[Role::AwaitsBoot(|answer| {
                Some(Boot {
                    id: text(answer, "id")?,
                    at: login(answer, "at")?,
                    kernel_command_line: text(answer, "kernel").unwrap_or_default(),
                    host_key: text(answer, "key"),
                })
            })],
            ..function("inside", "await-boot", Effect::Wait)
        };
        pub(in crate::gate_tests) static restart: Function = Function {
            roles: &[Role::Power(|_| true)],
            ..function("inside", "restart", Effect::Once)
        };
        pub(in crate::gate_tests) static execute: Function = Function {
            returns: Returns::Other,
            ..function("inside", "execute", Effect::Once)
        };
    }

    pub(in crate::gate_tests) static CAPABILITY: Capability = capability(
        "inside",
        Subject::System(|_, arguments| login(arguments, "at").map(Entry::At)),
        &[
            &functions::get_uptime,
            &functions::get_kernel,
            &functions::get_system,
            &functions::get_machine,
            &functions::await_boot,
            &functions::restart,
            &functions::execute,
        ],
    );
}

/// A program that changes the system from inside.
#[allow(non_upper_case_globals)]
pub(super) mod agent {
    use super::*;

    pub(in crate::gate_tests) mod functions {
        use super::*;

        pub(in crate::gate_tests) static get_state: Function =
            function("agent", "get-state", Effect::Read);
        pub(in crate::gate_tests) static disable: Function = Function {
            inverse: Some(Inverse {
                function: "enable",
                valid: Facts::until_wiped,
                thing: "the disabled agent",
            }),
            roles: &[Role::ReadBack(&DISABLED)],
            ..function("agent", "disable", Effect::Write)
        };
        pub(in crate::gate_tests) static enable: Function =
            function("agent", "enable", Effect::Write);
        pub(in crate::gate_tests) static request: Function = Function {
            returns: Returns::Other,
            ..function("agent", "request", Effect::Once)
        };
        pub(in crate::gate_tests) static trial_run: Function = Function {
            doubt: Doubt::Told,
            returns: Returns::Other,
            ..function("agent", "trial-run", Effect::Once)
        };
    }

    static DISABLED: ReadBack = ReadBack {
        function: "get-state",
        arguments: || at(Login::Production),
        compare: |_, read| match read.get("enabled").and_then(Value::as_bool) {
            Some(true) => Found::Gone,
            Some(false) => Found::There,
            None => Found::Unknown,
        },
        is_used_up_by_restart: false,
        is_wiped: true,
        reopens: false,
    };

    pub(in crate::gate_tests) static CAPABILITY: Capability = capability(
        "agent",
        Subject::System(|function, arguments| match function.effect.mutates() {
            true => Some(Entry::Latest),
            false => login(arguments, "at").map(Entry::At),
        }),
        &[
            &functions::get_state,
            &functions::disable,
            &functions::enable,
            &functions::request,
            &functions::trial_run,
        ],
    );
}

/// Knows which machine it is to be.
#[allow(non_upper_case_globals)]
pub(super) mod register {
    use super::*;

    pub(in crate::gate_tests) mod functions {
        use super::*;

        pub(in crate::gate_tests) static get_host: Function = Function {
            roles: &[Role::Inventory(|answer| {
                let whole = json!({ "device": answer, "switch-port": null, "bmc-addresses": [] });
                serde_json::from_value::<HostSnapshot>(whole).ok()
            })],
            ..function("register", "get-host", Effect::Read)
        };
        pub(in crate::gate_tests) static get_port: Function = Function {
            roles: &[Role::SwitchPort(|answer| {
                serde_json::from_value(answer.clone()).ok()
            })],
            ..function("register", "get-port", Effect::Read)
        };
        pub(in crate::gate_tests) static set_status: Function = Function {
            roles: &[Role::SetsStatus(|arguments| {
                Some(text(arguments, "status")?.to_lowercase())
            })],
            ..function("register", "set-status", Effect::Write)
        };
    }

    pub(in crate::gate_tests) static CAPABILITY: Capability = capability(
        "register",
        Subject::Other,
        &[
            &functions::get_host,
            &functions::get_port,
            &functions::set_status,
        ],
    );
}

/// Sends users to the host.
#[allow(non_upper_case_globals)]
pub(super) mod balancer {
    use super::*;

    pub(in crate::gate_tests) mod functions {
        use super::*;

        pub(in crate::gate_tests) static get_services: Function = Function {
            roles: &[Role::Services(|answer| {
                serde_json::from_value(answer.clone()).ok()
            })],
            ..function("balancer", "get-services", Effect::Read)
        };
        pub(in crate::gate_tests) static set_serving: Function = Function {
            roles: &[Role::SetsServices(|arguments| {
                arguments.get("serving")?.as_bool()
            })],
            ..function("balancer", "set-serving", Effect::Write)
        };
    }

    pub(in crate::gate_tests) static CAPABILITY: Capability = capability(
        "balancer",
        Subject::Other,
        &[&functions::get_services, &functions::set_serving],
    );
}

/// Vouches for the keys of the host.
#[allow(non_upper_case_globals)]
pub(super) mod authority {
    use super::*;

    pub(in crate::gate_tests) mod functions {
        use super::*;

        pub(in crate::gate_tests) static get_signed_at: Function = Function {
            roles: &[Role::CertificateSigned(|answer| {
                serde_json::from_value(answer.clone()).ok()
            })],
            ..function("authority", "get-signed-at", Effect::Read)
        };
    }

    pub(in crate::gate_tests) static CAPABILITY: Capability =
        capability("authority", Subject::Other, &[&functions::get_signed_at]);
}

/// Collects what the host reports of itself.
#[allow(non_upper_case_globals)]
pub(super) mod reports {
    use super::*;

    pub(in crate::gate_tests) mod functions {
        use super::*;

        pub(in crate::gate_tests) static get_host_keys: Function = Function {
            roles: &[Role::HostKeys(|answer| {
                let keys = answer.as_array()?.iter();
                keys.map(|key| {
                    Some(HostKey {
                        fingerprint: text(key, "fingerprint")?,
                        reported_ms: key.get("reported_ms")?.as_u64()?,
                    })
                })
                .collect()
            })],
            ..function("reports", "get-host-keys", Effect::Read)
        };
    }

    pub(in crate::gate_tests) static CAPABILITY: Capability =
        capability("reports", Subject::Other, &[&functions::get_host_keys]);
}

/// The task of the run.
#[allow(non_upper_case_globals)]
pub(super) mod ticket {
    use super::*;

    pub(in crate::gate_tests) mod functions {
        use super::*;

        pub(in crate::gate_tests) static comment: Function = Function {
            doubt: Doubt::Told,
            ..function("ticket", "comment", Effect::Once)
        };
    }

    pub(in crate::gate_tests) static CAPABILITY: Capability =
        capability("ticket", Subject::Task, &[&functions::comment]);
}

/// All of them, and what the engine itself serves.
pub(super) fn catalogue() -> Catalogue {
    let engine = ALL.iter().filter(|it| it.server == Server::Engine);
    let made_up = [
        &board::CAPABILITY,
        &netboot::CAPABILITY,
        &inside::CAPABILITY,
        &agent::CAPABILITY,
        &register::CAPABILITY,
        &balancer::CAPABILITY,
        &authority::CAPABILITY,
        &reports::CAPABILITY,
        &ticket::CAPABILITY,
    ];
    let all: Vec<&'static Capability> = made_up.into_iter().chain(engine).collect();
    Catalogue::new(Vec::leak(all))
}
