//! Changes in the world that another operator, another run or the controller's clock brings about while a run is under way.

use crate::error::suggestion;
use crate::inject::Stage;
use crate::since::Changed;
use jiff::SignedDuration;
use serde_json::json;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use wreimage_capability::ipmi::BootDevice;
use wreimage_capability::lease::ClaimState;
use wreimage_capability::netbox::{Device, DeviceStatus};
use wreimage_capability::{BoxFuture, Call, Clock, Silent};
use wreimage_lab::{Agent, Disabled, KernelBoot, Lab, Override, Situation};

/// The run that published an entry in the place of ours.
pub(crate) const ANOTHER_RUN: &str = "run-of-another-controller";

/// The reason that a colleague gives for the disabled agent.
const COLLEAGUE: &str = "disabled by a colleague";

/// The host key of a system that is none of ours.
const ANOTHER_KEY: &str = "SHA256:the-key-of-another-system";

/// How the process that drives the run is doing while the world changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It has died; the run is resumed after the change.
    Dies,
    /// It has paused the run, which is resumed after the change.
    Pauses,
    /// It lives on.
    Alive,
}

/// All, with their words.
pub(crate) const MOMENTS: [(Moment, &str); 3] = [
    (Moment::Dies, "dies"),
    (Moment::Pauses, "pauses"),
    (Moment::Alive, "alive"),
];

impl Moment {
    /// The word for it.
    pub fn word(self) -> &'static str {
        let entry = MOMENTS.iter().find(|(moment, _)| *moment == self);
        entry.map_or("", |(_, word)| word)
    }
}

/// One change in the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The inventory has a tag that protects the host.
    Protected,
    /// The inventory says that the host is being decommissioned.
    Decommissioning,
    /// The inventory has the serial number of another machine.
    OtherSerial,
    /// Another run has published its entry in the place of ours.
    EntryReplaced,
    /// The DHCP entry is gone.
    EntryRemoved,
    /// The BMC has an override to the network.
    OverrideSet,
    /// The override is gone.
    OverrideCleared,
    /// The host takes traffic again.
    Repooled,
    /// The Puppet agent may not run.
    AgentDisabled,
    /// The Puppet agent may run again.
    AgentEnabled,
    /// The new certificate is revoked.
    CertificateRevoked,
    /// An operator has broken the run's claim on its host.
    LockBroken,
    /// Another system answers at the installer identity: it shows another host key.
    OtherKey,
    /// The new system has restarted by itself: it is in another boot.
    OtherBoot,
    /// The controller's clock is two hours ahead.
    ClockForward,
    /// The controller's clock is two days behind.
    ClockBack,
}

/// All, with their words.
pub(crate) const CHANGES: [(Change, &str); 16] = [
    (Change::Protected, "protected"),
    (Change::Decommissioning, "decommissioning"),
    (Change::OtherSerial, "other-serial"),
    (Change::EntryReplaced, "entry-replaced"),
    (Change::EntryRemoved, "entry-removed"),
    (Change::OverrideSet, "override-set"),
    (Change::OverrideCleared, "override-cleared"),
    (Change::Repooled, "repooled"),
    (Change::AgentDisabled, "agent-disabled"),
    (Change::AgentEnabled, "agent-enabled"),
    (Change::CertificateRevoked, "certificate-revoked"),
    (Change::LockBroken, "lock-broken"),
    (Change::OtherKey, "other-key"),
    (Change::OtherBoot, "other-boot"),
    (Change::ClockForward, "clock-forward"),
    (Change::ClockBack, "clock-back"),
];

impl Change {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Change> {
        CHANGES.into_iter().map(|(change, _)| change)
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        let entry = CHANGES.iter().find(|(change, _)| *change == self);
        entry.map_or("", |(_, word)| word)
    }

    /// Whether it makes a difference in this situation, and to a process that is doing like that.
    pub fn fits(self, moment: Moment, now: &Situation) -> bool {
        match self {
            Change::Protected | Change::Decommissioning | Change::OtherSerial => true,
            // A process that lives reads its clock all the time: one change during a wait is like the other.
            Change::ClockForward | Change::ClockBack => moment != Moment::Pauses,
            Change::LockBroken => now.lease.state == "held",
            Change::EntryReplaced => now.dhcp.published,
            // No living process can know that an entry is gone before the machine asks for it.
            Change::EntryRemoved => now.dhcp.published && moment != Moment::Alive,
            Change::OverrideSet => now.boot_override == "none",
            Change::OverrideCleared => now.boot_override == "pxe",
            Change::Repooled => {
                !now.conftool.is_empty() && now.conftool.iter().all(|it| it.pooled != "yes")
            }
            Change::AgentDisabled => now.stage == "os-up" && now.puppet.disabled.is_none(),
            Change::AgentEnabled => now.stage == "os-up" && now.puppet.disabled.is_some(),
            Change::CertificateRevoked => {
                now.installation.is_some_and(|it| it > 0)
                    && now.certificate.state == "signed"
                    && now.certificate.ours
            }
            // A wait for a boot accepts another one; before it, the installer answers there.
            Change::OtherKey | Change::OtherBoot => {
                now.stage == "os-up" && now.accepts == Some("installer")
            }
        }
    }

