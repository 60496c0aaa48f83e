//! One writer for the DHCP automation of a site: a lock on the install server itself, so that it holds between processes and
//! between controllers.
//!
//! `flock` is held by a process on the install server whose standard input is the caller's: it ends with the call, with the
//! controller and with the connection, and by itself after the time that a call may take. Each command that changes
//! something makes sure there that the lock is still the caller's, and while it runs holds a second one: a command whose
//! controller died goes on for a moment, and the next writer waits for it.

use super::server::{Going, Ran, SMALL, Server};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::timeout;
use wreimage_capability::{Call, Fault};

/// How long another writer is waited for. A publication takes some seconds, most of them the DHCP server's restart.
const WAIT: Duration = Duration::from_secs(40);
/// After this long people are told who is waited for.
const PATIENT: Duration = Duration::from_secs(2);
/// Nobody holds the lock for longer: the gate gives no call more time.
const MOST: Duration = Duration::from_secs(300);

/// Says `held TOKEN`, and before that `busy WHO` while it waits; `given-up WHO` when it waited in vain. `WHO` is left in the
/// lock file for the others.
const HOLD: &str = r#"exec 2>&1
command -v flock >/dev/null || { echo "there is no program flock; install the package util-linux"; exit 1; }
mkdir -p "$1" && exec 9>>"$1/lock" 8>>"$1/work" || exit 1
flock -w "$2" 9 || {
    echo "busy $(cut -d' ' -f2- "$1/lock")"
    flock -w "$3" 9 || { echo "given-up $(cut -d' ' -f2- "$1/lock")"; exit 1; }
}
t=$$-$(date +%s%N)
echo "$t $4, since $(date -u +%FT%TZ)" > "$1/lock" || exit 1
flock -w "$3" 8 || { echo "given-up a command that has outlived its controller"; exit 1; }
exec 8>&-
echo "held $t"
timeout --foreground "$5" cat >/dev/null 9>&-
: > "$1/lock"
"#;

/// Exit statuses of [`FENCED`]: what it was to run does not use them.
const NO_LOCK_FILE: i64 = 96;
const NOT_HELD: i64 = 97;
const STILL_BUSY: i64 = 98;

/// Runs a command if the lock is still the caller's. The command does not inherit the second lock: a daemon that it starts
/// would keep it for ever.
const FENCED: &str = r#"d=$1 t=$2; shift 2
exec 8>>"$d/work" || exit 96
flock -w 3 8 || exit 98
read -r held rest < "$d/lock"
[ "$held" = "$t" ] || exit 97
"$@" 8>&-
exit $?
"#;

/// The lock, for as long as this lives.
pub(super) struct Held {
    folder: String,
    token: String,
    _going: Going,
}

/// The controller's name, for those who wait.
fn controller() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .unwrap_or_default()
}

/// The line `WORD TEXT` without its word.
fn told<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    line.strip_prefix(word)?.strip_prefix(' ').map(str::trim)
}

impl Server {
    /// Takes the lock that is kept in `folder`, for a call about `host`.
    ///
    /// # Errors
    /// `conflict` with the code `dhcp.locked` when another writer does not end in time: who that is, and since when.
    pub(super) async fn lock(&self, folder: &str, host: &str, call: &Call) -> Result<Held, Fault> {
        let who = format!("run {} for {host} on {}", call.run, controller());
        let seconds = |it: Duration| it.as_secs().to_string();
        let argv = [
            "sh",
            "-c",
            HOLD,
            "sh",
            folder,
            &seconds(PATIENT),
            &seconds(WAIT - PATIENT),
            &who,
            &seconds(MOST),
        ];
        let mut going = self.start(&argv).await?;
        let mut lines = BufReader::new(&mut going.stdout).lines();
        let mut words = Vec::new();
        let answer = async {
            // A line that cannot be read is the end of them.
            while let Some(line) = lines.next_line().await.ok().flatten() {
                if let Some(token) = told(&line, "held") {
                    return Some(Ok(token.to_owned()));
                }
                if let Some(holder) = told(&line, "given-up") {
                    return Some(Err(self.locked(folder, holder)));
                }
                match told(&line, "busy") {
                    Some(holder) => call.progress(format!(
                        "waiting for {}: its DHCP automation is being changed by {holder}",
                        self.system()
                    )),
                    None => words.push(line),
                }
            }
            None
        };
        let answer = timeout(WAIT + SMALL, answer).await.ok().flatten();
        let token = answer.unwrap_or_else(|| {
            Err(Fault::unreachable(
                "dhcp.lock",
                self.system(),
                format!(
                    "the lock in {folder} on {} cannot be taken: {}; nothing was changed",
                    self.system(),
                    if words.is_empty() {
                        "it was not given in time, and a command that has outlived its controller may still be at work"
                            .to_owned()
                    } else {
                        words.join("; ")
                    }
                ),
            ))
        })?;
        Ok(Held {
            folder: folder.to_owned(),
            token,
            _going: going,
        })
    }

    fn locked(&self, folder: &str, holder: &str) -> Fault {
        let holder = if holder.is_empty() {
            "somebody"
        } else {
            holder
        };
        Fault::conflict(
            "dhcp.locked",
            self.system(),
            format!(
                "the DHCP automation of {} is being changed by {holder}, and did not become free within {} s; nothing \
                 was changed. Try again; if it stays so, see on the install server who holds {folder}/lock (fuser -v)",
                self.system(),
                WAIT.as_secs()
            ),
        )
        .retryable()
    }

    /// Runs a command that changes something, if the lock is still held.
    pub(super) async fn fenced<S: AsRef<str>>(
        &self,
        held: &Held,
        argv: &[S],
        timeout: Duration,
    ) -> Result<Ran, Fault> {
        let limit = timeout.as_secs().max(1).to_string();
        // The command ends with its deadline on either side, and here with this process.
        let bound: [&str; 5] = match self {
            Server::Local => ["setpriv", "--pdeathsig", "KILL", "--", ""],
            Server::Ssh(_) => ["timeout", "-k", "2", &limit, ""],
        };
        let mut all = vec!["sh", "-c", FENCED, "sh", &held.folder, &held.token];
        all.extend(bound.iter().filter(|word| !word.is_empty()));
        all.extend(argv.iter().map(AsRef::as_ref));
        let spare = match self {
            Server::Local => Duration::ZERO,
            Server::Ssh(_) => Duration::from_secs(3),
        };
        let ran = self.run(&all, timeout + spare).await?;
        let program = argv.first().map_or("", AsRef::as_ref);
        let fault = match ran.status {
            Some(124 | 137) if spare > Duration::ZERO => Fault::timeout(
                "dhcp.timeout",
                self.system(),
                format!(
                    "`{program}` did not end on {} within {limit} s and was killed",
                    self.system()
                ),
            ),
            Some(NOT_HELD) => self.lost(&format!("the lock was lost before `{program}`")),
            Some(STILL_BUSY) => self.lost(&format!(
                "a command that outlived its controller still changes the DHCP automation, so `{program}` was not begun"
            )),
            Some(NO_LOCK_FILE) => self.lost(&format!(
                "{} cannot be written: {}",
                held.folder,
                ran.stderr.trim()
            )),
            _ => return Ok(ran),
        };
        Err(fault)
    }

    fn lost(&self, why: &str) -> Fault {
        let message = format!("{}: {why}; try again", self.system());
        Fault::rejected("dhcp.lock-lost", self.system(), message).retryable()
    }
}
