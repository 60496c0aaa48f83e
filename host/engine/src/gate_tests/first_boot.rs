//! Which host key is accepted at the installer identity when the run has not waited for a boot.

use super::checks::{Host, NobodyThere, host_with};
use super::*;
use crate::ledger::boots::{RecordedKey, accepted_key_of};
use wreimage_journal::{AcceptedBoot, Entry, KnownBy};

const KERNEL: &Function = &inside::functions::get_kernel;
const RUN: &Function = &inside::functions::execute;
const KEY: &str = "SHA256:k1";

fn boot(key: &str) -> PinnedBoot {
    PinnedBoot {
        boot_id: "b1".to_owned(),
        host_key: key.to_owned(),
    }
}

/// A host on which an earlier run left its system.
fn left(change: impl FnOnce(&mut RunGate)) -> Host {
    let host = host_with(change);
    *host.setup.inside.boot.lock().unwrap() = Some(boot(KEY));
    host
}

fn recorded(key: &'static str) -> impl FnOnce(&mut RunGate) {
    move |gate| {
        gate.recorded_keys = Some(Arc::new(move |boot_id| {
            (boot_id == "b1").then(|| RecordedKey {
                run: "earlier".to_owned(),
                host_key: key.to_owned(),
            })
        }));
    }
}

async fn read(host: &Host) -> Result<Value, Fault> {
    let inside = &host.setup.inside;
    inside.answer(Ok(json!("quiet")));
    // Which machine it is.
    inside.answer(Ok(json!({"serial": "S1"})));
    let read = host
        .setup
        .gate
        .call_by_guest(KERNEL, json!({"at": "Installer"}));
    let answer = read.await.unwrap();
    inside.answers.lock().unwrap().clear();
    answer
}

fn accepted(host: &Host) -> Vec<AcceptedBoot> {
    let entries = host.setup.log.entries().into_iter();
    entries
        .filter_map(|entry| match entry.record {
            Record::BootPinned(boot) => Some(boot),
            _ => None,
        })
        .collect()
}

fn known_by(host: &Host) -> Option<KnownBy> {
    accepted(host).first().unwrap().known_by.clone()
}

#[tokio::test]
async fn a_key_that_nothing_confirms_is_shown_at_consent_with_the_machine_behind_it() {
    let host = left(|gate| gate.consent = Arc::new(NobodyThere));
    read(&host).await.unwrap();
    assert_eq!(known_by(&host), None);
    let stop = host.stopped(PUBLISH).await;
    for words in [KEY, "serial number S1", "nothing confirms"] {
        assert!(
            matches!(&stop, Stop::Paused(why) if why.contains(words)),
            "{stop}"
        );
    }
    assert!(host.setup.netboot.called().is_empty());
}

#[tokio::test]
async fn consent_in_advance_does_not_cover_a_key_that_nothing_confirms() {
    let host = left(|_| {});
    read(&host).await.unwrap();
    let stop = host.stopped(PUBLISH).await;
    let words = format!("`--host-key {KEY}`");
    assert!(
        matches!(&stop, Stop::Refused(why) if why.contains(&words) && why.contains("Nothing was touched")),
        "{stop}"
    );
    assert!(host.setup.netboot.called().is_empty());
    // Where a new system is installed, what is there does not matter.
    let installs = left(|gate| gate.context.keeps_system = false);
    read(&installs).await.unwrap();
    installs.ok(PUBLISH).await;
}

#[tokio::test]
async fn the_key_that_the_operator_has_given_is_accepted_there_and_no_other() {
    let host = left(|gate| gate.context.given_host_key = Some(KEY.to_owned()));
    read(&host).await.unwrap();
    assert_eq!(known_by(&host), Some(KnownBy::Operator));
    host.ok(PUBLISH).await;
    let other = left(|gate| gate.context.given_host_key = Some("SHA256:k2".to_owned()));
    let fault = read(&other).await.unwrap_err();
    assert_eq!(fault.code, HOST_KEY_REFUSED);
    assert!(fault.message.contains("SHA256:k2") && fault.message.contains(KEY));
    assert!(accepted(&other).is_empty());
}

#[tokio::test]
async fn the_key_that_a_journal_here_recorded_for_this_boot_is_accepted_and_no_other() {
    let host = left(recorded(KEY));
    read(&host).await.unwrap();
    assert_eq!(known_by(&host), Some(KnownBy::Run("earlier".to_owned())));
    host.ok(PUBLISH).await;
    let other = left(recorded("SHA256:k2"));
    let fault = read(&other).await.unwrap_err();
    assert_eq!(fault.code, HOST_KEY_REFUSED);
    assert!(
        fault.message.contains("the run earlier accepted SHA256:k2"),
        "{fault:?}"
    );
    assert!(accepted(&other).is_empty());
    // Of another boot it says nothing.
    let next = left(recorded(KEY));
    next.setup
        .inside
        .boot
        .lock()
        .unwrap()
        .as_mut()
        .unwrap()
        .boot_id = "b2".to_owned();
    read(&next).await.unwrap();
    assert_eq!(known_by(&next), None);
}

