//! At any moment of a run, a world that is written out and read back goes on as if nothing had happened.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{At, Run, edited};
use serde_json::json;
use wreimage_capability::dhcp::{BootMethod, MatchKind};
use wreimage_capability::ipmi::{BootDevice, BootMode, PowerAction};
use wreimage_lab::{Lab, Pace, World};

/// What is done at a number of seconds after the begin, to machines with all kinds of trouble.
async fn act(lab: &Lab, second: u64) {
    let healthy = Run::of(lab, "host1001");
    let keeps = Run::of(lab, "host1004");
    let uefi = Run::of(lab, "host1005");
    match second {
        10 => {
            healthy
                .publish("bullseye", MatchKind::CircuitId, BootMethod::PxelinuxHttp)
                .await
                .unwrap();
            keeps
                .publish("bookworm", MatchKind::Mac, BootMethod::PxelinuxTftp)
                .await
                .unwrap();
            uefi.publish("trixie", MatchKind::Uuid, BootMethod::UefiHttp)
                .await
                .unwrap();
        }
        20 => {
            // This BMC forgets: no restart comes.
            healthy
                .boot_from(BootDevice::Pxe, BootMode::Legacy)
                .await
                .unwrap();
            keeps
                .boot_from(BootDevice::Pxe, BootMode::Legacy)
                .await
                .unwrap();
            uefi.boot_from(BootDevice::Pxe, BootMode::Efi)
                .await
                .unwrap();
        }
        30 => {
            healthy
                .command(At::Production, &["systemctl", "mask", "x.service"])
                .await
                .unwrap();
            keeps.power(PowerAction::Cycle).await.unwrap();
            uefi.power(PowerAction::Cycle).await.unwrap();
        }
        100 => {
            healthy
                .boot_from(BootDevice::Pxe, BootMode::Legacy)
                .await
                .unwrap();
            healthy
                .call::<()>("remote.reboot", json!({ "at": "Production" }))
                .await
                .unwrap();
        }
        400 => keeps.power(PowerAction::Off).await.unwrap(),
        430 => keeps.power(PowerAction::On).await.unwrap(),
        _ => {}
    }
}

const LAST: u64 = 2200;

async fn play(lab: &Lab, from: u64, to: u64) {
    let run = Run::of(lab, "host1001");
    for second in from..to {
        act(lab, second).await;
        run.sleep(1).await;
    }
}

fn world() -> World {
    edited(
        "[machine.host1002]",
        "[machine.host1001.bmc]\nforgets-override-after = \"60s\"\n\n[machine.host1002]",
    )
}

fn saved_then_on(lab: &Lab) -> Lab {
    let saved = lab.save();
    let again = World::restore(&saved).unwrap();
    assert_eq!(again.save(), saved);
    Lab::new(again, Pace::Full)
}

#[tokio::test]
async fn saved_and_restored_at_any_moment_it_goes_on_the_same() {
    let whole = Lab::new(world(), Pace::Full);
    play(&whole, 0, LAST).await;
    let expected = whole.save();
    // The run is one in which things happen.
    let lines = whole.look(|world| world.history().count());
    assert!(lines > 40, "{lines}");
    for host in ["host1001", "host1004", "host1005"] {
        assert!(
            whole.look(|world| world.counters(host).installations_begun) > 0,
            "{host}"
        );
    }

    // Once at each of many moments ...
    for moment in (0..LAST).step_by(37) {
        let lab = Lab::new(world(), Pace::Full);
        play(&lab, 0, moment).await;
        let lab = saved_then_on(&lab);
        play(&lab, moment, LAST).await;
        assert!(
            lab.save() == expected,
            "saved after {moment} s it goes on differently"
        );
    }
    // ... and at every one, in one run.
    let mut lab = Lab::new(world(), Pace::Full);
    for second in 0..LAST {
        play(&lab, second, second + 1).await;
        lab = saved_then_on(&lab);
    }
    assert!(
        lab.save() == expected,
        "saved all the time it goes on differently"
    );
}

#[test]
fn the_steps_in_which_time_passes_make_no_difference() {
    let run = |step: i64| {
        let lab = Lab::new(world(), Pace::Full);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(play(&lab, 0, 120));
        lab.change(|world| {
            let end = world.now() + jiff::SignedDuration::from_secs(3600 * 30);
            while world.now() < end {
                let next = world.now() + jiff::SignedDuration::from_millis(step);
                world.advance(next.min(end));
            }
        });
        lab.save()
    };
    let expected = run(3600 * 30 * 1000);
    for step in [333, 1000, 17_001, 600_000] {
        assert!(run(step) == expected, "steps of {step} ms");
    }
}

#[test]
fn another_seed_gives_other_boot_ids_and_the_same_one_the_same() {
    let id = |seed: &str| {
        let world = edited("seed = 1001", seed);
        world
            .machine("host1001")
            .unwrap()
            .boot_id()
            .unwrap()
            .to_owned()
    };
    assert_eq!(id("seed = 7"), id("seed = 7"));
    assert_ne!(id("seed = 7"), id("seed = 8"));
    let version = id("seed = 7").chars().nth(14);
    assert_eq!(version, Some('4'), "a version 4 UUID");
}
