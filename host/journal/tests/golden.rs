//! The form of every record, as it stands in journals that exist: it is read for ever, and never changes.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::json;
use std::collections::BTreeSet;
use std::path::Path;
use wreimage_capability::lease::{ClaimedHost, Token};
use wreimage_capability::netbox::{Device, DeviceKind, DeviceStatus, Firmware, SwitchPort};
use wreimage_capability::{Effect, Fault, HostSnapshot};
use wreimage_journal::{
    AcceptedBoot, Answered, Checked, Ending, Entry, GuestEnd, Header, Intent, KnownBy,
    LeaseRequested, Level, Mode, OnFailure, Origin, Outcome, Question, Reality, Record,
    RecordedEffects, Reported, ReportedKey, RunOutcome, Timer, UndoClosed, UndoState,
};

/// One of each kind, and of each form that a kind has.
fn all() -> Vec<Record> {
    let word = str::to_owned;
    let outcome = |result| {
        Record::Outcome(Outcome {
            call: 7,
            function: word("ipmi.set-power"),
            effect: Effect::Once,
            origin: Origin::Guest,
            component: None,
            arguments: json!({ "action": "Cycle" }),
            result,
            reality: Reality::Real,
            took_ms: 1200,
        })
    };
    let closed = |state| {
        Record::UndoClosed(UndoClosed {
            call: 5,
            inverse: word("dhcp.withdraw"),
            thing: word("the DHCP entry"),
            state,
            text: word("by the guest"),
        })
    };
    let ended = |level| Record::StepEnded {
        phase: word("install"),
        name: word("Reboot the host via IPMI"),
        level,
        text: word("power cycle"),
        evidence: vec![(word("boot id"), word("b1"))],
        took_ms: 3,
        component: None,
    };
    let header = |host_key| {
        Record::Header(Box::new(Header {
            format: 1,
            run: word("20260105T080000-host1001-00000001"),
            host: word("host1001"),
            site: word("lab1"),
            dry_run: false,
            guest: word("reimage"),
            guest_version: word("0.1.0"),
            guest_digest: word("d1"),
            plugs: Vec::new(),
            options: vec![(word("os"), word("bookworm"))],
            actor: word("somebody"),
            controller: word("controller1001"),
            reason: Some(word("a new disk")),
            batch: Some(word("20260105T080000-batch-00000001")),
            mode: Mode::World(word("/srv/world")),
            policy: Some(word("9e8d")),
            resumable: true,
            on_failure: OnFailure::Ask,
            absent: vec![word("conftool")],
            lock: Some(word("lab1/host1001")),
            // As earlier versions pinned them, and as this one does.
            effects: match host_key {
                None => RecordedEffects::Digest(word("e1")),
                Some(_) => RecordedEffects::Functions([(word("clock.sleep"), word("wait"))].into()),
            },
            host_key,
            wreimage: word("0.1.0"),
        }))
    };
    let accepted = |known_by| {
        Record::BootPinned(AcceptedBoot {
            boot_id: word("b1"),
            host_key: word("SHA256:k1"),
            known_by,
        })
    };
    let reported = ReportedKey {
        signed_ms: 1_767_600_000_000,
        reported_ms: 1_767_600_090_000,
    };
    vec![
        header(None),
        Record::Consented {
            first: word("icinga.set-downtime"),
            known: vec![(word("serial"), word("LAB1001"))],
            shown: Vec::new(),
        },
        Record::StepBegan {
            phase: word("install"),
            name: word("Reboot the host via IPMI"),
            expected_ms: Some(300_000),
        },
        Record::Intent(Intent {
            call: 7,
            function: word("ipmi.set-power"),
            effect: Effect::Once,
            origin: Origin::Guest,
            component: None,
            arguments: json!({ "action": "Cycle" }),
            witness: Some(json!({ "on": true })),
        }),
        Record::UndoOpened {
            call: 5,
            inverse: word("dhcp.withdraw"),
            thing: word("the DHCP entry"),
        },
        Record::Progress {
            call: 7,
            text: word("no answer (in POST)"),
        },
        outcome(Ok(json!(null))),
        outcome(Err(
            Fault::timeout("ipmi.timeout", "BMC", "no answer").with("raw", "0x")
        )),
        Record::Timer(Timer {
            call: 8,
            function: word("remote.wait-for-boot"),
            origin: Origin::Guest,
            arguments: json!({ "at": "Either" }),
            due_ms: 1_767_600_000_000,
        }),
        ended(Level::Success),
        ended(Level::Skipped),
        ended(Level::Warning),
        ended(Level::Failure),
        ended(Level::Unfinished),
        Record::Note {
            level: Level::Warning,
            text: word("look"),
            by_host: true,
            component: None,
        },
        Record::Log {
            severity: word("info"),
            text: word("a line"),
        },
        Record::Reminder {
            key: None,
            text: word("nginx.service is masked"),
            command: word("systemctl unmask nginx.service"),
            extra: Vec::new(),
        },
        Record::Question(Question {
            call: 9,
            question: word("it failed"),
            choices: vec![(word("retry"), word("try again"))],
            consent: false,
        }),
        Record::Answer(Answered {
            call: 9,
            answer: word("retry"),
            by: word("tester"),
        }),
        closed(UndoState::Done),
        closed(UndoState::Failed),
        closed(UndoState::NotNeeded),
        closed(UndoState::Left),
        Record::Signal {
            signal: word("cancel"),
        },
        Record::TwinEntered {
            function: word("icinga.set-downtime"),
        },
        Record::GuestEnded(GuestEnd::Returned(json!({ "verdict": "Success" }))),
        Record::GuestEnded(GuestEnd::Faulted(Fault::cancelled("no"))),
        Record::GuestEnded(GuestEnd::Trapped(word("unreachable"))),
        Record::GuestEnded(GuestEnd::Stopped(word("refused"), word("nobody confirmed"))),
        Record::GuestEnded(GuestEnd::Cancelled),
        Record::Paused {
            why: word("it waits for an answer"),
        },
        Record::Resumed {
            actor: word("somebody"),
            controller: word("controller1001"),
            wreimage: word("0.1.0"),
            undriven_ms: 90_000,
        },
        Record::GuestChanged {
            digest: word("d2"),
            version: word("0.2.0"),
        },
        Record::Finished(Ending {
            outcome: RunOutcome::Failed,
            summary: word("the installer never came"),
            touched: true,
            left: vec![word("the boot override")],
            invalid_options: false,
        }),
        Record::Question(Question {
            call: 10,
            question: word("may host1001 be changed?"),
            choices: vec![(word("host1001"), word("yes"))],
            consent: true,
        }),
        Record::LeaseRequested(Box::new(LeaseRequested {
            token: Token(word("0123456789abcdef0123456789abcdef")),
            host: ClaimedHost {
                fqdn: word("host1001.example"),
                serial: Some(word("LAB1001")),
                uuid: None,
                mac: Some(word("02:00:00:00:10:01")),
                bmc: Some(word("192.0.2.101")),
            },
            take_over: Some(word("20260105T070000-host1001-00000001")),
        })),
        Record::LeaseAcquired {
            token: Token(word("0123456789abcdef0123456789abcdef")),
            acquisition: 3,
        },
        Record::Withheld {
            call: 7,
            why: word("an operator broke the claim"),
        },
        Record::LeaseReleased {
            token: Token(word("0123456789abcdef0123456789abcdef")),
        },
        Record::Consented {
            first: word("icinga.set-downtime"),
            known: vec![(word("serial"), word("LAB1001"))],
            shown: vec![(word("guest"), word("d1"))],
        },
        Record::Checked(Box::new(Checked {
            snapshot: Some(HostSnapshot {
                device: device(),
                switch_port: Some(SwitchPort {
                    switch_name: word("asw1"),
                    port: word("ge-0/0/1"),
                    vlan: word("private1"),
                    extra: Vec::new(),
                }),
                bmc_addresses: vec!["10.65.0.1".parse().unwrap()],
            }),
            bmc: Some(Reported {
                serial: Some(word("LAB1001")),
                uuid: Some(word("00000000-0000-4000-8000-000000001001")),
            }),
            guid_unrelated: true,
            system: Some(Reported {
                serial: Some(word("LAB1001")),
                uuid: None,
            }),
            old_os: Some(word("Debian GNU/Linux 11 (bullseye)")),
        })),
        Record::Checked(Box::default()),
        accepted(None),
        Record::HostKeyAccepted {
            fingerprint: word("SHA256:k2"),
            reported: Some(reported),
        },
        Record::HostKeyAccepted {
            fingerprint: word("SHA256:k3"),
            reported: None,
        },
        header(Some(word("SHA256:k1"))),
        accepted(Some(KnownBy::Operator)),
        accepted(Some(KnownBy::Run(word(
            "20260105T070000-host1001-00000001",
        )))),
        accepted(Some(KnownBy::Certificate(reported))),
        Record::FollowUp {
            key: word("downtime"),
            text: word("host1001 is in downtime"),
            command: word("amtool silence expire 6f1c-2"),
            extra: vec![(word("id"), word("6f1c-2"))],
        },
        Record::FollowUpEnded {
            key: word("downtime"),
        },
        Record::Reminder {
            key: Some(word("mask/nginx.service")),
            text: word("nginx.service is masked"),
            command: word("systemctl unmask nginx.service"),
            extra: Vec::new(),
        },
    ]
}

