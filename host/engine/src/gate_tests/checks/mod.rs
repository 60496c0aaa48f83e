//! What was checked stays checked: when the host is checked again, and what a difference means.

mod differences;
mod identity;
mod when;

use super::identity::{device, info};
use super::*;
use crate::run::consent::{Consent, ConsentRequest};
use crate::run::operator::LATER;
use wreimage_capability::operator;
use wreimage_journal::{Checked, Entry};

/// A host that is described, whose BMC and old system answer, and for which consent was given.
pub(super) struct Host {
    pub(super) setup: Setup,
    inventory: Arc<Script>,
}

pub(super) fn host_with(change: impl FnOnce(&mut RunGate)) -> Host {
    let inventory = Arc::new(Script::default());
    inventory.reads("get-host", Ok(device(&[], "S1")));
    let setup = Setup::with(|gate| {
        gate.context.resumable = true;
        gate.context.identity_optional = false;
        let state = gate.state.get_mut().unwrap();
        state.providers.add(("register", inventory.clone()));
        state.ledger_mut().consented = false;
        state.is_fresh = false;
        change(gate);
    });
    setup.board.reads("get-owner", Ok(info("S1")));
    setup
        .inside
        .reads("get-machine", Ok(json!({"serial": "S1"})));
    Host { setup, inventory }
}

fn host() -> Host {
    host_with(|_| {})
}

impl Host {
    pub(super) async fn ok(&self, function: &'static Function) {
        let called = self.try_call(function).await;
        assert!(matches!(called, Ok(Ok(_))), "{function}: {called:?}");
    }

    async fn try_call(&self, function: &'static Function) -> Result<Result<Value, Fault>, Stop> {
        let call = self.setup.gate.call_by_guest(function, json!({}));
        call.await
    }

    pub(super) async fn stopped(&self, function: &'static Function) -> Stop {
        self.try_call(function).await.unwrap_err()
    }

    fn checks(&self) -> Vec<Checked> {
        let entries = self.setup.log.entries().into_iter();
        entries
            .filter_map(|entry| match entry.record {
                Record::Checked(checked) => Some(*checked),
                _ => None,
            })
            .collect()
    }

    /// The run as another process resumes it: the same world, the records of this one.
    pub(super) fn resumed(&self, change: impl FnOnce(&mut RunGate)) -> Host {
        let past: Vec<Entry> = self.setup.log.entries();
        let next = host_with(change);
        let last = past.iter().filter_map(|entry| match &entry.record {
            Record::Outcome(outcome) => Some(outcome.call),
            _ => None,
        });
        let recorder = &next.setup.gate.recorder;
        recorder.continue_after(past.len() as u64, last.max());
        next.setup.gate.has_past(past);
        next
    }

    /// Passes what the process before has done.
    pub(super) async fn replay(&self, function: &'static Function) {
        self.ok(function).await;
        assert!(self.checks().is_empty());
    }
}

/// Nobody is there, and nothing was agreed on in advance.
pub(super) struct NobodyThere;

impl Consent for NobodyThere {
    fn in_advance(&self, _request: &ConsentRequest, _stands: bool) -> Option<Result<(), String>> {
        None
    }

    fn ask<'a>(
        &'a self,
        _request: &'a ConsentRequest,
        question: &'a Question,
    ) -> BoxFuture<'a, Result<Given, Fault>> {
        Box::pin(async move { Err(Fault::denied(LATER, "wreimage", question.question.clone())) })
    }
}
