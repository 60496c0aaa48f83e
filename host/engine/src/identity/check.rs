//! The check of the host: the inventory, its BMC and its old system are read anew and compared, before the first change of
//! each process, after each answer that a person took time for, and directly before each restart.
//!
//! What was checked is what is used: the inventory's record and the BMC's addresses of the last check go with every later
//! call.

use crate::gate::call_context::CallContext;
use crate::gate::run_gate::RunGate;
use crate::identity::comparison::{Compared, compare};
use crate::identity::consent::Asked;
use crate::identity::difference;
use crate::identity::known::Known;
use crate::ledger::Progress;
use crate::run::stop::Stop;
use std::sync::Arc;
use wreimage_capability::{Fault, Function, HostSnapshot, Subject};
use wreimage_journal::{Checked, Record};

/// Whether the call acts on the machine or on how it boots. After the guest's part, only these are checked.
fn is_on_machine(subject: Subject) -> bool {
    matches!(
        subject,
        Subject::Controller | Subject::NetworkBoot | Subject::System(_)
    )
}

impl RunGate {
    /// Before a change: the host is checked unless it has just been, and consent is asked for what was not consented to yet.
    pub(crate) async fn check_before(
        self: &Arc<Self>,
        context: CallContext<'_>,
    ) -> Result<(), Stop> {
        let function = context.function;
        {
            let mut state = self.state();
            if state.mode().is_in_twin()
                || (state.mode().is_closing()
                    && !is_on_machine(self.context.catalogue.subject(function)))
            {
                return Ok(());
            }
            if function.restarts(context.arguments) {
                state.needs_check();
            }
            if state.may_change() && state.is_fresh {
                return Ok(());
            }
        }
        loop {
            let known = self.check().await?;
            if self.context.dry_run {
                self.enter_twin(function)?;
                self.report(known)?;
                break;
            }
            let asked = self.ensure_consent(function, &known).await?;
            self.report(known)?;
            // While a person read the question, anything may have changed: what has is asked about again, and nothing else.
            if asked == Asked::InAdvance {
                break;
            }
        }
        self.state().is_fresh = true;
        Ok(())
    }

    /// Consent to what is known now, unless it was given to that before.
    async fn ensure_consent(
        self: &Arc<Self>,
        function: &'static Function,
        known: &Known,
    ) -> Result<Asked, Stop> {
        let request = self.consent_request(function, known);
        let changes = {
            let state = self.state();
            if state.mode().is_closing() {
                return Ok(Asked::InAdvance);
            }
            let mut changes =
                difference::consent(&state.shown, &request.shown, &state.statuses_set);
            if state.progress() == Progress::Wiping {
                changes.retain(difference::is_component);
            }
            if state.may_change() && changes.is_empty() {
                return Ok(Asked::InAdvance);
            }
            changes
        };
        self.ask_consent(request.since(&changes)).await
    }

    /// Reports what speaks against the change.
    pub(crate) fn report(&self, known: Known) -> Result<(), Stop> {
        // The same text again, at a later check, says nothing new.
        let is_new = |text: &str| self.state().reported.insert(text.to_owned());
        for text in known.cautions.into_iter().filter(|it| is_new(it)) {
            self.record_note(Record::Log {
                severity: "warn".to_owned(),
                text,
            })?;
        }
        for warning in known.warnings.into_iter().filter(|it| is_new(it)) {
            self.warn(warning)?;
        }
        Ok(())
    }

    /// Reads everything anew and compares it. The record of the check is what later calls use.
    async fn check(self: &Arc<Self>) -> Result<Known, Stop> {
        let checked = self.read_and_compare().await;
        // What is still to be undone after a check that fails goes to the machine that was checked before.
        self.state().snapshot_in_check = None;
        let (mut known, checked) = checked?;
        self.record(Record::Checked(Box::new(checked)))?;
        // With what was checked: a claim names the machine.
        self.observe_lease(&mut known).await?;
        Ok(known)
    }

    async fn read_and_compare(self: &Arc<Self>) -> Result<(Known, Checked), Stop> {
        let earlier = self.state().checked.clone();
        let earlier = earlier.as_deref();
        let again = earlier.is_some();
        let mut known = Known::default();
        let mut now = Checked::default();
        if let Some(read) = self.read_inventory(again).await? {
            self.refuse_protected(&read)?;
            let snapshot = HostSnapshot {
                switch_port: self.read_switch_port(again).await?,
                ..read
            };
            if let Some(before) = earlier.and_then(|it| it.snapshot.as_ref()) {
                let changes = difference::identity(before, &snapshot);
                if !changes.is_empty() {
                    return Err(self.is_another(&format!(
                        "the inventory describes another machine than it did at the last check: {}",
                        difference::shown(&changes)
                    )));
                }
            }
            // Without the BMC's addresses: its name is resolved anew.
            self.state().snapshot_in_check = Some(Arc::new(snapshot.clone()));
            known.facts.extend(snapshot.described());
            now.snapshot = Some(snapshot);
        } else {
            known.warnings.push(
                "no inventory is available, so nothing confirms which machine this is".to_owned(),
            );
        }
        if !self.state().may_change() {
            self.warn_of_pooled(&mut known).await?;
        }
        self.refuse_pooled_again().await?;
        let mut compared = Compared::new(&self.context.unrelated_guids);
        self.ask_bmc(again, &mut now, &mut compared, &mut known)
            .await?;
        self.ask_old_system(&mut now).await?;
        if let Some(before) = earlier {
            self.same_as_before(before, &now)?;
        }
        let snapshot = now.snapshot.clone();
        compare(snapshot.as_ref(), &mut now, &mut compared).map_err(|why| self.is_another(&why))?;
        self.judge_identity(compared, again, &mut known)?;
        let unknown = difference::UNKNOWN.to_owned();
        // An old system that does not answer any more has not become another one.
        now.old_os = now
            .old_os
            .or_else(|| earlier.and_then(|it| it.old_os.clone()));
        now.system = now
            .system
            .or_else(|| earlier.and_then(|it| it.system.clone()));
        let old_os = now.old_os.clone().unwrap_or(unknown);
        known.facts.push((difference::OLD_OS.to_owned(), old_os));
        if let Some(key) = &self.state().host_key {
            known
                .facts
                .push(("host key, not known before".to_owned(), key.to_string()));
        }
        self.describe_unconfirmed(&mut known);
        if let Some(target) = &self.context.target_release {
            known.facts.push(("new OS".to_owned(), target.clone()));
        }
        Ok((known, now))
    }

