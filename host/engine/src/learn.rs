//! What a run knows follows from its records, whether they have just been made or are read back.

use crate::consent::Standing;
use crate::once::DID_NOT;
use crate::report::{Mutation, PastStep, Reminder};
use crate::state::State;
use crate::twin::Seen;
use crate::undo::untouched;
use crate::wasi::Times;
use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;
use wreimage_capability::remote::{Boot, Identity};
use wreimage_capability::{Function, HostSnapshot, PinnedBoot, to_millis};
use wreimage_journal::{GuestEnd, Intent, Level, Origin, Outcome, Record, UndoClosed};

impl State {
    /// Takes in a record of an earlier process.
    pub(crate) fn relearn(&mut self, record: &Record, time: Timestamp) {
        match record {
            Record::Intent(intent) => {
                self.passed_identity(intent.origin);
                if let Some(function) = wreimage_capability::function(&intent.function) {
                    self.learn_intent(function, intent);
                }
            }
            Record::Outcome(outcome) => {
                self.passed_identity(outcome.origin);
                if let Some(function) = wreimage_capability::function(&outcome.function) {
                    self.learn_outcome(function, outcome, time);
                    self.told_identity = outcome.origin == Origin::Host
                        && (function.capability, function.name) == ("remote", "get-dmi")
                        && outcome.result.is_ok();
                }
            }
            Record::Timer(timer) => self.passed_identity(timer.origin),
            Record::Question(question) if question.consent => {
                self.consent = Some(Standing {
                    question: question.clone(),
                    answer: None,
                });
            }
            Record::Answer(answer) => {
                if let Some(asked) = &mut self.consent
                    && asked.question.call == answer.call
                {
                    asked.answer = Some(answer.answer.clone());
                }
            }
            Record::Consented { shown, .. } => {
                self.allowed = !self.consent_is_void;
                self.consent = None;
                self.shown.clone_from(shown);
            }
            Record::Checked(checked) => self.learn_check((**checked).clone()),
            Record::BootPinned(boot) => self.pinned = Some(Arc::new(boot.clone())),
            Record::HostKeyAccepted { fingerprint, .. } => {
                self.host_key = Some(Arc::from(fingerprint.as_str()));
            }
            Record::Signal { signal } if signal == "cancel" => self.cancelled = true,
            Record::UndoOpened { call, thing, .. } if !self.undo.is_known(*call) => {
                self.doubts.push(format!(
                    "{thing} was made by a version of wreimage that knew how to take it back; this one does not"
                ));
            }
            Record::Withheld { call, .. } => self.withhold(*call),
            Record::UndoClosed(closed) => self.undo.relearn(closed),
            Record::GuestEnded(end) => self.learn_end(end),
            other => self.learn_note(other, time),
        }
    }

    /// The guest went on after the machine had told which one it is: it was the right one.
    fn passed_identity(&mut self, origin: Origin) {
        self.identified_boot |= self.told_identity && origin == Origin::Guest;
    }

    /// The run began then.
    pub(crate) fn learn_beginning(&mut self, time: Timestamp) {
        let began = to_millis(time);
        self.times = Times { began, now: began };
    }

    /// A mutation is about to be tried. Whether it opens an entry of the undo list.
    pub(crate) fn learn_intent(&mut self, function: &'static Function, intent: &Intent) -> bool {
        self.touched |= !self.in_twin;
        self.facts.foresee(function);
        self.foresee_wipe(function, intent.call, &intent.arguments);
        if matches!(
            (function.capability, function.name),
            ("ipmi", "set-power") | ("remote", "reboot")
        ) {
            self.identified_boot = false;
            self.is_at_installer = false;
            self.undo.restarted(intent.call);
            self.network_boot = self.undo.has_boot_entry().then_some(intent.call);
        }
        intent.origin == Origin::Guest && self.undo.open(function, intent.call, &intent.arguments)
    }

    /// A call was not made although its intent is recorded.
    pub(crate) fn withhold(&mut self, call: u64) {
        self.undo.not_restarted(call);
        self.undo.withhold(call);
    }

