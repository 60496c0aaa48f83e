//! A command that may take long runs on its machine as a transient unit: it outlives the connection and this process, and who
//! comes back to it learns how it ended.

use super::answers;
use super::lost;
use super::machine::Machine;
use super::result::result_of;
use super::unit_answers::{Part, Seen, exit, seen};
use super::unit_scripts::{CLEAN, COLLECT, COLLECTED, START, STOP, WATCH, script};
use crate::redact;
use crate::ssh::{Connection, Ended, ExecFailure, WHOLE, quote};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use wreimage_capability::remote::{CommandResult, Exit, Identity};
use wreimage_capability::{Call, Fault};

/// A command that may take longer than this runs as a unit, where there are units.
pub(super) const LONG: Duration = Duration::from_secs(60);
/// One look at a unit ends within this; it looks for some 10 s itself.
const LOOK: Duration = Duration::from_secs(25);
/// Of fetching the output, 16 MiB at most.
const FETCH: Duration = Duration::from_secs(60);
/// The machine kills the unit at its timeout, and gives it 10 s to end. After this long here it is stopped from here.
const GRACE: Duration = Duration::from_secs(40);
/// Between two tries to connect.
const AGAIN: Duration = Duration::from_secs(2);

/// One command of one call.
pub(super) struct Unit<'a> {
    machine: &'a Machine,
    at: Identity,
    id: String,
    run: String,
    sequence: u64,
}

/// What became of the start.
pub(super) enum Started {
    /// There are no units; the connection, for another way.
    Plain(Connection),
    /// It runs, or ran. Without a connection that is not known yet.
    Unit(Option<Connection>),
}

impl<'a> Unit<'a> {
    pub(super) fn new(machine: &'a Machine, at: Identity, call: &Call) -> Self {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let run: String = call
            .run
            .chars()
            .map(|c| if plain(c) { c } else { '_' })
            .collect();
        Unit {
            machine,
            at,
            id: format!("{run}-{}", call.sequence),
            run,
            sequence: call.sequence,
        }
    }

    /// Its name, for people.
    pub(super) fn name(&self) -> String {
        format!("wreimage-{}.service", self.id)
    }

    async fn exec(
        &self,
        connection: &Connection,
        script: &str,
        more: &[&str],
        timeout: Duration,
    ) -> Result<Ended, ExecFailure> {
        let mut argv = vec!["sh", "-c", script, "sh", &self.id];
        argv.extend_from_slice(more);
        let command = format!("echo; echo {}; {}", answers::MARK, quote(&argv));
        connection.exec(&command, timeout).await
    }

    /// Starts it, unless it was started before.
    ///
    /// # Errors
    /// When it was certainly not started.
    pub(super) async fn start(
        &self,
        call: &Call,
        argv: &[String],
        timeout: Duration,
    ) -> Result<Started, Fault> {
        let what = format!("`{}`", quote(argv));
        let connect = self.machine.connect(self.at).await;
        let connection = connect.map_err(|fault| lost::not_sent(&what, fault))?;
        let until = self.latest_start(call, &connection).await;
        let until = until.map_err(|fault| lost::not_sent(&what, fault))?;
        let encoded = STANDARD.encode(script(&quote(argv), until));
        let seconds = timeout.as_secs_f64().ceil().to_string();
        let sequence = self.sequence.to_string();
        let more = [self.run.as_str(), &sequence, &seconds, &encoded];
        let within = call.time_to_begin(LOOK)?;
        let ended = match self.exec(&connection, START, &more, within).await {
            Ok(ended) => ended,
            Err(ExecFailure::NotSent(text)) => {
                return Err(Fault::unreachable(
                    "remote.unreachable",
                    self.machine.system(),
                    format!("{what} was not sent: {text}"),
                ));
            }
            Err(ExecFailure::Lost(_) | ExecFailure::Timeout(_)) => {
                return Ok(Started::Unit(None));
            }
        };
        let text = ended.stdout.text();
        match answers::answer(&text).unwrap_or_default() {
            "plain" => return Ok(Started::Plain(connection)),
            "begun" => call.progress(format!("running {what} as unit {}", self.name())),
            "there" => call.progress(format!("going back to {what}, unit {}", self.name())),
            answer => {
                let why = answer.strip_prefix("failed").unwrap_or(&text).trim();
                return Err(Fault::rejected(
                    "remote.no-unit",
                    self.machine.system(),
                    format!(
                        "{} cannot run {what} as a transient unit, and it was not run: {why}",
                        self.machine.names.fqdn
                    ),
                ));
            }
        }
        Ok(Started::Unit(Some(connection)))
    }