fn device() -> Device {
    let word = str::to_owned;
    Device {
        name: word("host1001"),
        fqdn: word("host1001.lab1.test"),
        management_fqdn: Some(word("host1001.mgmt.lab1.test")),
        site: word("lab1"),
        status: DeviceStatus::Active,
        kind: DeviceKind::Physical,
        firmware: Firmware::Uefi,
        vendor: Some(word("Lab")),
        serial: Some(word("LAB1001")),
        machine_uuid: Some(word("00000000-0000-4000-8000-000000001001")),
        primary_ip: Some(word("10.64.0.1")),
        mac: Some(word("aa:00:00:00:10:01")),
        tags: vec![word("db")],
        extra: Vec::new(),
    }
}

/// A kind that is added is added above as well: this does not compile without it.
fn kind(record: &Record) -> &'static str {
    match record {
        Record::Header(_) => "header",
        Record::Intent(_) => "intent",
        Record::Outcome(_) => "outcome",
        Record::Progress { .. } => "progress",
        Record::StepBegan { .. } => "step-began",
        Record::StepEnded { .. } => "step-ended",
        Record::Note { .. } => "note",
        Record::Timer(_) => "timer",
        Record::Log { .. } => "log",
        Record::FollowUp { .. } => "follow-up",
        Record::FollowUpEnded { .. } => "follow-up-ended",
        Record::Reminder { .. } => "reminder",
        Record::Question(_) => "question",
        Record::Answer(_) => "answer",
        Record::Consented { .. } => "consented",
        Record::Checked(_) => "checked",
        Record::BootPinned(_) => "boot-pinned",
        Record::HostKeyAccepted { .. } => "host-key-accepted",
        Record::UndoOpened { .. } => "undo-opened",
        Record::UndoClosed(_) => "undo-closed",
        Record::Signal { .. } => "signal",
        Record::TwinEntered { .. } => "twin-entered",
        Record::GuestEnded(_) => "guest-ended",
        Record::Paused { .. } => "paused",
        Record::Resumed { .. } => "resumed",
        Record::GuestChanged { .. } => "guest-changed",
        Record::Finished(_) => "finished",
        Record::LeaseRequested(_) => "lease-requested",
        Record::LeaseAcquired { .. } => "lease-acquired",
        Record::LeaseReleased { .. } => "lease-released",
        Record::Withheld { .. } => "withheld",
    }
}

