//! What is taken back, and what is not.

use super::*;

#[tokio::test]
async fn undo_runs_last_first_with_what_was_made_and_past_failures() {
    let setup = Setup::new();
    setup.dhcp.answer(Ok(json!({"digest": "1"})));
    setup.call(PUBLISH, json!({})).await.unwrap();
    setup.call(SET_BOOT, json!({})).await.unwrap();
    setup
        .ipmi
        .answer(Err(Fault::unreachable("ipmi.unreachable", "BMC", "gone")));
    setup.course.take_back().await.unwrap();
    assert_eq!(
        setup.undone(),
        [
            ("ipmi.clear-boot-device".to_owned(), UndoState::Failed),
            ("dhcp.withdraw".to_owned(), UndoState::Done),
        ]
    );
    assert_eq!(
        setup.dhcp.made.lock().unwrap()[1],
        Some(json!({"digest": "1"}))
    );
}

#[tokio::test]
async fn what_the_guest_took_back_is_not_taken_back_again() {
    let setup = Setup::new();
    setup.call(PUBLISH, json!({})).await.unwrap();
    setup.dhcp.answer(Ok(json!(true)));
    setup.call(WITHDRAW, json!({})).await.unwrap();
    setup.course.take_back().await.unwrap();
    assert_eq!(setup.dhcp.called(), ["dhcp.publish", "dhcp.withdraw"]);
}

#[tokio::test]
async fn what_is_seen_after_it_was_said_to_be_gone_is_taken_back_once_more() {
    let setup = Setup::new();
    let made = json!({"digest": "1"});
    setup.dhcp.answer(Ok(made.clone()));
    setup.call(PUBLISH, json!({})).await.unwrap();
    setup.dhcp.answer(Ok(json!(true)));
    setup.call(WITHDRAW, json!({})).await.unwrap();
    setup.dhcp.answer(Ok(json!({"digest": "of somebody else"})));
    setup.call(GET_PUBLISHED, json!({})).await.unwrap();
    assert_eq!(setup.course.state().undo.entries().len(), 0);
    setup.dhcp.answer(Ok(made.clone()));
    setup.call(GET_PUBLISHED, json!({})).await.unwrap();
    setup.course.take_back().await.unwrap();
    assert_eq!(setup.dhcp.called().last().unwrap(), "dhcp.withdraw");
    assert_eq!(setup.dhcp.made.lock().unwrap().last(), Some(&Some(made)));
    assert_eq!(
        setup.undone(),
        [("dhcp.withdraw".to_owned(), UndoState::Done)]
    );
}

#[tokio::test]
async fn a_mutation_that_failed_without_effect_needs_no_undo_and_one_in_doubt_does() {
    let setup = Setup::new();
    setup.dhcp.answer(Err(Fault::denied("x", "y", "no")));
    setup.call(PUBLISH, json!({})).await.unwrap_err();
    assert_eq!(
        setup.undone(),
        [("dhcp.withdraw".to_owned(), UndoState::NotNeeded)]
    );
    setup.dhcp.answer(Err(Fault::timeout("x", "y", "late")));
    setup.call(PUBLISH, json!({})).await.unwrap_err();
    setup.course.take_back().await.unwrap();
    assert_eq!(setup.dhcp.called().last().unwrap(), "dhcp.withdraw");
}

#[tokio::test]
async fn on_uefi_the_override_is_left_while_the_installer_runs() {
    let setup = Setup::new();
    setup.call(SET_BOOT, json!({})).await.unwrap();
    {
        let mut state = setup.course.state();
        state.facts.uefi = true;
        state.facts.restarted = true;
    }
    setup.course.take_back().await.unwrap();
    assert_eq!(
        setup.undone(),
        [("ipmi.clear-boot-device".to_owned(), UndoState::Left)]
    );
    assert_eq!(setup.ipmi.called(), ["ipmi.set-boot-device"]);
}