    /// A call has been answered at that time. The entries of the undo list that this closes.
    pub(crate) fn learn_outcome(
        &mut self,
        function: &'static Function,
        outcome: &Outcome,
        time: Timestamp,
    ) -> Vec<UndoClosed> {
        self.calls += 1;
        // What the host asks on its own account is asked anew by the next process.
        if outcome.origin == Origin::Guest {
            self.times.now = to_millis(time);
        }
        if let Ok(value) = &outcome.result {
            self.facts.observe(function, value);
            self.undo.look(function, value);
            match (function.capability, function.name) {
                ("netbox", "get-device") => {
                    // From the first check on, what was checked is what is used.
                    if self.checked.is_none()
                        && let Ok(device) = serde_json::from_value(value.clone())
                    {
                        self.snapshot = Some(Arc::new(HostSnapshot::of(device)));
                    }
                }
                // Another boot: what was compared before may have been another machine.
                ("remote", "wait-for-boot") => {
                    self.identified_boot = false;
                    self.is_at_installer =
                        value.get("identity").and_then(Value::as_str) == Some("Installer");
                    self.pin(value);
                }
                _ => {}
            }
            if self.rehearses && !self.in_twin && !function.effect.mutates() {
                self.seen.push(Seen {
                    function,
                    arguments: outcome.arguments.clone(),
                    outcome: value.clone(),
                });
            }
        }
        if let Err(fault) = &outcome.result
            && (untouched(&fault.kind) || fault.code == DID_NOT)
        {
            self.undo.not_restarted(outcome.call);
            // The machine was not restarted after all.
            self.wipe = self.wipe.filter(|call| *call != outcome.call);
            self.network_boot = self.network_boot.filter(|call| *call != outcome.call);
        }
        if function.effect.mutates() {
            let step = self.notes.open_step_name();
            self.mutations.push(Mutation {
                call: outcome.call,
                function: outcome.function.clone(),
                effect: outcome.effect,
                step,
                arguments: outcome.arguments.clone(),
                result: outcome
                    .result
                    .as_ref()
                    .map(|_| ())
                    .map_err(|fault| fault.message.clone()),
                reality: outcome.reality,
                undo: outcome.origin == Origin::Undo,
            });
        }
        self.undo.settle(function, outcome)
    }

    /// Another boot answers at the installer identity: its host key is the one from here on.
    fn pin(&mut self, boot: &Value) {
        let Ok(boot) = serde_json::from_value::<Boot>(boot.clone()) else {
            return;
        };
        let key = boot.extra.into_iter().find(|(name, _)| name == "host-key");
        if let (Identity::Installer, Some((_, host_key))) = (boot.identity, key) {
            self.pinned = Some(Arc::new(PinnedBoot {
                boot_id: boot.boot_id,
                host_key,
            }));
        }
    }

    /// Something was told.
    pub(crate) fn learn_note(&mut self, record: &Record, time: Timestamp) {
        let notes = &mut self.notes;
        match record {
            Record::StepBegan { phase, name, .. } => {
                notes.open = Some((phase.clone(), name.clone(), time));
            }
            Record::StepEnded {
                phase,
                name,
                level,
                text,
                evidence,
                took_ms,
                component,
            } => {
                notes.open = None;
                notes.steps.push(PastStep {
                    phase: phase.clone(),
                    name: name.clone(),
                    level: *level,
                    text: text.clone(),
                    evidence: evidence.clone(),
                    took_ms: *took_ms,
                    component: component.clone(),
                });
            }
            Record::Note {
                level,
                text,
                by_host,
                ..
            } => {
                notes.notes.push((*level, text.clone()));
                self.warned |= *by_host && *level >= Level::Warning;
            }
            Record::Log { severity, text } if severity == "error" => {
                notes.last_error = Some(text.clone());
            }
            Record::Reminder { text, command } => notes.reminders.push(Reminder {
                text: text.clone(),
                command: command.clone(),
            }),
            _ => {}
        }
    }

    /// The guest's part is over.
    pub(crate) fn learn_end(&mut self, end: &GuestEnd) {
        self.closing = true;
        self.steps_of_guest.get_or_insert(self.notes.steps.len());
        match end {
            GuestEnd::Cancelled => self.cancelled = true,
            GuestEnd::Stopped(kind, text) => match kind.as_str() {
                "wrong-machine" | "another-machine" => self.allowed = false,
                "in-doubt" => self.doubts.push(text.clone()),
                _ => {}
            },
            _ => {}
        }
    }
}
