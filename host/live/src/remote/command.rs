//! Commands that a guest may run on its machine: short ones in the SSH session, long ones as units.

use super::lost;
use super::machine::Machine;
use super::result::result_of;
use super::unit::{LONG, Started, Unit};
use super::unit_answers::Seen;
use crate::pattern;
use crate::ssh::{Ended, ExecFailure, quote};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use wreimage_capability::remote::{Command, CommandResult, Exit, Identity};
use wreimage_capability::{Call, Fault, Reconciled};

/// How long the end of a unit is waited for that this process has lost: the engine asks no longer than 120 s.
const LOST_UNIT: Duration = Duration::from_secs(70);

/// Runs `"$@"` for at most `$0` seconds by the machine's own `timeout`: sshd passes no signal on to a command of root, and a command
/// outlives its lost session. An installer may have no `timeout`, or one that counts whole seconds.
const LIMITED: &str = r#"limit=$0
timeout -k 1 1.5 true 2>/dev/null || { limit=${0%.*}; [ "$limit" -gt 0 ] || limit=1; }
if timeout -k 1 "$limit" true 2>/dev/null; then exec timeout -k 1 "$limit" "$@"; fi
exec "$@""#;

/// The shortest limit: `timeout` takes 0 for no limit.
const SHORTEST: Duration = Duration::from_millis(50);

/// The machine's clock and ours differ by no more than this over the time of a short command.
const CLOCKS_DIFFER: Duration = Duration::from_millis(500);

/// The command line that runs `argv` for no longer than `within`.
fn limited(argv: &[String], within: Duration) -> String {
    let mut all = ["sh", "-c", LIMITED].map(str::to_owned).to_vec();
    all.push(format!("{:.3}", within.max(SHORTEST).as_secs_f64()));
    all.extend_from_slice(argv);
    quote(&all)
}

/// Whether it was the machine's own limit that ended the command.
fn has_hit_limit(ended: &Ended, took: Duration, within: Duration) -> bool {
    let is_killed = match &ended.exit {
        Exit::Status(status) => matches!(status, 124 | 137 | 143),
        Exit::Signal(name) => matches!(name.as_str(), "TERM" | "KILL"),
        Exit::Other(_) => false,
    };
    is_killed && took + CLOCKS_DIFFER >= within
}

/// The commands of one run on its machine.
pub(super) struct Commands {
    /// Patterns of what is allowed.
    allow: Vec<Vec<String>>,
    /// Keys of the long commands that this process has begun or gone back to.
    followed: Mutex<BTreeSet<String>>,
}

impl Commands {
    pub(super) fn new(allow: &[Vec<String>]) -> Self {
        Commands {
            allow: allow.to_vec(),
            followed: Mutex::default(),
        }
    }

    fn allowed(&self, machine: &Machine, argv: &[String]) -> Result<(), Fault> {
        let readable = !argv.is_empty() && argv.iter().all(|word| !word.contains('\0'));
        let is_allowed = |pattern: &Vec<String>| {
            let pattern: Vec<String> = pattern.iter().map(|it| machine.names.fill(it)).collect();
            pattern::command_matches(&pattern, argv)
        };
        if readable && self.allow.iter().any(is_allowed) {
            return Ok(());
        }
        Err(Fault::denied(
            "remote.not-allowed",
            machine.system(),
            format!(
                "the command `{}` is not in `remote.allow` of the site file; add a pattern for it if guests may run it",
                quote(argv)
            ),
        ))
    }

