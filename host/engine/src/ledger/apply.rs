//! What a run knows follows from its records, whether they have just been made or are read back.

use crate::gate::once::DID_NOT;
use crate::gate::twin::Seen;
use crate::identity::consent::Standing;
use crate::ledger::restarts::OVERRIDE_CHANGED;
use crate::ledger::state::State;
use crate::run::report::{Mutation, PastStep, Reminder};
use crate::undo::list::untouched;
use crate::wasi::Times;
use jiff::Timestamp;
use std::sync::Arc;
use wreimage_capability::role::Login;
use wreimage_capability::{Function, Role, to_millis};
use wreimage_journal::{GuestEnd, Intent, Level, Origin, Outcome, Record, UndoClosed};

impl State {
    /// Takes in a record of an earlier process.
    pub(crate) fn relearn(&mut self, record: &Record, time: Timestamp) {
        match record {
            Record::Intent(intent) => {
                self.passed_identity(intent.origin);
                if let Some(function) = self.catalogue.function(&intent.function) {
                    self.learn_intent(function, intent);
                }
            }
            Record::Outcome(outcome) => {
                self.passed_identity(outcome.origin);
                if let Some(function) = self.catalogue.function(&outcome.function) {
                    self.learn_outcome(function, outcome, time);
                    self.told_identity = outcome.origin == Origin::Host
                        && function.role(Role::system_identity).is_some()
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
            Record::BootPinned(boot) => self.learn_first_boot(boot.clone()),
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
        if function.restarts(&intent.arguments) {
            self.restarts
                .announce(intent.call, self.undo.makes_install());
            self.undo.restarted(intent.call);
        }
        if function.changes_power() {
            // What answers afterwards may be another machine; so it may after a machine was only switched off.
            self.identified_boot = false;
            self.is_at_installer = false;
        }
        if function.sets_override() {
            self.restarts.note_override(true);
        }
        // A check that finds the status that is about to be set finds no difference.
        self.statuses_set
            .extend(function.status_set(&intent.arguments));
        intent.origin == Origin::Guest
            && self
                .undo
                .open(self.catalogue, function, intent.call, &intent.arguments)
    }

    /// A call was not made although its intent is recorded.
    pub(crate) fn withhold(&mut self, call: u64) {
        self.not_restarted(call);
        self.undo.withhold(call);
    }

    /// The machine did not restart by this call.
    fn not_restarted(&mut self, call: u64) {
        self.restarts.withdraw(call);
        self.undo.not_restarted(call);
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
        self.learn_pooled(function, outcome);
        if let Ok(value) = &outcome.result {
            self.facts.observe(function, value);
            self.undo.reopen(function, value);
            // From the first check on, what was checked is what is used.
            if self.checked.is_none()
                && let Some(snapshot) = function.role(Role::inventory).and_then(|read| read(value))
            {
                self.snapshot = Some(Arc::new(snapshot));
            }
            // Only what the guest itself has read tells what it expects of the restart.
            if outcome.origin == Origin::Guest
                && let Some(there) = function.boot_override(value)
            {
                self.restarts.note_override(there.is_set);
            }
            // Another boot: what was compared before may have been another machine.
            if let Some(read) = function.role(Role::awaits_boot) {
                self.identified_boot = false;
                if let Some(boot) = read(value) {
                    self.learn_awaited_boot(boot);
                }
            }
            if let Some(at) = function.role(Role::system_identity)
                && outcome.arguments == (at.arguments)(Login::Installer)
                && let Some(machine) = (at.read)(value)
            {
                self.learn_machine(machine);
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
            && (untouched(&fault.kind)
                || [DID_NOT, OVERRIDE_CHANGED].contains(&fault.code.as_str()))
        {
            self.not_restarted(outcome.call);
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
