//! What a difference means.

use super::*;

#[tokio::test]
async fn protection_refuses_before_the_wipe_and_pauses_after_it() {
    for status in ["tag", "decommissioning"] {
        let protect = |host: &Host| {
            let mut changed = device(&["protected"], "S1");
            if status == "decommissioning" {
                changed = device(&[], "S1");
                changed["status"] = json!("Decommissioning");
            }
            host.inventory.reads("get-host", Ok(changed));
        };
        let untouched = host();
        protect(&untouched);
        let stop = untouched.stopped(PUBLISH).await;
        assert!(
            matches!(&stop, Stop::Refused(why) if why.contains("Nothing was touched")),
            "{stop}"
        );

        let changed = host();
        changed.ok(PUBLISH).await;
        protect(&changed);
        let stop = changed.stopped(SET_POWER).await;
        assert!(
            matches!(&stop, Stop::Refused(why) if !why.contains("Nothing was touched")),
            "{stop}"
        );
        assert!(changed.setup.board.called().is_empty());

        let wiping = host();
        wiping.ok(PUBLISH).await;
        wiping.ok(SET_POWER).await;
        protect(&wiping);
        let stop = wiping.stopped(SET_POWER).await;
        assert!(
            matches!(&stop, Stop::Paused(why) if why.contains("wiped")),
            "{stop}"
        );
        assert_eq!(wiping.setup.board.called(), ["board.switch"]);
    }
}

#[tokio::test]
async fn another_machine_fails_the_run_before_the_wipe_and_pauses_it_after() {
    let mutations: [fn(&Host); 4] = [
        |host| host.inventory.reads("get-host", Ok(device(&[], "S2"))),
        |host| host.setup.board.reads("get-owner", Ok(info("S2"))),
        |host| {
            let dmi = json!({"serial": "S2"});
            host.setup.inside.reads("get-machine", Ok(dmi));
        },
        |host| {
            let gone = Fault::not_found("register.not-found", "inventory", "no such host");
            host.inventory.reads("get-host", Err(gone));
        },
    ];
    for (number, change) in mutations.into_iter().enumerate() {
        let changed = host();
        changed.ok(PUBLISH).await;
        change(&changed);
        let stop = changed.stopped(SET_POWER).await;
        assert!(matches!(&stop, Stop::AnotherMachine(_)), "{number}: {stop}");
        assert!(changed.setup.board.called().is_empty());
        if number == 2 {
            // The old system is gone with the wipe.
            continue;
        }
        let wiping = host();
        wiping.ok(PUBLISH).await;
        wiping.ok(SET_POWER).await;
        change(&wiping);
        let stop = wiping.stopped(SET_POWER).await;
        assert!(
            matches!(&stop, Stop::Paused(why) if why.contains("wiped")),
            "{number}: {stop}"
        );
    }
}

#[tokio::test]
async fn what_the_run_made_on_another_machine_is_left_and_its_entry_withdrawn() {
    let host = host();
    host.ok(PUBLISH).await;
    host.ok(SET_BOOT).await;
    host.setup.board.reads("get-owner", Ok(info("S2")));
    host.setup.gate.reverse_all().await.unwrap();
    assert_eq!(host.setup.board.called(), ["board.set-override"]);
    assert_eq!(
        host.setup.undone(),
        [
            ("board.clear-override".to_owned(), UndoState::Left),
            ("netboot.withdraw".to_owned(), UndoState::Done),
        ]
    );
}

#[tokio::test]
async fn a_system_that_does_not_answer_again_is_retried_and_then_waited_for() {
    let unreachable = || Err(Fault::unreachable("x", "y", "no route"));
    for of_bmc in [true, false] {
        let host = host();
        host.ok(PUBLISH).await;
        if of_bmc {
            host.setup.board.reads("get-owner", unreachable());
        } else {
            host.inventory.reads("get-host", unreachable());
        }
        let before = host.setup.gate.recorder.clock().now();
        let stop = host.stopped(SET_POWER).await;
        assert!(
            matches!(&stop, Stop::Paused(why) if why.contains("no route") && !why.contains("Nothing was touched")),
            "{stop}"
        );
        let took = host
            .setup
            .gate
            .recorder
            .clock()
            .now()
            .duration_since(before);
        assert_eq!(took.as_secs(), 50);
    }
}

