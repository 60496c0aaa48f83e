//! What each record adds to what a run knows.

use super::{ConsentQuestion, DID_NOT, Ledger, OVERRIDE_CHANGED};
use crate::gate::twin::Seen;
use crate::run::report::{Mutation, PastStep};
use crate::undo::list::untouched;
use crate::wasi::Times;
use jiff::Timestamp;
use std::sync::Arc;
use wreimage_capability::role::Login;
use wreimage_capability::{Function, Role, to_millis};
use wreimage_journal::{GuestEnd, Intent, Level, Origin, Outcome, Record, UndoClosed};

impl Ledger {
    /// Takes in a record. The records that follow from it: entries of the undo list that it opens or closes.
    pub(crate) fn apply(&mut self, record: &Record, time: Timestamp) -> Vec<Record> {
        match record {
            Record::Header(header) => {
                self.rehearses = header.dry_run;
                let began = to_millis(time);
                self.times = Times { began, now: began };
            }
            Record::Intent(intent) => {
                self.pass_identity(intent.origin);
                if let Some(function) = self.catalogue.function(&intent.function) {
                    return self.apply_intent(function, intent);
                }
            }
            Record::Outcome(outcome) => {
                self.pass_identity(outcome.origin);
                if let Some(function) = self.catalogue.function(&outcome.function) {
                    let closed = self.apply_outcome(function, outcome, time);
                    return closed.into_iter().map(Record::UndoClosed).collect();
                }
            }
            Record::Timer(timer) => self.pass_identity(timer.origin),
            Record::Question(question) if question.consent => {
                self.consent = Some(ConsentQuestion {
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
                self.consented = true;
                self.consent = None;
                self.shown.clone_from(shown);
            }
            Record::TwinEntered { .. } => {
                self.in_twin = true;
                self.consented = true;
                self.seen = Vec::new();
                // The twin's boots have host keys of their own.
                self.pinned = None;
            }
            Record::Checked(checked) => {
                if let Some(snapshot) = &checked.snapshot {
                    self.snapshot = Some(Arc::new(snapshot.clone()));
                }
                self.checked = Some(Arc::new((**checked).clone()));
            }
            Record::BootPinned(boot) => self.apply_first_boot(boot.clone()),
            Record::HostKeyAccepted { fingerprint, .. } => {
                self.host_key = Some(Arc::from(fingerprint.as_str()));
            }
            Record::Signal { signal } if signal == "cancel" => self.cancelled = true,
            Record::UndoOpened { call, thing, .. } if !self.undo.is_known(*call) => {
                self.doubts.push(format!(
                    "{thing} was made by a version of wreimage that knew how to take it back; this one does not"
                ));
            }
            Record::Withheld { call, .. } => {
                self.not_restarted(*call);
                self.undo.withhold(*call);
            }
            Record::UndoClosed(closed) => self.undo.close(closed),
            Record::GuestEnded(end) => self.apply_end(end),
            other => {
                self.warned |= matches!(
                    other,
                    Record::Note { level, by_host: true, .. } if *level >= Level::Warning
                );
                self.notes.apply(other, time);
            }
        }
        Vec::new()
    }

    /// The guest continued after the machine had reported which one it is: it was the right one.
    fn pass_identity(&mut self, origin: Origin) {
        self.identified_boot |= self.identity_reported && origin == Origin::Guest;
    }

    /// Another machine may answer from now on.
    fn forget_identity(&mut self) {
        self.boots += 1;
        self.identified_boot = false;
        self.identity_reported = false;
        self.is_at_installer = false;
    }

    /// A mutation is about to be tried.
    fn apply_intent(&mut self, function: &'static Function, intent: &Intent) -> Vec<Record> {
        self.touched |= !self.in_twin;
        self.facts.foresee(function);
        if function.restarts(&intent.arguments) {
            self.restarts
                .record_intent(intent.call, self.undo.makes_install());
            self.undo.restarted(intent.call);
        }
        if function.changes_power() {
            // Also after the machine was only switched off.
            self.forget_identity();
        }
        if function.sets_override() {
            self.restarts.note_override(true);
        }
        // A check that finds the status that is about to be set finds no difference.
        self.statuses_set
            .extend(function.status_set(&intent.arguments));
        let opens = intent.origin == Origin::Guest
            && self
                .undo
                .open(self.catalogue, function, intent.call, &intent.arguments);
        let inverse = function.inverse.as_ref().filter(|_| opens);
        inverse
            .map(|inverse| Record::UndoOpened {
                call: intent.call,
                inverse: format!("{}.{}", function.capability, inverse.function),
                thing: inverse.thing.to_owned(),
            })
            .into_iter()
            .collect()
    }

    /// The machine did not restart by this call.
    fn not_restarted(&mut self, call: u64) {
        self.restarts.withdraw(call);
        self.undo.not_restarted(call);
    }

    /// A call has been answered at that time. The entries of the undo list that this closes.
    fn apply_outcome(
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
        if outcome.result.is_ok()
            && !self.in_twin
            && let Some(serves) = function.serving_set(&outcome.arguments)
        {
            self.depooled = !serves;
        }
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
                self.forget_identity();
                if let Some(boot) = read(value) {
                    self.apply_awaited_boot(boot);
                }
            }
            if let Some(at) = function.role(Role::system_identity)
                && outcome.arguments == (at.arguments)(Login::Installer)
                && let Some(machine) = (at.read)(value)
            {
                self.identity_reported |= outcome.origin == Origin::Host;
                self.apply_machine(machine);
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
        self.undo.apply(function, outcome)
    }

    /// The guest's part is over.
    fn apply_end(&mut self, end: &GuestEnd) {
        self.closing = true;
        // A step that the guest left open is ended by the host.
        let steps = &self.notes.steps;
        let is_left = |step: &PastStep| step.level == Level::Unfinished;
        let left = usize::from(steps.last().is_some_and(is_left));
        self.steps_of_guest
            .get_or_insert(steps.len().saturating_sub(left));
        match end {
            GuestEnd::Cancelled => self.cancelled = true,
            GuestEnd::Stopped(kind, text) => match kind.as_str() {
                "wrong-machine" | "another-machine" => self.consented = false,
                "in-doubt" => self.doubts.push(text.clone()),
                _ => {}
            },
            _ => {}
        }
    }
}
