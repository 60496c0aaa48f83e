//! Switching the power: once, judged by what the machine does, and by its boot id when the answer was lost.

use super::answers::{raw_bytes, restart_cause};
use super::classify::Refused;
use super::ipmitool::Ipmitool;
use super::session::Repeat;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use wreimage_capability::ipmi::{PowerAction, PowerState};
use wreimage_capability::{Call, Fault, Reconciled};

const RESTART_CAUSE: [&str; 3] = ["raw", "0x00", "0x07"];
/// How long a machine may take to reach the power state that it was told.
const SETTLE: Duration = Duration::from_secs(15);
/// How long a BMC that cannot be read is asked about a lost command: it may be busy with it. The last question ends before
/// 120 s, after which the engine asks no longer.
const UNREADABLE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(500);
/// Chassis power control, as the restart cause tells it (28.11).
const CAUSE_POWER_CONTROL: u8 = 1;

impl Ipmitool {
    pub(super) async fn switch_power(&self, call: &Call, action: PowerAction) -> Result<(), Fault> {
        let bmc = self.bmc(call)?;
        let state = self.power(call).await?;
        let (code, wanted) = match (action, &state) {
            (PowerAction::On, PowerState::On) | (PowerAction::Off, PowerState::Off) => {
                call.progress("the power is in that state already");
                return Ok(());
            }
            (PowerAction::Cycle, PowerState::Off) => {
                return Err(Fault::conflict(
                    "ipmi.machine-is-off",
                    bmc.system(),
                    format!(
                        "{} is off and cannot be cycled; power it on instead",
                        self.fqdn(call)
                    ),
                ));
            }
            (PowerAction::Off, _) => ("0x00", PowerState::Off),
            (PowerAction::On, _) => ("0x01", PowerState::On),
            (PowerAction::Cycle, _) => ("0x02", PowerState::On),
        };
        match bmc
            .request(&["raw", "0x00", "0x02", code], Repeat::Never)
            .await
        {
            Ok(_) => {}
            Err(Refused::Completion(0xd5, text)) => {
                return Err(Fault::conflict(
                    "ipmi.wrong-state",
                    bmc.system(),
                    format!(
                        "{} does not do that in its present state: {text}",
                        bmc.system()
                    ),
                ));
            }
            // 0xCF: a second copy of the request; the first one is being served.
            Err(Refused::Completion(0xcf, _) | Refused::Lost(_)) => {
                return Err(Fault::in_doubt(
                    "ipmi.power-in-doubt",
                    bmc.system(),
                    format!(
                        "{} did not say whether it switched the power of {}",
                        bmc.system(),
                        self.fqdn(call)
                    ),
                ));
            }
            Err(refused) => return Err(bmc.fault(refused)),
        }
        match self.settle(call, &wanted).await {
            Ok(()) if action == PowerAction::Cycle => self.left_boot(call).await,
            Ok(()) => Ok(()),
            // It is between off and on: BMCs stay there for up to 255 s (28.9). That it comes up is said by its boot.
            Err(Ok(PowerState::Off)) if action == PowerAction::Cycle => {
                call.progress("the power is off; the BMC takes its time to switch it on again");
                Ok(())
            }
            Err(Ok(seen)) => Err(Fault::rejected(
                "ipmi.power-not-changed",
                bmc.system(),
                format!(
                    "{} took the command, and {} s later the power of {} is {}; look at the machine",
                    bmc.system(),
                    SETTLE.as_secs(),
                    self.fqdn(call),
                    power_word(&seen)
                ),
            )),
            // It took the command; that it cannot be read back now is said by the next read.
            Err(Err(fault)) => {
                call.progress(format!(
                    "the power could not be read back: {}",
                    fault.message
                ));
                Ok(())
            }
        }
    }

