//! Reinstalls the operating system of one physical server.
//!
//! Reads like the page that describes it: one file a phase, each a list of steps in order, and the sentence of a step stands
//! at the step. `validate` reads and changes nothing; `install` wipes the machine and installs it. What is published and set on
//! the way is undone by the host when the run ends, however it ends; what is left on purpose is registered as a follow-up when it
//! is made, and ended by its key. Tries, deadlines and pauses are in `policy`. A site's own component is called by the `hooks`.

mod announce;
mod boot;
mod boot_override;
mod certificate;
mod cleanup_hints;
mod close;
mod closing;
mod comment;
mod deregister;
mod doubt;
mod drain;
mod enrol;
mod finalize;
mod first_run;
mod held;
mod hooks;
mod install;
mod machine;
mod mask;
mod meanwhile;
mod next_command;
mod options;
mod policy;
mod populate;
mod progress;
mod release;
mod releases;
mod repool;
mod suppression;
mod validate;
mod words;

use finalize::Left;
use hooks::around;
use options::Asked;
use progress::Progress;
use wreimage_sdk::hooks::Phase;
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
        let mut asked = Asked::from_request(request)?;
        let mut actions = Actions::new();
        let actions = &mut actions;

        let machine = around(Phase::Validate, actions, |log| validate::run(&asked, log))?;
        asked.site_media = hooks::media(&asked, &machine)?;
        around(Phase::Announce, actions, |log| {
            announce::run(&asked, &machine, log)
        })?;
        let drained = around(Phase::Drain, actions, |log| {
            drain::run(&asked, &machine, log)
        })?;
        let mut progress = Progress::default();
        around(Phase::Deregister, actions, |log| {
            deregister::run(&asked, &machine, &mut progress, log)
        })?;
        let system = around(Phase::Install, actions, |log| {
            install::run(&asked, &machine, &mut progress, log)
        })?;
        around(Phase::Mask, actions, |log| mask::run(&asked, &system, log))?;
        around(Phase::Enrol, actions, |log| {
            enrol::run(&asked, &machine, log)
        })?;
        let suppression = around(Phase::Populate, actions, |log| {
            populate::run(&asked, &drained, &mut progress, log)
        })?;
        let configured = around(Phase::FirstRun, actions, |log| first_run::run(&asked, log))?;
        let left = Left {
            drained: &drained,
            suppression: &suppression,
            installed: system.identity,
            configured,
        };
        around(Phase::Finalize, actions, |log| {
            finalize::run(&asked, &machine, &left, log)
        })?;
        around(Phase::Close, actions, |log| {
            close::run(&asked, &machine, &left, log)
        })?;

        let done = if asked.no_pxe {
            "runs"
        } else {
            "was reimaged with"
        };
        Ok(actions.outcome(&format!("{} {done} {}.", asked.host, asked.os)))
    }

    fn on_ended(request: &Request, ending: Ending) -> Result<(), Fault> {
        closing::words(request, &ending)
    }
}

wreimage_sdk::export!(Reimage);
