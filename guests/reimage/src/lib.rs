//! Reinstalls the operating system of one physical server.
//!
//! Reads like the runbook: one file a phase, each a list of named steps in order; all names are in `steps`. `validate`
//! looks and changes nothing; `install` wipes the machine and installs it. What is published and set on the way is taken
//! back by the host when the run ends, however it ends. Tries, deadlines and pauses are in `policy`.

mod announce;
mod boot;
mod boot_override;
mod close;
mod closing;
mod comment;
mod doubt;
mod drain;
mod enrol;
mod first_run;
mod forget;
mod install;
mod judge;
mod leftovers;
mod machine;
mod mask;
mod options;
#[cfg(test)]
mod page;
mod policy;
mod populate;
mod quiet;
mod release;
mod repool;
mod settle;
mod steps;
mod validate;

use options::Asked;
use settle::Left;
use wreimage_sdk::{Actions, Description, Ending, Fault, Guest, Outcome, Request};

struct Reimage;

impl Guest for Reimage {
    fn describe() -> Description {
        Description::mutates(
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION"),
            env!("CARGO_PKG_DESCRIPTION"),
        )
        .with_options(options::all())
    }

    fn run(request: &Request) -> Result<Outcome, Fault> {
        let asked = Asked::from_request(request)?;
        let mut actions = Actions::new();

        let machine = validate::run(&asked, &mut actions)?;
        announce::run(&asked, &machine, &mut actions)?;
        let drained = drain::run(&asked, &machine, &mut actions)?;
        forget::run(&asked, &mut actions)?;
        let system = install::run(&asked, &machine, &mut actions)?;
        mask::run(&asked, &system, &mut actions)?;
        enrol::run(&asked, &machine, &mut actions)?;
        let quiet = populate::run(&asked, &drained, &mut actions)?;
        let configured = first_run::run(&asked, &mut actions)?;
        let left = Left {
            drained: &drained,
            quiet: &quiet,
            installed: system.identity,
            configured,
        };
        settle::run(&asked, &machine, &left, &mut actions)?;
        close::run(asked.lacks(&["puppetdb"]), &mut actions)?;

        let done = if asked.no_pxe {
            "runs"
        } else {
            "was reimaged with"
        };
        Ok(actions.outcome(&format!("{} {done} {}.", asked.host, asked.os)))
    }

    fn rollback(request: &Request, ending: Ending) -> Result<(), Fault> {
        closing::words(request, &ending)
    }
}

wreimage_sdk::export!(Reimage);
