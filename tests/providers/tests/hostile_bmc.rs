//! `ipmi` against BMCs that misbehave, and an `ipmitool` that does: one clear message, nothing beyond its deadline, bounded memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use serde_json::json;
use std::time::{Duration, Instant};
use wreimage_capability::Fault;
use wreimage_capability::ipmi::PowerState;
use wreimage_provider_tests::bmc::table;
use wreimage_provider_tests::call::ask;
use wreimage_provider_tests::hostile_ssh::memory;
use wreimage_provider_tests::site::TestSite;
use wreimage_provider_tests::tools::{script, udp_port};
use wreimage_provider_tests::udp::answering;

async fn power(site: &TestSite, tables: &str) -> Result<PowerState, Fault> {
    let providers = site.open(tables);
    let (before, start) = (memory(), Instant::now());
    let answer = ask(&providers, "ipmi.get-power-state", json!({})).await;
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{:?}",
        start.elapsed()
    );
    let grown = memory().saturating_sub(before);
    assert!(grown < 64, "{grown} MiB");
    answer
}

fn is_clear(fault: &Fault) {
    assert!(
        fault.message.contains("BMC host1001.mgmt.lab1.test") && fault.message.len() < 500,
        "{}",
        fault.message
    );
}

/// RMCP with an IPMI 2.0 session header (payload type, session, sequence number, length) and a payload.
fn packet(kind: u8, session: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![6, 0, 0xff, 7, 6, kind];
    bytes.extend(session.to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(u16::try_from(payload.len()).unwrap().to_le_bytes());
    bytes.extend(payload);
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_that_are_no_answer_are_not_believed() {
    let servers = [
        answering(|_| vec![vec![0xa5; 300]; 3]),
        // The request itself.
        answering(|request| vec![request.to_vec(); 3]),
        // The opening of another session, and a message in it.
        answering(|_| {
            let opened: Vec<u8> = (0..36).collect();
            vec![
                packet(0x11, 0, &opened),
                packet(0x13, 0xdead_beef, &opened),
                packet(
                    0x00,
                    0xdead_beef,
                    &[0x81, 0x04, 0x7b, 0x20, 0, 1, 0, 1, 0, 0, 0xde],
                ),
            ]
        }),
        // Packets that are shorter than they say.
        answering(|_| {
            let mut short = packet(0x11, 0, &[0; 8]);
            short[14] = 0xff;
            short[15] = 0xff;
            vec![short, vec![6, 0, 0xff, 7], vec![6]]
        }),
    ];
    for port in servers {
        let site = TestSite::new();
        let tables = format!("{}timeout = \"4s\"\ntries = 1\n", table(port, ""));
        let fault = power(&site, &tables).await.unwrap_err();
        is_clear(&fault);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ipmitool_that_does_not_end_is_killed_with_its_children() {
    for body in [
        "exec yes 01",
        "exec yes noise >&2",
        "trap '' TERM HUP; sleep 300 & echo $! > pid; wait; sleep 300",
    ] {
        let site = TestSite::new();
        let body = body.replace("> pid", &format!("> {}", site.path("pid").display()));
        script(&site.path("ipmitool"), &format!("#!/bin/sh\n{body}\n"));
        let more = format!(
            "program = \"{}\"\ntimeout = \"2s\"\ntries = 1",
            site.path("ipmitool").display()
        );
        let fault = power(&site, &table(udp_port(), &more)).await.unwrap_err();
        is_clear(&fault);
        assert!(
            fault.message.contains("killed after 2 s"),
            "{}",
            fault.message
        );
        if let Ok(pid) = std::fs::read_to_string(site.path("pid")) {
            let status = format!("/proc/{}/status", pid.trim());
            let gone =
                || std::fs::read_to_string(&status).map_or(true, |it| it.contains("State:\tZ"));
            let end = Instant::now() + Duration::from_secs(2);
            while !gone() {
                assert!(Instant::now() < end, "{pid} still runs");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_no_power_state_is_unknown_and_shown_in_part() {
    let site = TestSite::new();
    script(
        &site.path("ipmitool"),
        "#!/bin/sh\nhead -c 4000000 /dev/zero | tr '\\0' 'z'\n",
    );
    let more = format!("program = \"{}\"", site.path("ipmitool").display());
    match power(&site, &table(udp_port(), &more)).await {
        Ok(PowerState::Unknown(text)) => assert!(text.len() < 500, "{}", text.len()),
        other => panic!("{other:?}"),
    }
}