    /// A cycle takes the machine down at once. It is on before and after, so only the boot tells whether it was cycled; a
    /// machine that did not answer before cannot tell, and its next boot will.
    async fn left_boot(&self, call: &Call) -> Result<(), Fault> {
        let before = call.witness.as_ref().and_then(boot_id_of);
        let end = Instant::now() + SETTLE;
        while let (Some(before), Some(now)) = (before, self.boot_id(call).await) {
            if now != before {
                break;
            }
            if Instant::now() >= end {
                let system = self.bmc(call)?.system();
                return Err(Fault::rejected(
                    "ipmi.power-not-changed",
                    system.clone(),
                    format!(
                        "{system} took the command to cycle {name}, and {} s later {name} still runs as before (boot id \
                         {before}); look at the machine",
                        SETTLE.as_secs(),
                        name = self.fqdn(call)
                    ),
                ));
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    pub(super) async fn witness_power(&self, call: &Call) -> Result<Value, Fault> {
        let (power, cause, boot_id) = tokio::join!(
            self.power(call),
            self.restart_cause(call),
            self.boot_id(call)
        );
        Ok(json!({
            "power": power_word(&power?),
            "restart-cause": cause,
            "boot-id": boot_id,
        }))
    }

    pub(super) async fn reconcile_power(
        &self,
        call: &Call,
        action: PowerAction,
        witness: &Value,
    ) -> Result<Reconciled, Fault> {
        let before = witness
            .get("power")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let start = Instant::now();
        let end = start + SETTLE;
        loop {
            let now = match self.power(call).await {
                Ok(now) => now,
                Err(fault) if start.elapsed() >= UNREADABLE => return Err(fault),
                Err(_) => {
                    sleep(POLL).await;
                    continue;
                }
            };
            match (action, before, &now) {
                (PowerAction::Off, "on", PowerState::Off)
                | (PowerAction::On, "off", PowerState::On)
                | (PowerAction::Cycle, "on", PowerState::Off) => return Ok(Reconciled::happened()),
                (PowerAction::Cycle, ..) => {
                    if let Some(verdict) =
                        self.judge_cycle(call, witness, Instant::now() >= end).await
                    {
                        return Ok(verdict);
                    }
                }
                (PowerAction::Off, "on", PowerState::On)
                | (PowerAction::On, "off", PowerState::Off)
                    if Instant::now() >= end =>
                {
                    return Ok(Reconciled::DidNot);
                }
                _ if Instant::now() >= end => {
                    return Ok(Reconciled::Unknown(format!(
                        "the power was {before} before and is {} now",
                        power_word(&now)
                    )));
                }
                _ => {}
            }
            sleep(POLL).await;
        }
    }

    /// Whether a machine that is on was cycled: by its boot id, else by the restart cause. `None`: look again.
    async fn judge_cycle(&self, call: &Call, witness: &Value, last: bool) -> Option<Reconciled> {
        let before = boot_id_of(witness);
        let now = self.boot_id(call).await;
        match (before, now.as_deref()) {
            (Some(before), Some(now)) if before != now => return Some(Reconciled::happened()),
            // A cycle takes the machine down at once: one that still answers with its old boot id was not cycled.
            (Some(_), Some(_)) if last => return Some(Reconciled::DidNot),
            _ => {}
        }
        let cause_before = witness.get("restart-cause").and_then(Value::as_u64);
        let cause = self.restart_cause(call).await;
        if cause == Some(CAUSE_POWER_CONTROL)
            && cause_before.is_some_and(|it| it != u64::from(CAUSE_POWER_CONTROL))
        {
            return Some(Reconciled::happened());
        }
        last.then(|| {
            Reconciled::Unknown(match before {
                Some(before) => format!(
                    "{} answered with boot id {before} before and does not answer now; the BMC says that it is on",
                    self.fqdn(call)
                ),
                None => format!(
                    "the BMC says that {} is on, as before, and nothing tells one boot from another",
                    self.fqdn(call)
                ),
            })
        })
    }

    /// Waits until the machine has the power state; what was seen last otherwise.
    async fn settle(
        &self,
        call: &Call,
        wanted: &PowerState,
    ) -> Result<(), Result<PowerState, Fault>> {
        let end = Instant::now() + SETTLE;
        loop {
            let seen = self.power(call).await;
            if seen.as_ref() == Ok(wanted) {
                return Ok(());
            }
            if Instant::now() >= end {
                return Err(seen);
            }
            sleep(POLL).await;
        }
    }

    async fn restart_cause(&self, call: &Call) -> Option<u8> {
        let answer = self.bmc(call).ok()?.optional(&RESTART_CAUSE).await.ok()??;
        restart_cause(&raw_bytes(&answer))
    }

    async fn boot_id(&self, call: &Call) -> Option<String> {
        match self.boots.get() {
            Some(boots) => boots.boot_id(call).await,
            None => None,
        }
    }
}

/// The boot in which the witness saw the machine.
fn boot_id_of(witness: &Value) -> Option<&str> {
    witness.get("boot-id").and_then(Value::as_str)
}

/// The state as a word.
pub(crate) fn power_word(state: &PowerState) -> &str {
    match state {
        PowerState::On => "on",
        PowerState::Off => "off",
        PowerState::Unknown(_) => "unknown",
    }
}
