//! A run's view of a lab: calls by plain values, as the gate makes them.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use wreimage_capability::dhcp::{BootMethod, MatchKind, Published};
use wreimage_capability::ipmi::{BootDevice, BootFlags, BootMode, PowerAction};
use wreimage_capability::puppet::AgentRun;
pub use wreimage_capability::remote::Identity as At;
use wreimage_capability::remote::{Boot, CommandResult, Exit, OsRelease};
use wreimage_capability::{
    Call, Clock, Fault, FaultKind, Function, Polled, Providers, Reconciled, Sink, from_millis,
    function, to_millis,
};
use wreimage_lab::{Lab, World};

/// Keeps what a provider says besides its answers, and looks at the clock as a recorder does.
pub struct Heard(pub Mutex<Vec<String>>, Arc<dyn Clock>);

impl Sink for Heard {
    fn progress(&self, _text: &str) {}
    fn keep(&self, bytes: &[u8]) -> Option<String> {
        Some(format!("{} bytes at {}", bytes.len(), self.1.now()))
    }
    fn not_previewed(&self, why: &str) {
        self.1.now();
        self.0.lock().unwrap().push(why.to_owned());
    }
}

pub struct Run {
    pub providers: Providers,
    pub clock: Arc<dyn Clock>,
    pub heard: Arc<Heard>,
    name: String,
    began: u64,
    sequence: Mutex<u64>,
    made: Mutex<Option<Value>>,
}

/// The name of a function and its arguments.
pub fn named(name: &str) -> &'static Function {
    function(name).unwrap_or_else(|| panic!("no function {name}"))
}

impl Run {
    pub fn of(lab: &Lab, host: &str) -> Run {
        Run::with_clock(lab, host, lab.clock())
    }

    pub fn with_clock(lab: &Lab, host: &str, clock: Arc<dyn Clock>) -> Run {
        Run {
            providers: lab.providers(host),
            name: "run".to_owned(),
            began: to_millis(clock.now()),
            heard: Arc::new(Heard(Mutex::default(), clock.clone())),
            clock,
            sequence: Mutex::new(0),
            made: Mutex::new(None),
        }
    }

    /// A run with this id, started for a task.
    pub fn named(lab: &Lab, host: &str, name: &str, task: Option<&str>) -> Run {
        Run {
            providers: lab.providers_for(host, task),
            name: name.to_owned(),
            ..Run::of(lab, host)
        }
    }

    pub fn call_number(&self) -> Call {
        let mut sequence = self.sequence.lock().unwrap();
        *sequence += 1;
        Call::new(self.name.clone(), *sequence, self.heard.clone())
    }

    pub async fn perform(
        &self,
        call: &Call,
        name: &str,
        arguments: Value,
    ) -> Result<Polled<Value>, Fault> {
        let function = named(name);
        let provider = self.providers.get(function.capability).unwrap();
        provider.perform(call, function, &arguments).await
    }

    pub async fn call<T: DeserializeOwned>(
        &self,
        name: &str,
        arguments: Value,
    ) -> Result<T, Fault> {
        let mut call = self.call_number();
        call.made = self.made.lock().unwrap().clone();
        match self.perform(&call, name, arguments).await? {
            Polled::Ready(value) => Ok(serde_json::from_value(value).unwrap()),
            Polled::Pending { why, .. } => panic!("{name} is pending: {why}"),
        }
    }

    /// Looks every five seconds of lab time, for at most two hours.
    pub async fn until<T: DeserializeOwned>(
        &self,
        name: &str,
        arguments: Value,
    ) -> Result<T, Fault> {
        let call = self.call_number();
        let arguments = patiently(arguments);
        let mut seen = String::new();
        for _ in 0..1440 {
            match self.perform(&call, name, arguments.clone()).await? {
                Polled::Ready(value) => return Ok(serde_json::from_value(value).unwrap()),
                Polled::Pending { why, .. } => seen = why,
            }
            self.sleep(5).await;
        }
        Err(Fault::timeout("test", name, seen))
    }

