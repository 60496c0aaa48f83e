//! The inventory's record that goes with every call, and the host's own reads.

use crate::gate::call_context::CallContext;
use crate::gate::run_gate::RunGate;
use crate::identity::difference;
use crate::identity::reads::is_passing;
use crate::run::stop::Stop;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use wreimage_capability::role::Read;
use wreimage_capability::{BoxFuture, Call, Fault, Function, Role, Subject};

/// How often a system that does not answer is asked at a later check, and the pause between two tries.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_secs(10);

impl RunGate {
    /// A call of the host's own, recorded like any other.
    pub(crate) fn own_call<T: Send + 'static>(
        self: &Arc<Self>,
        function: &'static Function,
        arguments: Value,
        read: Read<T>,
    ) -> BoxFuture<'_, Result<Result<T, Fault>, Stop>> {
        Box::pin(async move {
            let answer = self
                .call(CallContext::of_host(function, &arguments))
                .await?;
            Ok(answer.and_then(|answer| {
                read(&answer).ok_or_else(|| {
                    let text = format!("{function}: the answer cannot be read");
                    Fault::other("gate.outcome", "wreimage", text)
                })
            }))
        })
    }

    /// A read of the host's own. At a later check, a system that does not answer is asked again for about a minute.
    pub(crate) async fn read_again<T: Send + 'static>(
        self: &Arc<Self>,
        function: &'static Function,
        arguments: Value,
        read: Read<T>,
        again: bool,
    ) -> Result<Result<T, Fault>, Stop> {
        let mut tries = 1;
        loop {
            match self.own_call(function, arguments.clone(), read).await? {
                Err(fault) if again && tries < TRIES && is_passing(&fault) => tries += 1,
                answer => return Ok(answer),
            }
            let clock = self.recorder.clock();
            let next = clock.now().saturating_add(PAUSE);
            tokio::select! {
                () = clock.sleep_until(next.unwrap_or(jiff::Timestamp::MAX)) => {}
                () = self.cancel.cancelled(), if !self.state().mode().is_closing() => return Err(Stop::Cancelled),
            }
        }
    }

    /// Before the first check a call uses what the inventory says of the host at the first call that needs it.
    pub(crate) async fn first_snapshot(
        self: &Arc<Self>,
        function: &'static Function,
    ) -> Result<(), Stop> {
        let inventory = self.context.catalogue.with_role(Role::inventory).next();
        {
            let mut state = self.state();
            let is_known = state.snapshot.is_some() || state.mode().is_in_twin();
            let is_inventory =
                inventory.is_some_and(|(it, _)| it.capability == function.capability);
            if is_known || is_inventory || std::mem::replace(&mut state.snapshot_asked, true) {
                return Ok(());
            }
        }
        if let Some((inventory, read)) = self.served(Role::inventory) {
            // Its outcome is applied like any other; what it cannot answer, the provider of the call reports.
            let _read = self.own_call(inventory, json!({}), read).await?;
        }
        Ok(())
    }

    /// Before something is undone on the machine itself: whether it is still the machine that this run has changed. What
    /// other systems have of the run they know by the run.
    pub(crate) async fn may_undo(
        self: &Arc<Self>,
        inverse: &'static Function,
    ) -> Result<bool, Stop> {
        let subject = self.context.catalogue.subject(inverse);
        if !matches!(subject, Subject::Controller | Subject::System(_)) {
            return Ok(true);
        }
        let before = {
            let state = self.state();
            if state.another_machine {
                return Ok(false);
            }
            let checked = state
                .checked
                .as_ref()
                .filter(|_| !state.mode().is_in_twin());
            checked.and_then(|it| it.bmc.clone())
        };
        let (Some(before), Subject::Controller) = (before, subject) else {
            return Ok(true);
        };
        let Some((function, read)) = self.served(Role::controller_identity) else {
            return Ok(true);
        };
        // A BMC that does not answer cannot be changed either; the undo reports it.
        let Ok(now) = self.own_call(function, json!({}), read).await? else {
            return Ok(true);
        };
        let is_same = difference::reported("its BMC", &before, &now.machine).is_empty();
        self.state().another_machine |= !is_same;
        Ok(is_same)
    }

    /// What was checked goes with the call.
    pub(crate) fn give_checked(&self, call: &mut Call) {
        let state = self.state();
        let snapshot = state.snapshot_in_check.as_ref();
        call.snapshot = snapshot.or(state.snapshot.as_ref()).cloned();
        let pinned = state.pinned_in_twin.as_ref();
        call.pinned = pinned.or(state.pinned.as_ref()).cloned();
        call.host_key.clone_from(&state.host_key);
    }
}
