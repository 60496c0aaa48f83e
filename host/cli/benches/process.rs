//! What a whole process costs: time with a warm cache, memory, and the size of the program. Run by
//! `cargo bench --workspace --bench process`.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use criterion::Criterion;
use nix::sys::resource::{UsageWho, getrusage};
use std::path::Path;
use std::process::{Command, Stdio};

fn main() {
    let program = env!("CARGO_BIN_EXE_wreimage");
    let guest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/guests/reimage.wasm");
    assert!(
        guest.is_file(),
        "build the guests first: cargo xtask guests"
    );
    let home = tempfile::tempdir().unwrap();
    let reimage = || {
        let status = Command::new(program)
            .env("HOME", home.path())
            .env_remove("XDG_CACHE_HOME")
            .env_remove("XDG_STATE_HOME")
            .arg("run")
            .arg(&guest)
            .args([
                "--lab", "--host", "host1001", "--os", "bullseye", "--yes", "host1001", "--output",
                "json",
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{status}");
    };
    // The first run compiles the guest. Memory is read before this process grows: a child counts with its parent's size.
    reimage();
    let peak = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss();
    println!(
        "peak memory of a process that compiles the guest as well: {:.1} MB",
        peak as f64 * 1024.0 / 1e6
    );
    let mut criterion = Criterion::default().configure_from_args();
    criterion.bench_function("wreimage run reimage.wasm --output json", |bench| {
        bench.iter(reimage)
    });
    criterion.final_summary();
    let size = std::fs::metadata(program).unwrap().len();
    println!("size of the program: {:.1} MB", size as f64 / 1e6);
}
