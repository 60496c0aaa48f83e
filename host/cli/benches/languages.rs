//! What a guest in Python or JavaScript costs: a process that compiles it, and one that finds it compiled. Run by
//! `cargo bench --workspace --bench languages` after `cargo xtask guests --languages`.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use criterion::Criterion;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

fn main() {
    let program = env!("CARGO_BIN_EXE_wreimage");
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/guests");
    let mut criterion = Criterion::default().configure_from_args().sample_size(20);
    for language in ["rust", "python", "js"] {
        let guest = guests.join(format!("power-cycle-{language}.wasm"));
        assert!(
            guest.is_file(),
            "build the guests first: cargo xtask guests --languages"
        );
        let home = tempfile::tempdir().unwrap();
        let run = || {
            let status = Command::new(program)
                .env("HOME", home.path())
                .env_remove("XDG_CACHE_HOME")
                .env_remove("XDG_STATE_HOME")
                .arg("run")
                .arg(&guest)
                .args([
                    "--lab",
                    "--host",
                    "host1001",
                    "--yes",
                    "host1001",
                    "--no-prompt",
                    "--output",
                    "json",
                ])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .unwrap();
            assert!(status.success(), "{status}");
        };
        let began = Instant::now();
        run();
        println!(
            "first run of power-cycle-{language}.wasm: {:.2} s",
            began.elapsed().as_secs_f64()
        );
        criterion.bench_function(
            &format!("wreimage run power-cycle-{language}.wasm, warm"),
            |bench| bench.iter(run),
        );
    }
    criterion.final_summary();
}