    /// No consent overrides these.
    fn refuse_protected(&self, snapshot: &HostSnapshot) -> Result<(), Stop> {
        let name = snapshot.name();
        let tag = snapshot
            .device
            .tags
            .iter()
            .find(|tag| self.context.protected_tags.contains(tag));
        let why = match (tag, snapshot.is_decommissioned()) {
            (Some(tag), _) => format!(
                "{name} is protected: the inventory tags it `{tag}`. Remove the tag there if the host is to be changed; no \
                 option overrides it"
            ),
            (None, true) => format!(
                "{name} is being decommissioned: that is its status in the inventory. Correct the status there if the host \
                 is to be changed; no option overrides it"
            ),
            (None, false) => return Ok(()),
        };
        Err(match self.state().progress() {
            Progress::Untouched => Stop::Refused(format!("{why}. Nothing was touched")),
            Progress::Wiping if self.context.resumable => Stop::Paused(self.wiped(&why)),
            Progress::Changed | Progress::Wiping => Stop::Refused(why),
        })
    }

    /// The machine is not the one that was checked or described: nothing more is done to it.
    pub(crate) fn is_another(&self, why: &str) -> Stop {
        let text = format!(
            "wrong machine: {why}. Find out which of them is wrong (cabling, DNS of the management name, the inventory) before \
             anything is done to either machine"
        );
        match self.state().progress() {
            Progress::Untouched => Stop::WrongMachine(format!("{text}. Nothing was touched")),
            Progress::Wiping if self.context.resumable => Stop::Paused(self.wiped(&text)),
            Progress::Changed | Progress::Wiping => Stop::AnotherMachine(text),
        }
    }

    fn wiped(&self, why: &str) -> String {
        format!(
            "{why}. The installation of {} has begun: take its disks for wiped. `wreimage resume {run}` checks again and \
             continues; `wreimage cleanup {run}` ends the run",
            self.context.host,
            run = self.context.run
        )
    }

    /// A system could not be asked at a later check. Whether anything is wrong is not known, so the run waits.
    pub(crate) fn unanswered(&self, what: &str, fault: &Fault) -> Stop {
        let text = format!("{what}: {}", fault.message);
        let (touched, progress) = {
            let state = self.state();
            (state.touched, state.progress())
        };
        if !self.context.resumable {
            return match touched {
                true => Stop::AnotherMachine(text),
                false => Stop::Refused(format!("{text}. Nothing was touched")),
            };
        }
        Stop::Paused(match progress {
            Progress::Wiping => self.wiped(&text),
            Progress::Untouched | Progress::Changed => format!(
                "{text}. {} was not changed further. `wreimage resume {run}` checks again and continues; `wreimage cleanup \
                 {run}` ends the run",
                self.context.host,
                run = self.context.run
            ),
        })
    }

    /// The BMC and the old system report the machine that they reported at the last check.
    fn same_as_before(&self, before: &Checked, now: &Checked) -> Result<(), Stop> {
        let parts = [
            ("its BMC", &before.bmc, &now.bmc),
            ("the system that answers", &before.system, &now.system),
        ];
        for (who, before, now) in parts {
            let (Some(before), Some(now)) = (before, now) else {
                continue;
            };
            let changes = difference::reported(who, before, now);
            if !changes.is_empty() {
                let why = format!(
                    "{who} is not that of the last check of {}: {}",
                    self.context.host,
                    difference::shown(&changes)
                );
                return Err(self.is_another(&why));
            }
        }
        Ok(())
    }

    /// A machine of which nothing can be compared is refused, unless the site says that it need not be.
    fn judge_identity(
        &self,
        compared: Compared<'_>,
        again: bool,
        known: &mut Known,
    ) -> Result<(), Stop> {
        if compared.is_confirmed() {
            known.facts.extend(compared.facts);
            return Ok(());
        }
        let why = compared.why.unwrap_or_else(|| {
            "inventory, BMC and old system share neither serial number nor UUID".to_owned()
        });
        let text = format!(
            "nothing confirms that the machine is {}: {why}",
            self.context.host
        );
        if self.context.identity_optional {
            known.cautions.push(text);
            return Ok(());
        }
        if again {
            return Err(self.unanswered(
                "the identity of the machine could not be confirmed again",
                &Fault::other("gate.identity", "wreimage", text),
            ));
        }
        Err(Stop::Refused(format!(
            "{text}. Nothing was touched. Enter the serial number or the UUID in the inventory, or let the site accept such \
             machines with `[policy] identity = \"optional\"`"
        )))
    }
}