    /// One look of a wait; the text says what was seen instead.
    pub async fn pending(&self, name: &str, arguments: Value) -> String {
        let arguments = patiently(arguments);
        let call = self.call_number();
        match self.perform(&call, name, arguments).await.unwrap() {
            Polled::Pending { why, .. } => why,
            Polled::Ready(value) => panic!("{name} is ready: {value}"),
        }
    }

    /// A run of some agent, with all the time it wants.
    pub async fn agent(&self, name: &str) -> Result<AgentRun, Fault> {
        let timeout = json!({ "timeout": { "timeout_ms": 10_800_000 } });
        self.call(name, timeout).await
    }

    /// Publishes the entry of the installer and restarts the machine from the network.
    pub async fn restart_into_installer(&self, distribution: &str) {
        self.publish(distribution, MatchKind::CircuitId, BootMethod::PxelinuxHttp)
            .await
            .unwrap();
        self.boot_from(BootDevice::Pxe, BootMode::Legacy)
            .await
            .unwrap();
        self.power(PowerAction::Cycle).await.unwrap();
    }

    /// Reinstalls the machine; afterwards the fresh system lets in the installer identity.
    pub async fn reinstall(&self, distribution: &str) {
        let old = self.boot_id(At::Production).await.unwrap_or_default();
        self.restart_into_installer(distribution).await;
        let installer = self.next_boot(&old).await;
        self.next_boot(&installer.boot_id).await;
        self.withdraw().await.unwrap();
    }

    /// Removes the old certificate, asks for a new one and has it signed.
    pub async fn certify(&self) -> String {
        let _: bool = self.call("puppet-ca.clean", json!({})).await.unwrap();
        let fingerprint: String = self
            .call("puppet.request-certificate", json!({}))
            .await
            .unwrap();
        let sign = json!({ "fingerprint": fingerprint });
        let _: () = self.call("puppet-ca.sign", sign).await.unwrap();
        fingerprint
    }

    pub async fn witness(
        &self,
        call: &Call,
        name: &str,
        arguments: &Value,
    ) -> Result<Value, Fault> {
        let function = named(name);
        let provider = self.providers.get(function.capability).unwrap();
        provider.witness(call, function, arguments).await
    }

    pub async fn reconcile(
        &self,
        call: &Call,
        name: &str,
        arguments: &Value,
        witness: &Value,
    ) -> Reconciled {
        let function = named(name);
        let provider = self.providers.get(function.capability).unwrap();
        provider
            .reconcile(call, function, arguments, witness)
            .await
            .unwrap()
    }

    pub async fn publish(
        &self,
        distribution: &str,
        by: MatchKind,
        boot: BootMethod,
    ) -> Result<Published, Fault> {
        let entry = json!({
            "match_by": by, "distribution": distribution, "media": "installer", "boot": boot,
        });
        let published: Published = self.call("dhcp.publish", json!({ "entry": entry })).await?;
        *self.made.lock().unwrap() = Some(serde_json::to_value(&published).unwrap());
        Ok(published)
    }

    pub async fn withdraw(&self) -> Result<bool, Fault> {
        self.call("dhcp.withdraw", json!({})).await
    }

    pub async fn boot_from(&self, device: BootDevice, mode: BootMode) -> Result<BootFlags, Fault> {
        self.call(
            "ipmi.set-boot-device",
            json!({ "device": device, "mode": mode }),
        )
        .await
    }

    pub async fn flags(&self) -> BootFlags {
        self.call("ipmi.get-boot-flags", json!({})).await.unwrap()
    }

    pub async fn power(&self, action: PowerAction) -> Result<(), Fault> {
        self.call("ipmi.set-power", json!({ "action": action }))
            .await
    }

    pub async fn boot_id(&self, at: At) -> Result<String, Fault> {
        self.call("remote.get-boot-id", json!({ "at": at })).await
    }

    pub async fn release(&self, at: At) -> Result<String, Fault> {
        let about: OsRelease = self
            .call("remote.get-os-release", json!({ "at": at }))
            .await?;
        Ok(about.codename)
    }

    pub async fn command(&self, at: At, argv: &[&str]) -> Result<CommandResult, Fault> {
        let command = json!({ "argv": argv, "timeout_ms": 1000 });
        self.call("remote.run", json!({ "at": at, "command": command }))
            .await
    }

