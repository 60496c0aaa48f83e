//! The run's host itself, over SSH.

use crate::Patience;
pub use crate::bindings::wreimage::remote::remote::{
    Answering, Before, Boot, Command, CommandResult, Dmi, Exit, Identity, OsRelease,
};

crate::table::effects! {
    /// Looks at the run's host and acts on it from inside.
    remote "wreimage:remote/remote@0.1.0" served by Provider in crate::bindings::wreimage::remote::remote;
    read get_uptime(at: Identity) -> u64;
    read get_boot_id(at: Identity) -> String;
    read get_kernel_command_line(at: Identity) -> String;
    read get_os_release(at: Identity) -> OsRelease;
    read get_dmi(at: Identity) -> Dmi;
    read get_host_name(at: Identity) -> String;
    wait wait_for_boot(since: Before, at: Answering, patience: Patience) -> Boot;
    once reboot(at: Identity) -> ();
    once run(at: Identity, command: Command) -> CommandResult;
}