    /// The uptime of the machine, in seconds, from which on the command must not begin; `None` where no claim bounds it. The
    /// request may arrive late, and the two clocks may differ, so the machine judges by its own.
    async fn latest_start(
        &self,
        call: &Call,
        connection: &Connection,
    ) -> Result<Option<u64>, Fault> {
        if call.valid_until.is_none() {
            return Ok(None);
        }
        let text = self.machine.ask(connection, answers::UPTIME).await?;
        let read = answers::uptime(&text).ok_or_else(|| self.machine.garbage("uptime", &text))?;
        // The machine has read it before now, so that the end here is not before the end there.
        let left = call.time_to_begin(Duration::MAX)?.as_millis();
        let left = u64::try_from(left).unwrap_or(u64::MAX);
        Ok(Some(read.saturating_add(left) / 1000))
    }

    /// The fault of a command that was too late to begin.
    fn late(&self) -> Fault {
        Fault::unreachable(
            "call.claim-expired",
            self.machine.system(),
            format!(
                "{} was not begun on {}: the claim of this run on the host had expired when the request arrived there",
                self.name(),
                self.machine.names.fqdn
            ),
        )
    }

    /// One look, of some seconds while it runs. A connection that breaks is taken away.
    ///
    /// # Errors
    /// When the machine cannot be asked.
    async fn look(&self, kept: &mut Option<Connection>) -> Result<Seen, Fault> {
        let connection = match kept.take() {
            Some(connection) => connection,
            None => self.machine.connect(self.at).await?,
        };
        let ended = self.exec(&connection, WATCH, &[], LOOK).await;
        let ended = ended.map_err(|failure| self.broken(failure))?;
        let text = ended.stdout.text();
        let answer = answers::answer(&text).and_then(seen);
        let answer = answer.ok_or_else(|| self.machine.garbage("the state of a unit", &text))?;
        *kept = Some(connection);
        Ok(answer)
    }

    fn broken(&self, failure: ExecFailure) -> Fault {
        let why = match failure {
            ExecFailure::NotSent(text) | ExecFailure::Lost(text) => text,
            ExecFailure::Timeout(after) => format!("no answer within {} s", after.as_secs()),
        };
        Fault::unreachable("remote.unreachable", self.machine.system(), why)
    }

    /// Looks until it does not run any more, or the end of that time; what was seen last.
    pub(super) async fn watch(
        &self,
        call: &Call,
        kept: &mut Option<Connection>,
        end: Instant,
    ) -> Result<Seen, Fault> {
        let mut was_told = false;
        loop {
            let seen = self.look(kept).await;
            let over = Instant::now() >= end;
            match seen {
                Ok(Seen::Running) if !over => {}
                Ok(seen) => return Ok(seen),
                Err(fault) if over => return Err(fault),
                Err(fault) => {
                    if !was_told {
                        call.progress(format!(
                            "{} cannot be asked about {}, which goes on without: {}",
                            self.machine.names.fqdn,
                            self.name(),
                            fault.message
                        ));
                    }
                    was_told = true;
                    sleep(AGAIN).await;
                }
            }
        }
    }