#[tokio::test]
async fn the_key_that_the_certificate_has_reported_is_accepted_there_too() {
    for (key, is_known) in [(KEY, true), ("SHA256:k2", false)] {
        let (authority, database) = (Arc::new(Script::default()), Arc::new(Script::default()));
        authority.answer(Ok(json!(1000)));
        database.answer(Ok(json!([{ "fingerprint": key, "reported_ms": 1001 }])));
        let host = left(|gate| {
            let state = gate.state.get_mut().unwrap();
            state.providers.add(("authority", authority));
            state.providers.add(("reports", database));
        });
        read(&host).await.unwrap();
        let known = known_by(&host);
        assert_eq!(
            matches!(known, Some(KnownBy::Certificate(_))),
            is_known,
            "{known:?}"
        );
    }
}

#[tokio::test]
async fn after_consent_a_first_boot_is_accepted_only_when_its_key_is_confirmed() {
    let host = left(|_| {});
    host.ok(PUBLISH).await;
    let fault = read(&host).await.unwrap_err();
    assert_eq!(fault.code, HOST_KEY_REFUSED);
    assert!(
        fault.message.contains("consent did not show it"),
        "{fault:?}"
    );
    let confirmed = left(recorded(KEY));
    confirmed.ok(PUBLISH).await;
    read(&confirmed).await.unwrap();
}

#[tokio::test]
async fn a_boot_that_the_run_has_waited_for_is_accepted_where_waits_report_no_key() {
    let host = left(|_| {});
    host.ok(PUBLISH).await;
    host.setup.inside.answer(Ok(json!({
        "at": "Installer", "id": "b1"
    })));
    host.setup.inside.answer(Ok(json!({"serial": "S1"})));
    let waited = host.setup.gate.call_by_guest(WAIT, wait_arguments());
    waited.await.unwrap().unwrap();
    assert_eq!(known_by(&host), None);
    *host.setup.inside.boot.lock().unwrap() = Some(boot("SHA256:k2"));
    assert_eq!(read(&host).await.unwrap_err().code, HOST_KEY_REFUSED);
}

#[tokio::test]
async fn nothing_is_changed_in_a_boot_that_was_not_accepted_before() {
    // Without an inventory no read of the host's own comes before the change.
    let host = left(|gate| {
        gate.context.absent = ["register".to_owned()].into();
        recorded(KEY)(gate);
    });
    let command = json!({"at": "Installer", "command": {"argv": ["true"], "timeout_ms": 1000}});
    let run = host.setup.gate.call_by_guest(RUN, command.clone());
    let fault = run.await.unwrap().unwrap_err();
    assert_eq!(fault.code, HOST_KEY_REFUSED);
    read(&host).await.unwrap();
    let run = host.setup.gate.call_by_guest(RUN, command);
    run.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_resumed_run_accepts_only_the_boot_that_it_has_accepted() {
    let first = left(recorded(KEY));
    read(&first).await.unwrap();
    first.ok(PUBLISH).await;
    let host = first.resumed(|_| {});
    *host.setup.inside.boot.lock().unwrap() = Some(boot("SHA256:k2"));
    let again = host
        .setup
        .gate
        .call_by_guest(KERNEL, json!({"at": "Installer"}));
    assert_eq!(again.await.unwrap(), Ok(json!("quiet")));
    host.replay(PUBLISH).await;
    let fault = read(&host).await.unwrap_err();
    assert_eq!(fault.code, HOST_KEY_REFUSED);
    assert!(accepted(&host).is_empty());
}

#[test]
fn a_journal_confirms_what_its_run_waited_for_or_was_sure_of() {
    let entry = |record| Entry {
        number: 1,
        time: Timestamp::UNIX_EPOCH,
        record,
    };
    let pinned = |known_by| {
        entry(Record::BootPinned(AcceptedBoot {
            boot_id: "b1".to_owned(),
            host_key: KEY.to_owned(),
            known_by,
        }))
    };
    let outcome = |function: &str, value: Value| {
        entry(Record::Outcome(wreimage_journal::Outcome {
            call: 1,
            function: function.to_owned(),
            effect: wreimage_capability::Effect::Wait,
            origin: Origin::Guest,
            component: None,
            arguments: json!({}),
            result: Ok(value),
            reality: Reality::Real,
            took_ms: 0,
        }))
    };
    let waited = || {
        let boot = json!({
            "at": "Installer", "id": "b1", "key": KEY
        });
        outcome("inside.await-boot", boot)
    };
    let consented = || {
        entry(Record::Consented {
            first: String::new(),
            known: vec![],
            shown: vec![],
        })
    };
    let next = || outcome("board.get-state", json!("On"));
    let key = |entries: Vec<Entry>| accepted_key_of(made_up::catalogue(), &entries, "b1");
    // A run that was refused has accepted nothing.
    assert_eq!(key(vec![pinned(None)]), None);
    assert_eq!(key(vec![pinned(None), consented()]).as_deref(), Some(KEY));
    assert_eq!(
        key(vec![pinned(Some(KnownBy::Operator))]).as_deref(),
        Some(KEY)
    );
    // The machine was not compared yet.
    assert_eq!(key(vec![waited()]), None);
    assert_eq!(key(vec![waited(), next()]).as_deref(), Some(KEY));
    assert_eq!(
        accepted_key_of(made_up::catalogue(), &[waited(), next()], "b2"),
        None
    );
    let mut assumed = waited();
    if let Record::Outcome(outcome) = &mut assumed.record {
        outcome.reality = Reality::Assumed;
    }
    assert_eq!(key(vec![assumed, next()]), None);
}
