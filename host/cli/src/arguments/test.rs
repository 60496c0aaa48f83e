//! `wreimage test`.

use super::Output;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use std::path::PathBuf;
use wreimage_scenario::Kind;

/// `wreimage test`.
#[derive(Debug, Args)]
pub struct Test {
    /// The guest: a path or a name, as for `run`
    #[arg(value_name = "GUEST")]
    pub guest: String,
    /// Plug a component of the site into it, as for `run`; may be given several times
    #[arg(long, value_name = "FILE")]
    pub plug: Vec<String>,
    /// Scenarios: files, folders with a scenario.toml, or folders of such; by default those in `scenarios` beside the
    /// guest, or here
    #[arg(value_name = "SCENARIO")]
    pub scenarios: Vec<PathBuf>,
    /// Play only those whose name, or in a sweep whose case, holds this text
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Play the scenario once for every call that it makes and everything that can happen to the call, and check the
    /// invariants. Without SCENARIO, the one that the guest's invariants name
    #[arg(long)]
    pub sweep: bool,
    /// Of the sweep, play only the cases of this kind; may be given several times. crash: the process dies around a call.
    /// fault: a call fails, or the operator cancels. changed: another system or person changes something between two calls.
    /// rival: a second controller begins a run on the same host. partial: half of a call's effect, the clock, the operator at a
    /// question. power: the controller loses power, and records that were not synced
    #[arg(long, value_name = "KIND", requires = "sweep",
        value_parser = PossibleValuesParser::new(Kind::WORDS).try_map(|word| word.parse::<Kind>()))]
    pub kind: Vec<Kind>,
    /// Of the sweep, play only this case, such as 'ipmi.set-power#1 timeout'; may be given several times
    #[arg(long, value_name = "CASE", requires = "sweep")]
    pub case: Vec<String>,
    /// More that must hold, besides GUEST.invariants.toml beside the guest; may be given several times
    #[arg(long, value_name = "FILE")]
    pub invariants: Vec<PathBuf>,
    /// How to tell the results: text for people, json for one event per line
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORMAT")]
    pub output: Output,
    /// Write the results to this file as well, in JUnit's format
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Keep the journal of each scenario that has no snapshot yet; later runs are compared with it
    #[arg(long, conflicts_with = "sweep")]
    pub record: bool,
    /// Keep the journals as they are now as the snapshots
    #[arg(long, conflicts_with = "sweep")]
    pub accept: bool,
    /// How many are played at the same time; by default as many as there are processors
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
}
