//! Whether a call may be made.

use crate::gate::call_context::CallContext;
use crate::gate::run_gate::RunGate;
use wreimage_capability::{Fault, Subject};

impl RunGate {
    /// Stages 2 and 3: whether the call may be made at all.
    pub(crate) fn refuse(&self, context: CallContext<'_>) -> Option<Fault> {
        if let Some(cancelled) = self.cancelled_before(context) {
            return Some(cancelled);
        }
        let function = context.function;
        if self.context.absent.contains(function.capability) {
            return Some(Fault::unsupported(
                "site.absent",
                format!("site {}", self.context.site),
                format!("this site has no `{}`", function.capability),
            ));
        }
        // What the host does on its own account needs no grant.
        if !context.is_by_guest() {
            return None;
        }
        let plug = self.context.plug(context.caller);
        let who = crate::guest::imports::who(plug.map(|plug| plug.name.as_str()));
        let grants = &self.context.grants;
        if !self.context.is_served_by_engine(function)
            && !grants.allow_call(context.caller, function)
        {
            return Some(grants.denied(&who, function));
        }
        let may_mutate = plug.map_or(self.context.may_mutate, |plug| plug.may_mutate);
        if function.effect.mutates() && !may_mutate {
            return Some(Fault::denied(
                "gate.read-only",
                "wreimage",
                format!("{who} says of itself that it changes nothing, but calls {function}"),
            ));
        }
        let state = self.state();
        if state.mode().is_closing() && function.inverse.is_some() {
            return Some(Fault::denied(
                "gate.closing",
                "wreimage",
                format!("{function} was called in the closing words: nobody would take it back"),
            ));
        }
        // A run that was stopped at the wrong machine still has to report to its task.
        let is_report =
            state.touched && matches!(self.context.catalogue.subject(function), Subject::Task);
        let is_stopped = state.mode().is_closing() && !state.may_change() && !is_report;
        if function.effect.mutates() && is_stopped {
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
    pub(crate) fn cancelled_before(&self, context: CallContext<'_>) -> Option<Fault> {
        let is_cancelled = context.is_by_guest() && self.cancel.is_cancelled();
        (is_cancelled && !self.state().mode().is_closing()).then(|| {
            Fault::cancelled(format!(
                "the run was cancelled; {} was not called",
                context.function
            ))
        })
    }
}