    /// By how much the controller's clock is set.
    pub(crate) fn clock(self) -> Option<SignedDuration> {
        match self {
            Change::ClockForward => Some(SignedDuration::from_hours(2)),
            Change::ClockBack => Some(SignedDuration::from_hours(-48)),
            _ => None,
        }
    }

    /// Brings it about in the world, for this host. A clock is the controller's, not the world's: nothing happens to it here.
    pub async fn apply(self, lab: &Lab, host: &str) {
        match self {
            Change::Protected => device(lab, host, |device| {
                device.tags.push("protected".to_owned());
            }),
            Change::Decommissioning => device(lab, host, |device| {
                device.status = DeviceStatus::Decommissioning;
            }),
            Change::OtherSerial => device(lab, host, |device| {
                device.serial = Some("LAB9999".to_owned());
            }),
            Change::EntryReplaced => lab.change(|world| {
                if let Some(served) = world.install_server_mut().entries.get_mut(host) {
                    served.run = Some(ANOTHER_RUN.to_owned());
                    served.published.digest = served.published.digest.chars().rev().collect();
                }
            }),
            Change::EntryRemoved => lab.change(|world| {
                world.install_server_mut().entries.remove(host);
            }),
            Change::OverrideSet => boot_override(lab, host, BootDevice::Pxe),
            Change::OverrideCleared => boot_override(lab, host, BootDevice::None),
            Change::Repooled => {
                let providers = lab.providers_for(host, None);
                let call = Call::new("somebody-else", 1, Arc::new(Silent));
                if let (Some(provider), Some(function)) = (
                    providers.get("conftool"),
                    wreimage_capability::function("conftool.set-pooled"),
                ) {
                    let value = json!({ "value": "yes" });
                    // The lab's answer is not that of the run.
                    let _ = provider.perform(&call, function, &value).await;
                }
            }
            Change::AgentDisabled => agent(lab, host, |agent| {
                agent.disabled = Some(Disabled {
                    reason: COLLEAGUE.to_owned(),
                    by: None,
                });
            }),
            Change::AgentEnabled => agent(lab, host, |agent| agent.disabled = None),
            Change::CertificateRevoked => lab.change(|world| world.revoke(host)),
            Change::LockBroken => lab.change(|world| {
                let name = world.machine(host).map(|it| it.fqdn().to_ascii_lowercase());
                let claims = &mut world.lease_folder_mut().claims;
                if let Some(kept) = name.and_then(|name| claims.get_mut(&name)) {
                    kept.claim.state = ClaimState::Broken;
                }
            }),
            Change::OtherKey => boot(lab, host, |boot| {
                ANOTHER_KEY.clone_into(&mut boot.host_key);
            }),
            Change::OtherBoot => boot(lab, host, |boot| {
                "99999999-9999-4999-8999-999999999999".clone_into(&mut boot.id);
            }),
            Change::ClockForward | Change::ClockBack => {}
        }
    }

    /// Undoes what would have every further run of the host refused. `former` is the record that the inventory had of it.
    pub(crate) fn lift(self, lab: &Lab, host: &str, former: &Device) {
        match self {
            Change::Protected => device(lab, host, |device| device.tags.clone_from(&former.tags)),
            Change::Decommissioning => device(lab, host, |device| {
                device.status = former.status.clone();
            }),
            Change::OtherSerial => device(lab, host, |device| {
                device.serial.clone_from(&former.serial);
            }),
            Change::EntryReplaced => lab.change(|world| {
                let entries = &mut world.install_server_mut().entries;
                let is_theirs = |run: &String| run == ANOTHER_RUN;
                if entries
                    .get(host)
                    .is_some_and(|it| it.run.as_ref().is_some_and(is_theirs))
                {
                    entries.remove(host);
                }
            }),
            Change::AgentDisabled => agent(lab, host, |agent| {
                let is_theirs = |it: &Disabled| it.reason == COLLEAGUE;
                if agent.disabled.as_ref().is_some_and(is_theirs) {
                    agent.disabled = None;
                }
            }),
            Change::OtherKey => lab.change(|world| {
                let machine = world.machine_mut(host);
                if let Some((boot, disk)) =
                    machine.and_then(|it| Some((it.boot.as_mut()?, it.disk.as_ref()?)))
                    && boot.host_key == ANOTHER_KEY
                {
                    boot.host_key.clone_from(&disk.host_key);
                }
            }),
            // These do not hold up the next run.
            Change::EntryRemoved
            | Change::OverrideSet
            | Change::OverrideCleared
            | Change::Repooled
            | Change::AgentEnabled
            | Change::CertificateRevoked
            | Change::LockBroken
            | Change::OtherBoot
            | Change::ClockForward
            | Change::ClockBack => {}
        }
    }
}

