//! The kill sweep: runs whose processes die, one after the other.

use crate::built::Built;
use crate::{apt, guests, inner};
use anyhow::{Result, bail};
use clap::ValueEnum;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// What happens to the process of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// It is killed, or cannot write its journal any more.
    Crash,
    /// It is killed, and something changes in the world before the run is resumed.
    Changed,
    /// It is killed, and another controller begins a run on the host.
    Rival,
    /// It is killed in a call that has had half of its effect, or the operator cancels during a wait.
    Partial,
    /// It is killed, and the run is resumed an hour later.
    Late,
    /// Its machine loses power: writes that were not synced (as strace recorded) are dropped.
    Power,
}

impl Kind {
    /// The test program that plays it.
    fn program(self) -> &'static str {
        match self {
            Kind::Crash => "kill",
            Kind::Changed => "changed",
            Kind::Rival => "rival",
            Kind::Partial => "partial",
            Kind::Late => "late",
            Kind::Power => "power",
        }
    }

    /// Of how many points a sample tries one, so that all kinds take less than 20 minutes on two processors.
    fn stride(self) -> u64 {
        match self {
            Kind::Crash => 2,
            Kind::Power => 3,
            Kind::Changed | Kind::Rival | Kind::Late => 4,
            Kind::Partial => 1,
        }
    }
}

/// Arguments of `cargo xtask sweep`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only this kind; may be given several times
    #[arg(long)]
    kind: Vec<Kind>,
    /// Another seed chooses other points; by default the number of the day
    #[arg(long)]
    seed: Option<u64>,
    /// Every point instead of a sample
    #[arg(long)]
    all: bool,
}

impl Arguments {
    /// A sample of the points of all kinds, by the number of the day.
    pub fn sample() -> Self {
        Arguments {
            kind: Vec::new(),
            seed: None,
            all: false,
        }
    }

    /// Whether this kind is asked for.
    fn plays(&self, kind: Kind) -> bool {
        self.kind.is_empty() || self.kind.contains(&kind)
    }
}

/// Plays the kinds that are asked for.
///
/// # Errors
/// When something cannot be built, or a run that was killed does not end as it must.
pub fn run(arguments: &Arguments) -> Result<()> {
    if arguments.plays(Kind::Power) {
        // It records the writes and the syncs of a process.
        apt::install(&["strace".to_owned()])?;
    }
    guests::build(true)?;
    let built = Built::tests()?;
    let day = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() / 86_400;
    let seed = arguments.seed.unwrap_or(day);
    for kind in Kind::value_variants() {
        if !arguments.plays(*kind) {
            continue;
        }
        let stride = if arguments.all { 1 } else { kind.stride() };
        let began = Instant::now();
        let mut played = false;
        for mut command in built.commands(&["tests/sweep"], &["--nocapture"]) {
            let program = command.get_program().to_string_lossy().into_owned();
            let name = program.rsplit('/').next().unwrap_or_default();
            if !name.starts_with(&format!("{}-", kind.program())) {
                continue;
            }
            played = true;
            command.env("SWEEP_STRIDE", stride.to_string());
            command.env("SWEEP_SEED", seed.to_string());
            inner::run(&mut command)?;
        }
        if !played {
            bail!("there is no test program for the kind {kind:?}");
        }
        println!("xtask: {kind:?}: {:.0} s", began.elapsed().as_secs_f64());
    }
    Ok(())
}
