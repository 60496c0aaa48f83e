//! Whether a call may be made, and how a rehearsal leaves the real world.

use crate::gate::course::Course;
use crate::run::stop::Stop;
use wreimage_capability::{Fault, Function, Subject};
use wreimage_journal::{Origin, Record};

impl Course {
    /// Whether the call may be made at all.
    pub(crate) fn refuse(&self, function: &'static Function, origin: Origin) -> Option<Fault> {
        let plug = self.plug();
        let state = self.state();
        if origin == Origin::Guest && self.cancel.is_cancelled() && !state.closing {
            return Some(Fault::cancelled(format!(
                "the run was cancelled; {function} was not called"
            )));
        }
        if self.absent.contains(function.capability) {
            return Some(Fault::unsupported(
                "site.absent",
                format!("site {}", self.site),
                format!("this site has no `{}`", function.capability),
            ));
        }
        let who = crate::guest::grants::who(plug.map(|plug| plug.name.as_str()));
        if origin == Origin::Guest
            && !self.is_served_by_engine(function)
            && !self.grants.allow_call(state.caller, function)
        {
            return Some(self.grants.denied(&who, function));
        }
        let may_mutate = plug.map_or(self.may_mutate, |plug| plug.may_mutate);
        if origin == Origin::Guest && function.effect.mutates() && !may_mutate {
            return Some(Fault::denied(
                "gate.read-only",
                "wreimage",
                format!("{who} says of itself that it changes nothing, but calls {function}"),
            ));
        }
        if origin == Origin::Guest && state.closing && function.inverse.is_some() {
            return Some(Fault::denied(
                "gate.closing",
                "wreimage",
                format!("{function} was called in the closing words: nobody would take it back"),
            ));
        }
        // A run that was stopped at the wrong machine still has to tell its task.
        let tells = state.touched && matches!(self.catalogue.subject(function), Subject::Task);
        let stopped = state.closing && !state.allowed && !tells;
        if origin == Origin::Guest && function.effect.mutates() && stopped {
            return Some(Fault::denied(
                "gate.no-consent",
                "wreimage",
                format!(
                    "{function} was called although the run was never allowed to change anything"
                ),
            ));
        }
        None
    }

    /// Nothing is begun after a cancel, however long its preparation took.
    pub(crate) fn cancelled_before(&self, function: &Function, origin: Origin) -> Option<Fault> {
        (origin == Origin::Guest && self.cancel.is_cancelled() && !self.state().closing)
            .then(|| Fault::cancelled(format!("the run was cancelled; {function} was not called")))
    }

    /// A rehearsal goes into its twin.
    pub(crate) fn enter_twin(&self, function: &'static Function) -> Result<(), Stop> {
        let maker = self
            .twin
            .as_ref()
            .ok_or_else(|| Stop::Twin("there is no lab to rehearse in".to_owned()))?;
        let seen = std::mem::take(&mut self.state().seen);
        let clock = self.recorder.clock();
        let twin = maker
            .make(&self.host, &seen, clock.as_ref())
            .map_err(Stop::Twin)?;
        self.recorder.record(Record::TwinEntered {
            function: function.to_string(),
        })?;
        self.recorder.set_clock(twin.clock);
        let mut state = self.state();
        state.providers = twin.providers;
        state.in_twin = true;
        // The twin's boots have host keys of their own.
        state.pinned = None;
        Ok(())
    }
}
