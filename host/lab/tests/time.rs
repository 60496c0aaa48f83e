//! The lab's clock, alone and shared.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{At, Run};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use wreimage_capability::ipmi::PowerAction;
use wreimage_capability::{Clock, from_millis, to_millis};
use wreimage_lab::{Lab, Pace, World};

fn lab(pace: Pace) -> Lab {
    Lab::new(World::builtin().unwrap(), pace)
}

async fn sleep(clock: &Arc<dyn Clock>, seconds: u64) {
    let due = to_millis(clock.now()) + seconds * 1000;
    clock.sleep_until(from_millis(due)).await;
}

/// A test that hangs fails instead.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what)
        .await
        .expect("a deadlock")
}

#[tokio::test]
async fn virtual_time_moves_only_while_somebody_sleeps() {
    let lab = lab(Pace::Full);
    let clock = lab.clock();
    assert!(clock.is_virtual());
    let start = clock.now();
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(clock.now(), start);
    sleep(&clock, 86_400).await;
    assert_eq!(clock.now(), start + jiff::SignedDuration::from_hours(24));
    // What has passed does not wait, and time never goes back.
    clock.sleep_until(start).await;
    clock.sleep_until(jiff::Timestamp::MIN).await;
    assert_eq!(clock.now(), start + jiff::SignedDuration::from_hours(24));
    // A sleeper never wakes early, not by a nanosecond.
    let due = clock.now() + jiff::SignedDuration::from_nanos(1);
    clock.sleep_until(due).await;
    assert!(clock.now() >= due);
}

/// Three participants that sleep different spans: the order in which they wake is that of virtual time.
async fn order(own_clocks: bool) {
    let lab = lab(Pace::Full);
    let start = to_millis(lab.clock().now());
    let log = Arc::new(Mutex::new(Vec::new()));
    let seats: Vec<_> = [7, 3, 5].map(|span| (span, lab.join())).into();
    let tasks: Vec<_> = seats
        .into_iter()
        .map(|(span, seat)| {
            let clock = if own_clocks {
                seat.clock()
            } else {
                lab.clock()
            };
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                for _ in 0..200 {
                    sleep(&clock, span).await;
                    log.lock()
                        .unwrap()
                        .push((to_millis(clock.now()) - start, span));
                    // Works for a while, and must not be overtaken.
                    tokio::task::yield_now().await;
                }
                drop(seat);
            })
        })
        .collect();
    for task in tasks {
        soon(task).await.unwrap();
    }
    let log = log.lock().unwrap();
    assert_eq!(log.len(), 600);
    assert!(log.is_sorted_by_key(|(at, _)| *at), "time goes back");
    for span in [7, 3, 5] {
        let times: Vec<u64> = log
            .iter()
            .filter(|(_, s)| *s == span)
            .map(|(at, _)| *at)
            .collect();
        let expected: Vec<u64> = (1..=200).map(|n| n * span * 1000).collect();
        assert_eq!(times, expected, "overtaken while it worked");
    }
}

