//! Which calls are made, and what stands in the record of them.

use super::*;

#[tokio::test]
async fn what_is_not_granted_is_denied_by_name_and_not_called() {
    let setup = Setup::with(|gate| {
        gate.context.grants = Grants::only(["netboot".to_owned()], "the site file x")
    });
    let fault = setup.call(POWER_STATE, json!({})).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Denied);
    assert!(fault.message.contains("board.get-state") && fault.message.contains("the site file x"));
    assert!(setup.board.called().is_empty());
}

#[tokio::test]
async fn an_absent_capability_is_unsupported() {
    let setup = Setup::with(|gate| gate.context.absent = ["board".to_owned()].into());
    let fault = setup.call(POWER_STATE, json!({})).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unsupported);
    assert!(setup.board.called().is_empty());
}

#[tokio::test]
async fn a_guest_that_says_it_only_reads_cannot_change_anything() {
    let setup = Setup::with(|gate| gate.context.may_mutate = false);
    let fault = setup.call(SET_POWER, json!({})).await.unwrap_err();
    assert_eq!(fault.code, "gate.read-only");
    assert!(setup.board.called().is_empty());
}

#[tokio::test]
async fn without_consent_nothing_is_touched() {
    let setup = Setup::with(|gate| {
        gate.consent = Arc::new(GivenConsent("host1002".to_owned()));
        gate.state.get_mut().unwrap().ledger_mut().consented = false;
        // Nobody to compare with: the refusal must come from the missing consent alone.
        gate.context.absent = ["board".to_owned(), "register".to_owned()].into();
    });
    let stop = setup
        .gate
        .call_by_guest(PUBLISH, json!({}))
        .await
        .unwrap_err();
    assert!(
        matches!(&stop, Stop::Refused(why) if why.contains("host1002") && why.contains("Nothing was touched"))
    );
    assert!(setup.netboot.called().is_empty());
    assert!(!setup.gate.state().touched);
}

#[tokio::test]
async fn an_intent_stands_in_the_record_before_the_outcome() {
    let setup = Setup::new();
    setup
        .call(SET_POWER, json!({"action": "Cycle"}))
        .await
        .unwrap();
    let records: Vec<Record> = setup.log.entries().into_iter().map(|e| e.record).collect();
    let at = records
        .iter()
        .position(|it| matches!(it, Record::Intent(_)));
    let records = &records[at.unwrap()..];
    assert!(matches!(&records[0], Record::Intent(i) if i.witness == Some(json!({"power": "on"}))));
    assert!(matches!(&records[1], Record::Outcome(o) if o.result.is_ok() && o.call == 1));
}

#[tokio::test]
async fn closing_words_cannot_make_what_nobody_would_take_back() {
    let setup = Setup::new();
    setup.gate.state().ledger_mut().closing = true;
    let fault = setup.call(PUBLISH, json!({})).await.unwrap_err();
    assert_eq!(fault.code, "gate.closing");
    assert!(setup.netboot.called().is_empty());
}

#[tokio::test]
async fn a_cancel_in_the_closing_words_does_not_change_them() {
    let setup = Setup::new();
    setup.call(PUBLISH, json!({})).await.unwrap();
    setup.gate.state().ledger_mut().closing = true;
    setup.gate.cancel.cancel();
    assert!(setup.call(POWER_STATE, json!({})).await.is_ok());
    assert!(setup.call(SET_POWER, json!({})).await.is_ok());
    assert!(!setup.gate.state().cancelled);
}

#[tokio::test]
async fn after_a_cancel_the_guest_is_told_and_undo_still_works() {
    let setup = Setup::new();
    setup.call(PUBLISH, json!({})).await.unwrap();
    setup.gate.cancel.cancel();
    assert_eq!(
        setup.call(SET_POWER, json!({})).await.unwrap_err().kind,
        FaultKind::Cancelled
    );
    setup.gate.state().ledger_mut().closing = true;
    setup.gate.reverse_all().await.unwrap();
    assert_eq!(
        setup.netboot.called(),
        ["netboot.offer", "netboot.withdraw"]
    );
}

#[tokio::test]
async fn the_engine_answers_every_function_that_it_serves() {
    let served = made_up::catalogue()
        .iter()
        .filter(|capability| capability.server == wreimage_capability::Server::Engine)
        .flat_map(|capability| capability.functions);
    let mut asked = 0;
    for function in served {
        let answer = Setup::new().call(function, json!({})).await;
        let unknown = matches!(&answer, Err(fault) if fault.code == "gate.unknown-function");
        assert!(!unknown, "{function}: {answer:?}");
        asked += 1;
    }
    assert!(asked > 5, "{asked}");
}

#[tokio::test]
async fn the_guest_gets_the_marks_by_which_the_site_knows_an_installer() {
    for (marks, expected) in [(vec![], 0), (vec!["inst.ks=".to_owned()], 1)] {
        let setup = Setup::with(|gate| {
            if !marks.is_empty() {
                gate.context.installer_marks = InstallerMarks::new(marks.clone());
            }
        });
        let request = setup.call(&wreimage_capability::run::functions::get_request, json!({}));
        let request = request.await.unwrap();
        let extra = request["extra"].as_array().unwrap().clone();
        let given = extra.iter().filter(|it| it[0] == "installer-mark").count();
        assert_eq!(given, expected, "{extra:?}");
    }
}
