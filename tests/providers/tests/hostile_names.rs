//! `dns` against name servers that misbehave: one clear message within the deadline, and no more addresses than a host can have.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use serde_json::json;
use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::time::{Duration, Instant};
use wreimage_capability::Fault;
use wreimage_provider_tests::call::ask;
use wreimage_provider_tests::hostile_ssh::memory;
use wreimage_provider_tests::site::TestSite;
use wreimage_provider_tests::udp::answering;
use wreimage_site::Site;

/// `\x08host1001\x04lab1\x04test\x00`, type and class.
const HEADER: usize = 12;

/// The end of the question in a query.
fn question_end(query: &[u8]) -> usize {
    HEADER + query[HEADER..].iter().position(|byte| *byte == 0).unwrap() + 5
}

/// A reply to a query: flags, and answers that were encoded already.
fn reply(query: &[u8], flags: [u8; 2], answers: &[Vec<u8>]) -> Vec<u8> {
    let mut reply = query[..2].to_vec();
    reply.extend(flags);
    reply.extend([0, 1]);
    reply.extend(u16::try_from(answers.len()).unwrap().to_be_bytes());
    reply.extend([0, 0, 0, 0]);
    reply.extend(&query[HEADER..question_end(query)]);
    reply.extend(answers.concat());
    reply
}

const FOUND: [u8; 2] = [0x85, 0x80];
const TRUNCATED: [u8; 2] = [0x87, 0x80];

fn name(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in text.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

fn record(owner: &[u8], kind: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = owner.to_vec();
    bytes.extend([0, kind, 0, 1, 0, 0, 0, 60]);
    bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    bytes.extend(data);
    bytes
}

/// The owner is the name of the question.
const SAME: [u8; 2] = [0xc0, 12];

/// Resolves the host's name at this server, within the bound.
async fn resolve(port: u16) -> Result<Vec<String>, Fault> {
    let site = TestSite::new();
    site.write(
        "site.toml",
        &format!(
            "name = \"lab1\"\ndomain = \"lab1.test\"\n\
             [dns]\nprovider = \"server\"\nservers = [\"127.0.0.1:{port}\"]\ntimeout = \"1s\"\n"
        ),
    );
    let providers = Site::load(site.path("site.toml"))
        .unwrap()
        .open("host1001")
        .unwrap();
    let (before, start) = (memory(), Instant::now());
    let answer = ask(&providers, "dns.resolve", json!({ "name": "Host" })).await;
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "{:?}",
        start.elapsed()
    );
    let grown = memory().saturating_sub(before);
    assert!(grown < 64, "{grown} MiB");
    answer
}

async fn refused(port: u16) -> Fault {
    let fault = resolve(port).await.unwrap_err();
    assert!(
        fault.message.contains("host1001.lab1.test")
            && fault.message.contains(&port.to_string())
            && fault.message.len() < 500,
        "{}",
        fault.message
    );
    fault
}

#[tokio::test(flavor = "multi_thread")]
async fn aliases_that_lead_in_a_circle_are_no_address() {
    refused(answering(|query| {
        let (other, back) = (name("a.lab1.test"), name("host1001.lab1.test"));
        let answers = [record(&SAME, 5, &other), record(&other, 5, &back)];
        vec![reply(query, FOUND, &answers)]
    }))
    .await;
    refused(answering(|query| {
        vec![reply(query, FOUND, &[record(&SAME, 5, &SAME)])]
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aliases_that_never_end_are_no_address() {
    let count = std::sync::atomic::AtomicU32::new(0);
    refused(answering(move |query| {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let next = name(&format!("a{number}.lab1.test"));
        vec![reply(query, FOUND, &[record(&SAME, 5, &next)])]
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_points_at_itself_is_not_followed() {
    refused(answering(|query| {
        let at = u16::try_from(question_end(query)).unwrap() | 0xc000;
        let owner = at.to_be_bytes();
        vec![reply(query, FOUND, &[record(&owner, 1, &[10, 0, 0, 1])])]
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_and_answers_to_other_questions_are_not_believed() {
    refused(answering(|_| vec![vec![0xff; 2000]; 50])).await;
    refused(answering(|query| {
        let mut other = reply(query, FOUND, &[record(&SAME, 1, &[10, 0, 0, 1])]);
        other[0] ^= 0xff;
        vec![other]
    }))
    .await;
    let fault = refused(answering(|_| Vec::new())).await;
    assert_eq!(fault.code, "dns.timeout");
}

/// Which is then asked over TCP, where nothing ends either.
#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_answer_whose_rest_never_comes_is_given_up() {
    for endless in [false, true] {
        let socket = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = socket.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for mut stream in socket.incoming().flatten() {
                std::thread::spawn(move || {
                    while endless && stream.write_all(&[0xff; 4096]).is_ok() {}
                    while stream.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {}
                });
            }
        });
        let udp = UdpSocket::bind(("127.0.0.1", port)).unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok((size, from)) = udp.recv_from(&mut buffer) {
                let _ = udp.send_to(&reply(&buffer[..size], TRUNCATED, &[]), from);
            }
        });
        refused(port).await;
    }
}

/// A connection tries all addresses at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_has_few_addresses() {
    let server = |count: u8| {
        answering(move |query| {
            let is_a = query[question_end(query) - 3] == 1;
            let records = if is_a { count } else { 0 };
            let answers: Vec<Vec<u8>> = (0..records)
                .map(|last| record(&SAME, 1, &[10, 0, 0, last]))
                .collect();
            vec![reply(query, FOUND, &answers)]
        })
    };
    assert_eq!(resolve(server(8)).await.unwrap().len(), 8);
    let fault = refused(server(9)).await;
    assert_eq!(fault.code, "dns.too-many-addresses");
}
