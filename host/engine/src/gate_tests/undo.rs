//! What is taken back, and what is not.

use super::*;

#[tokio::test]
async fn undo_runs_last_first_with_what_was_made_and_past_failures() {
    let setup = Setup::new();
    setup.netboot.answer(Ok(json!({"digest": "1"})));
    setup.call(PUBLISH, json!({})).await.unwrap();
    setup.call(SET_BOOT, json!({})).await.unwrap();
    setup
        .board
        .answer(Err(Fault::denied("board.denied", "BMC", "no")));
    setup.gate.reverse_all().await.unwrap();
    assert_eq!(
        setup.undone(),
        [
            ("board.clear-override".to_owned(), UndoState::Failed),
            ("netboot.withdraw".to_owned(), UndoState::Done),
        ]
    );
    assert_eq!(
        setup.netboot.made.lock().unwrap()[1],
        Some(json!({"digest": "1"}))
    );
}

#[tokio::test]
async fn undo_tries_again_what_may_work_later_and_gives_up_in_the_end() {
    let setup = Setup::new();
    let locked = || {
        Err(Fault::unreachable(
            "netboot.locked",
            "install server",
            "locked",
        ))
    };
    setup.call(PUBLISH, json!({})).await.unwrap();
    for _ in 0..2 {
        setup.netboot.answer(locked());
    }
    setup.gate.reverse_all().await.unwrap();
    assert_eq!(
        setup.undone(),
        [("netboot.withdraw".to_owned(), UndoState::Done)]
    );
    assert_eq!(setup.netboot.called().len(), 1 + 3);
    assert_eq!(setup.gate.recorder.clock().now().as_second(), 20);

    let setup = Setup::new();
    setup.call(PUBLISH, json!({})).await.unwrap();
    for _ in 0..9 {
        setup.netboot.answer(locked());
    }
    setup.gate.reverse_all().await.unwrap();
    assert_eq!(
        setup.undone(),
        [("netboot.withdraw".to_owned(), UndoState::Failed)]
    );
    assert_eq!(setup.netboot.called().len(), 1 + 5);
}

/// Notes which intents are flushed.
#[derive(Default)]
struct Flushes(Mutex<Vec<String>>);

impl wreimage_journal::Log for Flushes {
    fn append(
        &self,
        entry: &wreimage_journal::Entry,
        durable: bool,
    ) -> Result<(), wreimage_journal::LogError> {
        if let (Record::Intent(intent), true) = (&entry.record, durable) {
            self.0.lock().unwrap().push(intent.function.clone());
        }
        Ok(())
    }

    fn mark(&self) -> wreimage_capability::lease::JournalMark {
        wreimage_capability::lease::JournalMark::default()
    }

    fn keep(&self, _bytes: &[u8]) -> Result<String, wreimage_journal::LogError> {
        Ok(String::new())
    }
}

#[tokio::test]
async fn every_change_is_on_disk_before_it_is_made() {
    let log = Arc::new(Flushes::default());
    let kept = log.clone();
    let setup = Setup::with(|gate| {
        let clock: Arc<dyn Clock> = Arc::new(TestClock::default());
        let redaction = crate::record::redact::Redaction::default();
        gate.recorder = Arc::new(Recorder::new(kept, None, clock, redaction));
    });
    setup.call(PUBLISH, json!({})).await.unwrap();
    setup.call(WITHDRAW, json!({})).await.unwrap();
    setup.call(SET_POWER, json!({})).await.unwrap();
    assert_eq!(
        *log.0.lock().unwrap(),
        ["netboot.offer", "netboot.withdraw", "board.switch"]
    );
}

#[tokio::test]
async fn what_the_guest_took_back_is_not_taken_back_again() {
    let setup = Setup::new();
    setup.call(PUBLISH, json!({})).await.unwrap();
    setup.netboot.answer(Ok(json!(true)));
    setup.call(WITHDRAW, json!({})).await.unwrap();
    setup.gate.reverse_all().await.unwrap();
    assert_eq!(
        setup.netboot.called(),
        ["netboot.offer", "netboot.withdraw"]
    );
}

#[tokio::test]
async fn what_is_seen_after_it_was_said_to_be_gone_is_taken_back_once_more() {
    let setup = Setup::new();
    let made = json!({"digest": "1"});
    setup.netboot.answer(Ok(made.clone()));
    setup.call(PUBLISH, json!({})).await.unwrap();
    setup.netboot.answer(Ok(json!(true)));
    setup.call(WITHDRAW, json!({})).await.unwrap();
    setup
        .netboot
        .answer(Ok(json!({"digest": "of somebody else"})));
    setup.call(GET_PUBLISHED, json!({})).await.unwrap();
    assert_eq!(setup.gate.state().undo.entries().len(), 0);
    setup.netboot.answer(Ok(made.clone()));
    setup.call(GET_PUBLISHED, json!({})).await.unwrap();
    setup.gate.reverse_all().await.unwrap();
    assert_eq!(setup.netboot.called().last().unwrap(), "netboot.withdraw");
    assert_eq!(setup.netboot.made.lock().unwrap().last(), Some(&Some(made)));
    assert_eq!(
        setup.undone(),
        [("netboot.withdraw".to_owned(), UndoState::Done)]
    );
}

#[tokio::test]
async fn a_mutation_that_failed_without_effect_needs_no_undo_and_one_in_doubt_does() {
    let setup = Setup::new();
    setup.netboot.answer(Err(Fault::denied("x", "y", "no")));
    setup.call(PUBLISH, json!({})).await.unwrap_err();
    assert_eq!(
        setup.undone(),
        [("netboot.withdraw".to_owned(), UndoState::NotNeeded)]
    );
    setup.netboot.answer(Err(Fault::timeout("x", "y", "late")));
    setup.call(PUBLISH, json!({})).await.unwrap_err();
    setup.gate.reverse_all().await.unwrap();
    assert_eq!(setup.netboot.called().last().unwrap(), "netboot.withdraw");
}

#[tokio::test]
async fn on_uefi_the_override_is_left_while_the_installer_runs() {
    let setup = Setup::new();
    setup.call(SET_BOOT, json!({})).await.unwrap();
    {
        let mut state = setup.gate.state();
        state.ledger_mut().facts.uefi = true;
        state.ledger_mut().facts.restarted = true;
    }
    setup.gate.reverse_all().await.unwrap();
    assert_eq!(
        setup.undone(),
        [("board.clear-override".to_owned(), UndoState::Left)]
    );
    assert_eq!(setup.board.called(), ["board.set-override"]);
}
