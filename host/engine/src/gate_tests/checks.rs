//! What was checked stays checked: when the host is checked again, and what a difference means.

use super::identity::{device, info};
use super::*;
use crate::consent::{Consent, ConsentRequest};
use crate::operator::LATER;
use wreimage_capability::operator;
use wreimage_journal::{Checked, Entry};

/// A host that is described, whose BMC and old system answer, and for which consent was given.
pub(super) struct Host {
    pub(super) setup: Setup,
    inventory: Arc<Script>,
}

pub(super) fn host_with(change: impl FnOnce(&mut Course)) -> Host {
    let inventory = Arc::new(Script::default());
    inventory.reads("get-device", Ok(device(&[], "S1")));
    let setup = Setup::with(|course| {
        course.resumable = true;
        course.identity_optional = false;
        let state = course.state.get_mut().unwrap();
        state.providers.add(("netbox", inventory.clone()));
        state.allowed = false;
        state.is_fresh = false;
        change(course);
    });
    setup.ipmi.reads("get-device-info", Ok(info("S1")));
    setup
        .remote
        .reads("get-dmi", Ok(json!({"serial": "S1", "machine_uuid": null})));
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
        let call = self.setup.course.call(function, json!({}), Origin::Guest);
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

    /// The run as another process goes on with it: the same world, the records of this one.
    pub(super) fn resumed(&self, change: impl FnOnce(&mut Course)) -> Host {
        let past: Vec<Entry> = self.setup.log.entries();
        let next = host_with(change);
        let last = past.iter().filter_map(|entry| match &entry.record {
            Record::Outcome(outcome) => Some(outcome.call),
            _ => None,
        });
        let recorder = &next.setup.course.recorder;
        recorder.continue_after(past.len() as u64, last.max());
        next.setup.course.has_past(past);
        next
    }

    /// Passes what the process before has done.
    pub(super) async fn replay(&self, function: &'static Function) {
        self.ok(function).await;
        assert!(self.checks().is_empty());
    }
}

#[tokio::test]
async fn one_check_serves_several_changes_and_each_restart_has_its_own() {
    let host = host();
    host.ok(PUBLISH).await;
    host.ok(SET_BOOT).await;
    assert_eq!(host.checks().len(), 1);
    host.ok(SET_POWER).await;
    host.ok(SET_POWER).await;
    assert_eq!(host.checks().len(), 3);
    let first = &host.checks()[0];
    let serial = |it: &Option<wreimage_journal::Reported>| it.clone().unwrap().serial.unwrap();
    assert_eq!(serial(&first.bmc), "S1");
    assert_eq!(serial(&first.system), "S1");
    assert_eq!(
        first.snapshot.as_ref().unwrap().device.fqdn,
        "host1001.lab1.test"
    );
}

#[tokio::test]
async fn what_was_checked_goes_with_the_call() {
    let host = host();
    let mut addressed = info("S1");
    addressed["extra"] = json!([["address", "10.65.0.1"]]);
    host.setup.ipmi.reads("get-device-info", Ok(addressed));
    host.ok(PUBLISH).await;
    // What changes after the check is not used.
    let mut moved = device(&[], "S1");
    moved["fqdn"] = json!("other.lab1.test");
    host.inventory.reads("get-device", Ok(moved));
    host.ok(WITHDRAW).await;
    let seen = host.setup.dhcp.seen.lock().unwrap().clone().unwrap();
    let snapshot = seen.snapshot.unwrap();
    assert_eq!(snapshot.device.fqdn, "host1001.lab1.test");
    assert_eq!(
        snapshot.bmc_addresses,
        ["10.65.0.1".parse::<std::net::IpAddr>().unwrap()]
    );
}

#[tokio::test]
async fn before_the_first_check_the_inventory_is_read_once() {
    let host = host();
    host.ok(GET_PUBLISHED).await;
    host.ok(GET_PUBLISHED).await;
    let seen = host.setup.dhcp.seen.lock().unwrap().clone().unwrap();
    assert_eq!(seen.snapshot.unwrap().device.name, "host1001");
    let read = |entry: &&Entry| matches!(&entry.record, Record::Outcome(it) if it.function == "netbox.get-device");
    assert_eq!(host.setup.log.entries().iter().filter(read).count(), 1);
}

#[tokio::test]
async fn a_process_that_goes_on_checks_before_its_first_change() {
    let first = host();
    first.ok(PUBLISH).await;
    let host = first.resumed(|_| {});
    host.replay(PUBLISH).await;
    host.ok(SET_BOOT).await;
    assert_eq!(host.checks().len(), 1);
}

