//! An operator breaks the lock of a run while one of its changes is under way.

use super::*;

/// A provider during whose first call the lock of the run is broken.
struct BrokenMeanwhile {
    inner: Arc<Calls>,
    server: Arc<Server>,
    /// What the process hears of it, by its renewal, before the call has ended.
    heard: Mutex<Option<Arc<Holder>>>,
}

impl Dispatch for BrokenMeanwhile {
    fn perform<'a>(
        &'a self,
        call: &'a Call,
        function: &'static Function,
        arguments: &'a Value,
    ) -> BoxFuture<'a, Result<Answer, Fault>> {
        if function.effect.mutates() && self.inner.called().is_empty() {
            self.server.will([Does::Loses(BROKEN)]);
            if let Some(holder) = self.heard.lock().unwrap().take() {
                let lost = LeaseError::Lost(BROKEN.to_owned());
                holder.renewed(Duration::ZERO, Err(lost));
            }
        }
        self.inner.perform(call, function, arguments)
    }

    fn witness<'a>(
        &'a self,
        call: &'a Call,
        function: &'static Function,
        arguments: &'a Value,
    ) -> BoxFuture<'a, Result<Value, Fault>> {
        self.inner.witness(call, function, arguments)
    }

    fn reconcile<'a>(
        &'a self,
        call: &'a Call,
        function: &'static Function,
        arguments: &'a Value,
        witness: &'a Value,
    ) -> BoxFuture<'a, Result<Reconciled, Fault>> {
        self.inner.reconcile(call, function, arguments, witness)
    }
}

const BROKEN: &str = "an operator broke the claim of this run on host1001";

/// The change that is under way ends and is recorded: it was confirmed, and half of it would be worse. The next is not made.
#[tokio::test]
async fn a_lock_that_is_broken_during_a_change_lets_it_end_and_stops_the_next() {
    for hears_of_it in [false, true] {
        let it = leased_with(&[], |gate| gate.context.resumable = true);
        let broken = Arc::new(BrokenMeanwhile {
            inner: it.board.clone(),
            server: it.server.clone(),
            heard: Mutex::new(hears_of_it.then(|| it.setup.gate.holder.clone())),
        });
        let providers = |gate: &RunGate| gate.state().providers.add(("board", broken.clone()));
        providers(&it.setup.gate);
        it.called(SET_POWER).await.unwrap().unwrap();
        let entries = it.setup.log.entries();
        let ended = |entry: &Entry| matches!(&entry.record, Record::Outcome(it) if it.function == "board.switch" && it.result.is_ok());
        assert!(entries.iter().any(ended));
        let next = it.called(SET_BOOT).await;
        it.paused(next, "board.set-override was not called");
        let after = it.called(PUBLISH).await;
        it.paused(after, BROKEN);
        assert_eq!(it.board.called(), ["board.switch"], "{hears_of_it}");
        assert!(it.netboot.called().is_empty());
    }
}