/// How many kinds there are.
const KINDS: usize = 31;

#[test]
fn every_record_has_the_form_that_it_had() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/records.jsonl");
    let entries: Vec<Entry> = (1..)
        .zip(all())
        .map(|(number, record)| Entry {
            number,
            time: jiff::Timestamp::from_second(1_767_600_000).unwrap(),
            record,
        })
        .collect();
    let kinds: BTreeSet<&str> = entries.iter().map(|entry| kind(&entry.record)).collect();
    assert_eq!(kinds.len(), KINDS, "a kind has no example: {kinds:?}");
    let written: String = entries
        .iter()
        .map(|entry| format!("{}\n", serde_json::to_string(entry).unwrap()))
        .collect();
    if std::env::var_os("WRITE_GOLDEN").is_some() {
        std::fs::write(&file, &written).unwrap();
    }
    let golden = std::fs::read_to_string(&file).unwrap();
    for (line, (golden, written)) in golden.lines().zip(written.lines()).enumerate() {
        assert_eq!(golden, written, "line {}", line + 1);
    }
    assert_eq!(golden, written);
    let read: Vec<Entry> = golden
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(read, entries);
    for (entry, line) in entries.iter().zip(golden.lines()) {
        assert!(
            line.contains(&format!("\"event\":\"{}\"", kind(&entry.record))),
            "{line}"
        );
    }
}

/// The last record as versions before this one wrote it.
const EARLIER_ENDING: &str = r#"{"number":34,"time":"2026-01-05T08:00:00Z","event":"finished","outcome":"failed","summary":"the installer never came","touched":true,"left":["the boot override"],"exit_code":21}"#;

#[test]
fn an_ending_of_an_earlier_version_is_the_ending_of_today() {
    let earlier: Entry = serde_json::from_str(EARLIER_ENDING).unwrap();
    let is_it = |record: &Record| matches!(record, Record::Finished(_));
    let today = all().into_iter().find(is_it).unwrap();
    assert_eq!(earlier.record, today);
}

#[test]
fn a_record_that_is_not_understood_is_refused() {
    for line in [
        r#"{"number":1,"time":"2026-01-05T08:00:00Z","event":"teleported"}"#,
        r#"{"number":1,"time":"2026-01-05T08:00:00Z","event":"signal"}"#,
        r#"{"number":1,"time":"2026-01-05T08:00:00Z"}"#,
        // Fields of a later version may change what the record means.
        r#"{"number":1,"time":"2026-01-05T08:00:00Z","event":"signal","signal":"cancel","only":"tomorrow"}"#,
        r#"{"number":1,"time":"2026-01-05T08:00:00Z","event":"answer","call":7,"answer":"retry","by":"x","until":"noon"}"#,
        "{}",
        "",
    ] {
        assert!(serde_json::from_str::<Entry>(line).is_err(), "{line}");
    }
}