    /// One look for a boot other than `before`.
    pub async fn look(&self, before: Option<&str>) -> Polled<Boot> {
        let arguments = json!({
            "since": { "boot_id": before, "time_ms": self.began },
            "at": "Either",
            "policy": { "deadline_ms": 1, "interval_ms": 1 },
        });
        match self
            .perform(&self.call_number(), "remote.wait-for-boot", arguments)
            .await
            .unwrap()
        {
            Polled::Ready(boot) => Polled::Ready(serde_json::from_value(boot).unwrap()),
            Polled::Pending { why, again } => Polled::Pending { why, again },
        }
    }

    /// Looks every second of lab time; gives up after two hours.
    pub async fn next_boot(&self, before: &str) -> Boot {
        for _ in 0..7200 {
            match self.look(Some(before)).await {
                Polled::Ready(boot) => return boot,
                Polled::Pending { .. } => self.sleep(1).await,
            }
        }
        panic!("no other boot in two hours")
    }

    pub async fn sleep(&self, seconds: u64) {
        let due = to_millis(self.clock.now()) + seconds * 1000;
        self.clock.sleep_until(from_millis(due)).await;
    }

    /// Seconds of lab time since the run began.
    pub fn at(&self) -> u64 {
        (to_millis(self.clock.now()) - self.began) / 1000
    }
}

/// What happened to a host, in words.
pub fn history(lab: &Lab, host: &str) -> Vec<String> {
    lab.look(|world| {
        world
            .history()
            .filter(|line| line.host == host)
            .map(|line| line.text.clone())
            .collect()
    })
}

pub fn happened(lab: &Lab, host: &str, text: &str) -> bool {
    history(lab, host).iter().any(|line| line.contains(text))
}

/// The built-in world with a piece of its text replaced.
pub fn edited(from: &str, to: &str) -> World {
    let text = wreimage_lab::BUILTIN;
    assert!(text.contains(from), "`{from}` is not in the built-in world");
    World::parse(&text.replacen(from, to, 1)).unwrap()
}

/// Exit status, and the two outputs.
pub fn said(result: &CommandResult) -> (u32, &str, &str) {
    let Exit::Status(status) = result.exit else {
        panic!("no exit status: {:?}", result.exit)
    };
    (status, &result.stdout_tail, &result.stderr_tail)
}

/// No arguments.
pub const NONE: fn() -> Value = || json!({});

/// The built-in world, as fast as it goes.
pub fn builtin() -> Lab {
    Lab::new(World::builtin().unwrap(), wreimage_lab::Pace::Full)
}

/// The built-in world with tables of `host1001`.
pub fn with_tables(text: &str) -> Lab {
    let here = "[[machine.host1001.conftool]]";
    let world = edited(here, &format!("{text}\n\n{here}"));
    Lab::new(world, wreimage_lab::Pace::Full)
}

/// The fault of a call that must fail.
pub async fn refuses(run: &Run, name: &str, arguments: Value) -> Fault {
    run.call::<Value>(name, arguments).await.unwrap_err()
}

pub fn is(fault: &Fault, kind: FaultKind, code: &str) {
    assert_eq!(
        (&fault.kind, fault.code.as_str()),
        (&kind, code),
        "{}",
        fault.message
    );
}

/// A fresh system of `host1001`, forgotten by the authority and by PuppetDB.
pub async fn fresh(lab: &Lab) -> Run {
    let run = Run::of(lab, "host1001");
    let _: bool = run.call("puppet-ca.clean", NONE()).await.unwrap();
    let _: bool = run.call("puppetdb.deactivate", NONE()).await.unwrap();
    run.reinstall("bullseye").await;
    run
}

/// Arguments of a wait, to which the gate gives its policy.
fn patiently(mut arguments: Value) -> Value {
    if let Some(all) = arguments.as_object_mut() {
        let policy = json!({ "deadline_ms": 1, "interval_ms": 1 });
        all.insert("policy".to_owned(), policy);
    }
    arguments
}