#[tokio::test]
async fn after_an_answer_the_host_is_checked_again() {
    let host = host_with(|course| {
        course.operator = Arc::new(Answers(Mutex::new(["yes"].into())));
    });
    host.ok(PUBLISH).await;
    let question = json!({"question": "shall I?"});
    let confirm = &operator::functions::confirm;
    let asked = host.setup.course.call(confirm, question, Origin::Guest);
    asked.await.unwrap().unwrap();
    host.inventory
        .reads("get-device", Ok(device(&["protected"], "S1")));
    let stop = host.stopped(SET_BOOT).await;
    assert!(
        matches!(&stop, Stop::Refused(why) if !why.contains("Nothing was touched")),
        "{stop}"
    );
}

#[tokio::test]
async fn protection_refuses_before_the_wipe_and_pauses_after_it() {
    for status in ["tag", "decommissioning"] {
        let protect = |host: &Host| {
            let mut changed = device(&["protected"], "S1");
            if status == "decommissioning" {
                changed = device(&[], "S1");
                changed["status"] = json!("Decommissioning");
            }
            host.inventory.reads("get-device", Ok(changed));
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
        assert!(changed.setup.ipmi.called().is_empty());

        let wiping = host();
        wiping.ok(PUBLISH).await;
        wiping.ok(SET_POWER).await;
        protect(&wiping);
        let stop = wiping.stopped(SET_POWER).await;
        assert!(
            matches!(&stop, Stop::Paused(why) if why.contains("wiped")),
            "{stop}"
        );
        assert_eq!(wiping.setup.ipmi.called(), ["ipmi.set-power"]);
    }
}

#[tokio::test]
async fn another_machine_fails_the_run_before_the_wipe_and_pauses_it_after() {
    let mutations: [fn(&Host); 4] = [
        |host| host.inventory.reads("get-device", Ok(device(&[], "S2"))),
        |host| host.setup.ipmi.reads("get-device-info", Ok(info("S2"))),
        |host| {
            let dmi = json!({"serial": "S2", "machine_uuid": null});
            host.setup.remote.reads("get-dmi", Ok(dmi));
        },
        |host| {
            let gone = Fault::not_found("netbox.not-found", "inventory", "no such host");
            host.inventory.reads("get-device", Err(gone));
        },
    ];
    for (number, change) in mutations.into_iter().enumerate() {
        let changed = host();
        changed.ok(PUBLISH).await;
        change(&changed);
        let stop = changed.stopped(SET_POWER).await;
        assert!(matches!(&stop, Stop::AnotherMachine(_)), "{number}: {stop}");
        assert!(changed.setup.ipmi.called().is_empty());
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
    host.setup.ipmi.reads("get-device-info", Ok(info("S2")));
    host.setup.course.take_back().await.unwrap();
    assert_eq!(host.setup.ipmi.called(), ["ipmi.set-boot-device"]);
    assert_eq!(
        host.setup.undone(),
        [
            ("ipmi.clear-boot-device".to_owned(), UndoState::Left),
            ("dhcp.withdraw".to_owned(), UndoState::Done),
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
            host.setup.ipmi.reads("get-device-info", unreachable());
        } else {
            host.inventory.reads("get-device", unreachable());
        }
        let before = host.setup.course.recorder.clock().now();
        let stop = host.stopped(SET_POWER).await;
        assert!(
            matches!(&stop, Stop::Paused(why) if why.contains("no route") && !why.contains("Nothing was touched")),
            "{stop}"
        );
        let took = host
            .setup
            .course
            .recorder
            .clock()
            .now()
            .duration_since(before);
        assert_eq!(took.as_secs(), 50);
    }
}

#[tokio::test]
async fn a_value_that_was_absent_or_that_the_run_explains_is_no_difference() {
    let host = host_with(|course| course.options = vec![("os".to_owned(), "bookworm".to_owned())]);
    let mut bare = device(&[], "S1");
    bare["status"] = json!("Failed");
    host.inventory.reads("get-device", Ok(bare));
    host.ok(PUBLISH).await;
    let set = json!({"status": "Active"});
    let set_status = &netbox::functions::set_status;
    let called = host.setup.course.call(set_status, set, Origin::Guest);
    called.await.unwrap().unwrap();
    let mut more = device(&[], "S1");
    more["mac"] = json!("aa:00:00:00:10:01");
    more["primary_ip"] = json!("10.0.0.1");
    host.inventory.reads("get-device", Ok(more));
    host.ok(SET_POWER).await;
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

#[tokio::test]
async fn what_was_shown_and_differs_is_asked_anew_before_the_wipe_only() {
    let renamed = || {
        let mut changed = device(&["db"], "S1");
        changed["status"] = json!("Failed");
        Ok(changed)
    };
    let first = host();
    first.ok(PUBLISH).await;
    let host = first.resumed(|course| course.consent = Arc::new(NobodyThere));
    host.inventory.reads("get-device", renamed());
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
    let host = first.resumed(|course| course.consent = Arc::new(NobodyThere));
    host.inventory.reads("get-device", renamed());
    host.replay(PUBLISH).await;
    host.replay(SET_POWER).await;
    host.ok(SET_BOOT).await;
}

#[tokio::test]
async fn another_guest_or_another_site_needs_consent_anew() {
    let changes: [fn(&mut Course); 2] = [
        |course| course.digest = "d2".to_owned(),
        |course| course.site_tables = vec![("site grants".to_owned(), "g2".to_owned())],
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let first = host_with(|course| {
            course.site_tables = vec![("site grants".to_owned(), "g1".to_owned())];
        });
        first.ok(PUBLISH).await;
        first.ok(SET_POWER).await;
        let host = first.resumed(|course| {
            course.site_tables = vec![("site grants".to_owned(), "g1".to_owned())];
            course.consent = Arc::new(NobodyThere);
            change(course);
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
    let host = host_with(|course| {
        course.operator = Arc::new(Answers(Mutex::new(["yes"].into())));
    });
    host.ok(PUBLISH).await;
    let question = json!({"question": "shall I?"});
    let confirm = &operator::functions::confirm;
    let asked = host.setup.course.call(confirm, question, Origin::Guest);
    asked.await.unwrap().unwrap();
    let mut changed = device(&["db"], "S1");
    changed["primary_ip"] = json!("10.0.0.9");
    host.inventory.reads("get-device", Ok(changed.clone()));
    // The tags were not shown before; the address was absent. Neither is a difference.
    host.ok(SET_BOOT).await;
    changed["status"] = json!("Failed");
    host.inventory.reads("get-device", Ok(changed));
    let stop = host.stopped(SET_POWER).await;
    assert!(
        matches!(&stop, Stop::Paused(why) if why.contains("status")),
        "{stop}"
    );
}

#[tokio::test]
async fn a_machine_without_any_comparable_identity_is_refused_unless_the_site_lets_it_through() {
    let nothing = || {
        Ok(
            json!({"manufacturer": null, "product": null, "serial": null, "guid": null, "firmware": null, "extra": []}),
        )
    };
    let silent = || Err(Fault::unreachable("x", "y", "no route"));
    let required = host();
    required.setup.ipmi.reads("get-device-info", nothing());
    required.setup.remote.reads("get-dmi", silent());
    let stop = required.stopped(PUBLISH).await;
    assert!(
        matches!(&stop, Stop::Refused(why) if why.contains("identity = \"optional\"")),
        "{stop}"
    );
    let optional = host_with(|course| course.identity_optional = true);
    optional.setup.ipmi.reads("get-device-info", nothing());
    optional.setup.remote.reads("get-dmi", silent());
    optional.ok(PUBLISH).await;
    assert!(!optional.setup.course.state().warned);
}

#[tokio::test]
async fn bmc_and_old_system_must_agree_unless_the_guid_is_unrelated() {
    let uuid = |last: &str| format!("4c4c4544-0042-4310-8031-c1c04f32333{last}");
    for unrelated in [false, true] {
        let host = host_with(|course| {
            if unrelated {
                course.unrelated_guids = vec!["acme x1".to_owned()];
            }
        });
        let mut bmc = info("S1");
        bmc["product"] = json!("Acme X1");
        bmc["guid"] = json!(uuid("4"));
        host.setup.ipmi.reads("get-device-info", Ok(bmc));
        let dmi = json!({"serial": "S1", "machine_uuid": uuid("5")});
        host.setup.remote.reads("get-dmi", Ok(dmi));
        let called = host.try_call(PUBLISH).await;
        match called {
            Ok(Ok(_)) => assert!(unrelated),
            Err(Stop::WrongMachine(why)) => {
                assert!(!unrelated && why.contains(&uuid("5")), "{why}")
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn the_accepted_boot_goes_with_the_call_in_the_next_process_too() {
    let boot = json!({
        "identity": "Installer", "boot_id": "b1", "kernel_command_line": "", "uptime_ms": 1, "extra": [["host-key", "SHA256:k1"]]
    });
    let first = host();
    first.ok(PUBLISH).await;
    first.setup.remote.answer(Ok(boot));
    first
        .setup
        .remote
        .answer(Ok(json!({"serial": "S1", "machine_uuid": null})));
    let waited = first.setup.course.call(WAIT, patience(), Origin::Guest);
    waited.await.unwrap().unwrap();
    let host = first.resumed(|_| {});
    host.setup
        .remote
        .answer(Ok(json!({"serial": "S1", "machine_uuid": null})));
    host.replay(PUBLISH).await;
    let waited = host.setup.course.call(WAIT, patience(), Origin::Guest);
    waited.await.unwrap().unwrap();
    let uptime = &remote::functions::get_uptime;
    let read = host
        .setup
        .course
        .call(uptime, json!({"at": "Production"}), Origin::Guest);
    read.await.unwrap().unwrap();
    let seen = host.setup.remote.seen.lock().unwrap().clone().unwrap();
    assert_eq!(seen.pinned.unwrap().host_key, "SHA256:k1");
}
