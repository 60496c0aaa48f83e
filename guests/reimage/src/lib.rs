//! Reinstalls the operating system of one physical server.
//!
//! Reads like the runbook: one file a phase, each a list of named steps in order. `validate` looks and changes
//! nothing; `install` wipes the machine and installs it. What is published and set on the way is taken back by the host
//! when the run ends, however it ends. Tries, deadlines and pauses are in `policy`.

mod boot;
mod boot_override;
mod closing;
mod doubt;
mod install;
mod machine;
mod options;
mod policy;
mod release;
mod validate;

use options::Asked;
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
        install::run(&asked, &machine, &mut actions)?;

        let done = if asked.no_pxe {
            "runs"
        } else {
            "was reimaged with"
        };
        Ok(actions.outcome(&format!("{} {done} {}.", asked.host, asked.os)))
    }

    fn rollback(request: &Request, ending: Ending) -> Result<(), Fault> {
        closing::words(&request.host, &ending)
    }
}

wreimage_sdk::export!(Reimage);