impl FromStr for Change {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let known = CHANGES.iter().find(|(_, known)| *known == word);
        known.map(|(change, _)| *change).ok_or_else(|| {
            let near = suggestion(word, CHANGES.map(|(_, word)| word));
            format!("there is no change `{word}`; {near}")
        })
    }
}

fn device(lab: &Lab, host: &str, change: impl FnOnce(&mut Device)) {
    lab.change(|world| {
        if let Some(machine) = world.machine_mut(host) {
            change(&mut machine.inventory.device);
        }
    });
}

fn agent(lab: &Lab, host: &str, change: impl FnOnce(&mut Agent)) {
    lab.change(|world| {
        if let Some(disk) = world.machine_mut(host).and_then(|it| it.disk.as_mut()) {
            change(&mut disk.agent);
        }
    });
}

fn boot(lab: &Lab, host: &str, change: impl FnOnce(&mut KernelBoot)) {
    lab.change(|world| {
        if let Some(boot) = world.machine_mut(host).and_then(|it| it.boot.as_mut()) {
            change(boot);
        }
    });
}

fn boot_override(lab: &Lab, host: &str, to: BootDevice) {
    lab.change(|world| {
        if let Some(bmc) = world.machine_mut(host).and_then(|it| it.bmc.as_mut()) {
            bmc.override_generation += 1;
            bmc.boot_override = match to {
                BootDevice::None => Override::cleared(),
                device => Override {
                    valid: true,
                    device,
                    ..Override::none()
                },
            };
        }
    });
}

/// A change, and when it happens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChangeAt {
    pub change: Change,
    pub moment: Moment,
    /// Number of the call before which it happens, or during which when the process lives.
    pub call: u64,
}

impl Stage {
    /// The change, when this call is the moment for it.
    pub(crate) async fn change_during(&self, call: u64) {
        if let Some(at) = &self.change
            && at.moment == Moment::Alive
            && at.call == call
        {
            self.change_now().await;
        }
    }

    /// The change, unless it has happened.
    pub(crate) async fn change_now(&self) {
        let Some(at) = &self.change else { return };
        if self.state().changed.is_some() {
            return;
        }
        let records = self.journal.entries().len();
        at.change.apply(&self.lab, &self.host).await;
        if let Some(by) = at.change.clock() {
            self.clock_offset.store(by.as_millis(), Ordering::SeqCst);
        }
        let world = self.situation();
        self.state().changed = Some(Changed { records, world });
    }
}

/// By how many milliseconds the controller's clock differs from the lab's.
#[derive(Debug, Default)]
pub(crate) struct ClockOffset(AtomicI64);

impl ClockOffset {
    fn store(&self, millis: i128, ordering: Ordering) {
        self.0
            .store(i64::try_from(millis).unwrap_or_default(), ordering);
    }

    pub(crate) fn get(&self) -> SignedDuration {
        SignedDuration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// The controller's clock: that of the lab, but for its offset.
pub(crate) struct ControllerClock {
    pub lab: Arc<dyn Clock>,
    pub stage: Arc<Stage>,
    /// Whether it can be set: such a clock is no virtual one.
    pub is_set: bool,
}

impl Clock for ControllerClock {
    fn now(&self) -> jiff::Timestamp {
        let now = self.lab.now();
        now.saturating_add(self.stage.clock_offset.get())
            .unwrap_or(now)
    }

    fn sleep_until(&self, time: jiff::Timestamp) -> BoxFuture<'_, ()> {
        let due = time
            .saturating_sub(self.stage.clock_offset.get())
            .unwrap_or(time);
        Box::pin(async move {
            self.stage.death.holds_up().await;
            self.lab.sleep_until(due).await;
        })
    }

    fn is_virtual(&self) -> bool {
        !self.is_set && self.lab.is_virtual()
    }
}