#[tokio::test]
async fn a_value_that_was_absent_or_that_the_run_explains_is_no_difference() {
    let host =
        host_with(|gate| gate.context.options = vec![("os".to_owned(), "bookworm".to_owned())]);
    let mut bare = device(&[], "S1");
    bare["status"] = json!("Failed");
    host.inventory.reads("get-host", Ok(bare));
    host.ok(PUBLISH).await;
    let set = json!({"status": "Active"});
    let set_status = &register::functions::set_status;
    let called = host.setup.gate.call_by_guest(set_status, set);
    called.await.unwrap().unwrap();
    let mut more = device(&[], "S1");
    more["mac"] = json!("aa:00:00:00:10:01");
    more["primary_ip"] = json!("10.0.0.1");
    host.inventory.reads("get-host", Ok(more));
    host.ok(SET_POWER).await;
}

#[tokio::test]
async fn what_was_shown_and_differs_is_asked_anew_before_the_wipe_only() {
    let renamed = || {
        let mut changed = device(&["db"], "S1");
        changed["status"] = json!("Failed");
        Ok(changed)
    };
    let first = host();
    first.ok(PUBLISH).await;
    let host = first.resumed(|gate| gate.consent = Arc::new(NobodyThere));
    host.inventory.reads("get-host", renamed());
    host.replay(PUBLISH).await;
    let stop = host.stopped(SET_BOOT).await;
    assert!(
        matches!(&stop, Stop::Paused(why) if why.contains("the status was `active` and is `failed`")),
        "{stop}"
    );
    let open = host
        .setup
        .log
        .entries()
        .into_iter()
        .any(|entry| matches!(entry.record, Record::Question(question) if question.consent));
    assert!(open, "the question does not stay open");

    let first = host_with(|_| {});
    first.ok(PUBLISH).await;
    first.ok(SET_POWER).await;
    let host = first.resumed(|gate| gate.consent = Arc::new(NobodyThere));
    host.inventory.reads("get-host", renamed());
    host.replay(PUBLISH).await;
    host.replay(SET_POWER).await;
    host.ok(SET_BOOT).await;
}

#[tokio::test]
async fn another_guest_or_another_site_needs_consent_anew() {
    let changes: [fn(&mut RunGate); 2] = [
        |gate| gate.context.digest = "d2".to_owned(),
        |gate| gate.context.site_tables = vec![("site grants".to_owned(), "g2".to_owned())],
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let first = host_with(|gate| {
            gate.context.site_tables = vec![("site grants".to_owned(), "g1".to_owned())];
        });
        first.ok(PUBLISH).await;
        first.ok(SET_POWER).await;
        let host = first.resumed(|gate| {
            gate.context.site_tables = vec![("site grants".to_owned(), "g1".to_owned())];
            gate.consent = Arc::new(NobodyThere);
            change(gate);
        });
        host.replay(PUBLISH).await;
        host.replay(SET_POWER).await;
        let asked = host.try_call(SET_BOOT).await;
        // After the wipe only another program is asked about.
        assert_eq!(
            matches!(asked, Err(Stop::Paused(_))),
            number == 0,
            "{asked:?}"
        );
    }
}

#[tokio::test]
async fn consent_in_advance_counts_once_in_a_process() {
    let host = host_with(|gate| {
        gate.operator = Arc::new(Answers(Mutex::new(["yes"].into())));
    });
    host.ok(PUBLISH).await;
    let question = json!({"question": "shall I?"});
    let confirm = &operator::functions::confirm;
    let asked = host.setup.gate.call_by_guest(confirm, question);
    asked.await.unwrap().unwrap();
    let mut changed = device(&["db"], "S1");
    changed["primary_ip"] = json!("10.0.0.9");
    host.inventory.reads("get-host", Ok(changed.clone()));
    // The tags were not shown before; the address was absent. Neither is a difference.
    host.ok(SET_BOOT).await;
    changed["status"] = json!("Failed");
    host.inventory.reads("get-host", Ok(changed));
    let stop = host.stopped(SET_POWER).await;
    assert!(
        matches!(&stop, Stop::Paused(why) if why.contains("status")),
        "{stop}"
    );
}