    pub(super) async fn run(
        &self,
        machine: &Machine,
        call: &Call,
        at: Identity,
        command: Command,
    ) -> Result<CommandResult, Fault> {
        self.allowed(machine, &command.argv)?;
        let timeout = Duration::from_millis(command.timeout_ms);
        let what = format!("`{}`", quote(&command.argv));
        let mut within = timeout;
        let connection = if timeout > LONG {
            let unit = Unit::new(machine, at, call);
            self.follow(call);
            match unit.start(call, &command.argv, timeout).await? {
                Started::Unit(connection) => return unit.follow(call, connection, timeout).await,
                Started::Plain(connection) => {
                    call.time_to_begin(timeout)?;
                    call.progress(format!(
                        "{} runs no systemd for this user: a connection that breaks leaves {what} in doubt",
                        machine.names.fqdn
                    ));
                    connection
                }
            }
        } else {
            let connect = machine.connect(at).await;
            let connection = connect.map_err(|fault| lost::not_sent(&what, fault))?;
            within = call.time_to_begin(timeout)?;
            connection
        };
        call.progress(format!("running {what}"));
        let began = Instant::now();
        let made = |left| limited(&command.argv, left);
        let ended = connection.exec_within(&made, within).await;
        let ended = ended.and_then(
            |ended| match has_hit_limit(&ended, began.elapsed(), within) {
                true => Err(ExecFailure::Timeout(within)),
                false => Ok(ended),
            },
        );
        let fingerprint = connection.fingerprint.clone();
        connection.close().await;
        let ended = ended.map_err(|failure| lost_command(machine, &what, failure))?;
        Ok(result_of(call, ended, fingerprint))
    }

    /// What became of the unit of a command. `None` for a short one, where there are no units, and when the machine is not in that boot.
    pub(super) async fn find(
        &self,
        machine: &Machine,
        call: &Call,
        at: Identity,
        arguments: &Value,
        before: &str,
    ) -> Result<Option<Reconciled>, Fault> {
        if timeout(arguments).is_none_or(|timeout| timeout <= LONG) {
            return Ok(None);
        }
        // What ran in another boot has left nothing that tells.
        if !machine.boot_id_at(at).await.is_ok_and(|now| now == before) {
            return Ok(None);
        }
        let is_followed = self.is_followed(call);
        let unit = Unit::new(machine, at, call);
        let mut kept = None;
        let patience = if is_followed {
            LOST_UNIT
        } else {
            Duration::ZERO
        };
        let seen = unit.watch(call, &mut kept, Instant::now() + patience).await;
        Ok(Some(match seen {
            Ok(Seen::Plain) => return Ok(None),
            Ok(Seen::Absent | Seen::Late) => Reconciled::DidNot,
            Ok(Seen::Ended(how)) => {
                let result = unit.collect(call, &mut kept, &how).await?;
                Reconciled::Happened(serde_json::to_value(result).unwrap_or_default())
            }
            Ok(Seen::Running) if !is_followed => {
                call.progress(format!(
                    "{} still runs; to do it again is to go back to it, and does not start it a second time",
                    unit.name()
                ));
                Reconciled::DidNot
            }
            Ok(Seen::Running) => Reconciled::Unknown(format!(
                "it still runs there as {}; to do it again is to go back to it",
                unit.name()
            )),
            Ok(Seen::Lost) => Reconciled::Unknown(format!(
                "{} was begun, does not run any more, and nothing says how it ended; `journalctl --unit={}` there may \
                 tell",
                unit.name(),
                unit.name()
            )),
            Err(fault) => Reconciled::Unknown(format!(
                "{} cannot be asked about {}: {}",
                machine.names.fqdn,
                unit.name(),
                fault.message
            )),
        }))
    }

    /// Remembers that this process has begun this call, or gone back to it.
    fn follow(&self, call: &Call) {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        followed.insert(call.key());
    }

    fn is_followed(&self, call: &Call) -> bool {
        let followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        followed.contains(&call.key())
    }
}

/// What a failed command leaves: nothing when it was not sent, doubt when it was.
pub(super) fn lost_command(machine: &Machine, what: &str, failure: ExecFailure) -> Fault {
    let (system, name) = (machine.system(), &machine.names.fqdn);
    match failure {
        ExecFailure::NotSent(text) => Fault::unreachable(
            "remote.unreachable",
            system,
            format!("{name} broke the connection before {what} was sent: {text}"),
        ),
        ExecFailure::Lost(text) => Fault::in_doubt(
            "remote.in-doubt",
            system,
            format!("{name} broke the connection after {what} was sent: {text}"),
        ),
        ExecFailure::Timeout(after) => Fault::timeout(
            "remote.command-timeout",
            system,
            format!(
                "{what} did not end on {name} within {} s; it may still be running there",
                after.as_secs_f32()
            ),
        ),
    }
}

fn timeout(arguments: &Value) -> Option<Duration> {
    let millis = arguments.get("command")?.get("timeout_ms")?.as_u64()?;
    Some(Duration::from_millis(millis))
}