    /// Waits for its end, over new connections when one breaks; kills it when it outlasts its timeout.
    ///
    /// # Errors
    /// Doubt, when nothing says how it ended.
    pub(super) async fn follow(
        &self,
        call: &Call,
        mut kept: Option<Connection>,
        timeout: Duration,
    ) -> Result<CommandResult, Fault> {
        let end = Instant::now() + timeout + GRACE;
        let mut seen = self.watch(call, &mut kept, end).await;
        if let (Ok(Seen::Running), Some(connection)) = (&seen, &kept) {
            let _ = self.exec(connection, STOP, &[], LOOK).await;
            seen = self.watch(call, &mut kept, Instant::now() + LOOK).await;
        }
        let (name, host) = (self.name(), &self.machine.names.fqdn);
        let doubt = |why: String| Fault::in_doubt("remote.in-doubt", self.machine.system(), why);
        match seen {
            Ok(Seen::Ended(how)) => self.collect(call, &mut kept, &how).await,
            Ok(Seen::Running) => Err(Fault::timeout(
                "remote.command-timeout",
                self.machine.system(),
                format!(
                    "{name} did not end on {host} within {} s and could not be killed; look at it there",
                    timeout.as_secs()
                ),
            )),
            Ok(Seen::Late) => Err(self.late()),
            Ok(Seen::Lost) => Err(doubt(format!(
                "{name} does not run on {host} any more, and nothing says how it ended"
            ))),
            Ok(Seen::Absent | Seen::Plain) => Err(doubt(format!(
                "{host} knows nothing of {name}; it may have been restarted"
            ))),
            Err(fault) => Err(doubt(format!(
                "{name} was begun on {host}, which cannot be asked how it ended: {}",
                fault.message
            ))),
        }
    }

    /// Fetches its output, and removes it there.
    pub(super) async fn collect(
        &self,
        call: &Call,
        kept: &mut Option<Connection>,
        how: &str,
    ) -> Result<CommandResult, Fault> {
        let mut tries = 5;
        let (connection, ended) = loop {
            let fetched = self.fetch(kept.take()).await;
            tries -= 1;
            match fetched {
                Ok(fetched) => break fetched,
                Err(fault) if tries == 0 => {
                    return Err(Fault::in_doubt(
                        "remote.in-doubt",
                        self.machine.system(),
                        format!(
                            "{} ended ({how}), but its output cannot be fetched: {}; it is in /var/tmp/wreimage-{} there",
                            self.name(),
                            fault.message,
                            self.id
                        ),
                    ));
                }
                Err(_) => sleep(AGAIN).await,
            }
        };
        let gone = ended.is_none();
        let [out, err] = ended.unwrap_or_default();
        let mut whole = out.whole;
        whole.extend(err.whole);
        let ended = Ended {
            exit: exit(how),
            stdout: out.tail,
            stderr: err.tail,
            truncated: out.cut || err.cut || whole.len() > WHOLE,
            whole_stdout: Vec::new(),
            whole: {
                if whole.len() > WHOLE {
                    whole.truncate(WHOLE);
                    redact::whole_secrets(&mut whole);
                }
                whole
            },
        };
        let mut result = result_of(call, ended, connection.fingerprint.clone());
        result.extra.push(("unit".to_owned(), self.name()));
        if gone {
            let what = "the output was fetched before, by a process that went away";
            result.extra.push(("output".to_owned(), what.to_owned()));
        } else if let Err(failure) = self.exec(&connection, CLEAN, &[], LOOK).await {
            call.progress(format!(
                "the output of {} could not be removed from /var/tmp there: {}",
                self.name(),
                self.broken(failure).message
            ));
        }
        connection.close().await;
        Ok(result)
    }

    /// Both streams; `None` when they were removed.
    async fn fetch(
        &self,
        kept: Option<Connection>,
    ) -> Result<(Connection, Option<[Part; 2]>), Fault> {
        let connection = match kept {
            Some(connection) => connection,
            None => self.machine.connect(self.at).await?,
        };
        let mut parts = Vec::new();
        for name in ["out", "err"] {
            let ended = self.exec(&connection, COLLECT, &[name], FETCH).await;
            let ended = ended.map_err(|failure| self.broken(failure))?;
            match ended.exit {
                Exit::Status(0) => parts.push(Part::of(&ended)),
                Exit::Status(COLLECTED) => return Ok((connection, None)),
                _ => return Err(self.machine.garbage("output", &ended.stderr.text())),
            }
        }
        Ok((connection, parts.try_into().ok()))
    }
}