#[tokio::test]
async fn participants_wake_in_the_order_of_time() {
    order(false).await;
    order(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn participants_on_many_threads_wake_in_the_order_of_time() {
    for _ in 0..10 {
        order(false).await;
        order(true).await;
    }
}

#[tokio::test]
async fn a_participant_that_leaves_lets_the_others_go_on() {
    let lab = lab(Pace::Full);
    let (first, second) = (lab.join(), lab.join());
    let clock = first.clock();
    let start = clock.now();
    let sleeper = tokio::spawn({
        let clock = clock.clone();
        async move {
            sleep(&clock, 60).await;
            drop(first);
        }
    });
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert_eq!(clock.now(), start, "the second works");
    drop(second);
    soon(sleeper).await.unwrap();
    assert_eq!(clock.now(), start + jiff::SignedDuration::from_secs(60));
}

#[tokio::test]
async fn a_sleep_that_is_given_up_holds_nobody_up() {
    let lab = lab(Pace::Full);
    let (first, second) = (lab.join(), lab.join());
    let clock = first.clock();
    let other = second.clock();
    let start = clock.now();
    // Begins to sleep, and is dropped while the first works.
    let abandoned = tokio::time::timeout(Duration::from_millis(20), sleep(&other, 10)).await;
    assert!(abandoned.is_err());
    let sleeper = tokio::spawn(async move {
        sleep(&clock, 60).await;
        clock.now()
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(other.now(), start);
    drop(second);
    assert_eq!(
        soon(sleeper).await.unwrap(),
        start + jiff::SignedDuration::from_secs(60)
    );
    drop(first);
}

#[tokio::test]
async fn an_idle_participant_lets_time_pass() {
    let lab = lab(Pace::Full);
    let (asks, works) = (lab.join(), lab.join());
    let clock = works.clock();
    let question = asks.idle();
    soon(sleep(&clock, 60)).await;
    drop(question);
    let held = tokio::time::timeout(Duration::from_millis(20), sleep(&clock, 60)).await;
    assert!(held.is_err(), "it works again");
}

#[tokio::test]
async fn speed_is_virtual_seconds_in_a_real_second() {
    let lab = lab(Pace::Speed(600.0));
    let clock = lab.clock();
    let (start, began) = (clock.now(), Instant::now());
    let halfway = tokio::spawn({
        let clock = clock.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            clock.now()
        }
    });
    sleep(&clock, 60).await;
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(99), "{took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(clock.now(), start + jiff::SignedDuration::from_secs(60));
    let halfway = halfway.await.unwrap();
    assert!(
        halfway > start && halfway <= clock.now(),
        "time is seen to pass: {halfway}"
    );
    // It stands still while nobody sleeps.
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(clock.now(), start + jiff::SignedDuration::from_secs(60));
    // Two sleepers.
    let one = lab.join();
    let two = lab.join();
    let began = Instant::now();
    let one = async move { sleep(&one.clock(), 30).await };
    let two = async move { sleep(&two.clock(), 60).await };
    soon(async { tokio::join!(one, two) }).await;
    assert_eq!(clock.now(), start + jiff::SignedDuration::from_secs(120));
    assert!(
        began.elapsed() >= Duration::from_millis(99),
        "{:?}",
        began.elapsed()
    );
    for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let lab = Lab::new(World::builtin().unwrap(), Pace::Speed(wrong));
        let clock = lab.clock();
        let due = clock.now() + jiff::SignedDuration::from_millis(10);
        soon(clock.sleep_until(due)).await;
    }
}

#[tokio::test]
async fn real_time_is_that_of_the_system() {
    // Everything takes a second.
    let mut text = wreimage_lab::BUILTIN.to_owned();
    for (key, value) in [
        ("post", "90s"),
        ("network-load", "30s"),
        ("installer-boot", "40s"),
        ("installation", "12min"),
        ("shutdown", "8s"),
        ("os-boot", "45s"),
    ] {
        text = text.replace(&format!("{key} = \"{value}\""), &format!("{key} = \"1s\""));
    }
    let lab = Lab::new(World::parse(&text).unwrap(), Pace::Real);
    let clock = lab.clock();
    assert!(!clock.is_virtual());
    let run = Run::of(&lab, "host1001");
    let uptime: u64 = run
        .call(
            "remote.get-uptime",
            serde_json::json!({ "at": "Production" }),
        )
        .await
        .unwrap();
    assert!(
        (2_592_000_000..2_592_010_000).contains(&uptime),
        "the world has moved to the present: {uptime}"
    );
    assert!(
        (jiff::Timestamp::now().duration_since(clock.now())).abs()
            < jiff::SignedDuration::from_secs(5)
    );
    let old = run.boot_id(At::Production).await.unwrap();
    run.power(PowerAction::Cycle).await.unwrap();
    let began = Instant::now();
    run.next_boot(&old).await;
    assert!(
        began.elapsed() >= Duration::from_millis(1900),
        "{:?}",
        began.elapsed()
    );

    // Saved, and taken up later: what fell due meanwhile has happened.
    run.power(PowerAction::Cycle).await.unwrap();
    let saved = lab.save();
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let again = Lab::new(World::restore(&saved).unwrap(), Pace::Real);
    assert!(
        Run::of(&again, "host1001")
            .boot_id(At::Production)
            .await
            .is_ok()
    );
}
