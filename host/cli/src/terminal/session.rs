//! What the runs of this process share: the screen, the keyboard, the consent, and the signals.

use crate::arguments::Output;
use crate::output::print::{self, Prompt};
use crate::output::{self, Face};
use std::io::{BufRead, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{Receiver, channel};
use wreimage_lab::Pace;
use wreimage_runs::ActiveRuns;
use wreimage_runs::Hosts;

/// How long runs that are stopped have for their last record.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// One process with one run or several.
pub struct Session {
    pub output: Output,
    /// Exit with 10 when there were warnings.
    pub strict: bool,
    pub face: Arc<dyn Face>,
    /// The hosts of all its runs.
    pub hosts: Hosts,
    /// The hosts for which consent was given on the command line.
    pub yes: Option<Hosts>,
    /// Consent was given to all hosts at the terminal.
    pub agreed: AtomicBool,
    pub keyboard: Keyboard,
    /// Its runs, which are cancelled and stopped together.
    pub active: Arc<ActiveRuns>,
}

impl Session {
    /// For runs on these hosts; listens to signals from now on.
    pub fn new(
        output: Output,
        strict: bool,
        pace: Pace,
        hosts: Hosts,
        yes: Option<Hosts>,
    ) -> Arc<Session> {
        let many = hosts.names().len() > 1;
        let session = Arc::new(Session {
            output,
            strict,
            face: output::choose(output, pace, many),
            hosts,
            yes,
            agreed: AtomicBool::new(false),
            keyboard: Keyboard::default(),
            active: Arc::default(),
        });
        listen_for_signals(Arc::downgrade(&session));
        session
    }

    /// Whether it has several runs.
    pub fn is_many(&self) -> bool {
        self.hosts.names().len() > 1
    }

    /// All of it is to end, in order.
    fn cancel(&self) {
        self.active.cancel();
        self.say_cancelling();
    }

    /// All of it has been cancelled.
    pub fn say_cancelling(&self) {
        self.face.line(
            "cancelling: the call that is under way ends first, then what must not stay is taken back; again to stop at once",
        );
    }

    /// All of it pauses where it stands, with a last record each.
    fn stop(&self, why: &'static str) {
        self.active.stop(why);
        self.face
            .line("stopping: what is under way is dropped, nothing is taken back");
    }

    fn stop_now(&self) -> ! {
        let runs = self.active.all();
        let mut code = 30;
        for running in &runs {
            let run = &running.run;
            let touched = running.touched.load(Ordering::SeqCst);
            code = code.max(match (running.resumable, touched) {
                (true, _) => {
                    print::line(&format!(
                        "stopped at once: nothing was taken back; to go on: wreimage resume {run}; to end it: wreimage \
                         cleanup {run}"
                    ));
                    50
                }
                (false, true) => {
                    print::line(&format!(
                        "stopped at once: nothing was undone; next: wreimage show {run}"
                    ));
                    31
                }
                (false, false) => 30,
            });
        }
        if code == 30 {
            print::line("stopped at once: nothing was touched");
            print::line(&format!("next: {}", crate::next::again()));
        }
        // Between "cancelled" and "waits": it failed, and something is left.
        std::process::exit(if code == 31 { 21 } else { code });
    }
}

/// The first Ctrl-C cancels in order; the second pauses what another process can go on with, and so does SIGTERM at once. Where
/// nobody can go on, or it takes too long, or a signal more comes, the process ends where it stands. A terminal that is gone
/// stops nothing that can be gone on with.
fn listen_for_signals(session: Weak<Session>) {
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hang_up)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
        signal(SignalKind::hangup()),
    ) else {
        return;
    };
    tokio::spawn(async move {
        let mut last = None;
        loop {
            let (kind, why) = tokio::select! {
                _ = interrupt.recv() => (SignalKind::interrupt(), "stopped by a second Ctrl-C"),
                _ = terminate.recv() => (SignalKind::terminate(), "stopped by SIGTERM"),
                _ = hang_up.recv() => (SignalKind::hangup(), "stopped: its terminal is gone"),
                () = until(last) => (SignalKind::alarm(), ""),
            };
            // With the session, whatever it had to stop is gone.
            let Some(session) = session.upgrade() else {
                return;
            };
            let resumable = session.active.are_resumable();
            if kind == SignalKind::hangup() && resumable {
                continue;
            }
            if last.is_some() {
                session.stop_now();
            }
            // Without a journal to go on from, to end in order is the next best.
            let at_once = kind == SignalKind::terminate() && resumable;
            match (session.active.is_cancelled() || at_once, resumable) {
                (false, _) => session.cancel(),
                (true, false) => session.stop_now(),
                (true, true) => {
                    session.stop(why);
                    last = Some(tokio::time::Instant::now() + STOP_WITHIN);
                }
            }
        }
    });
}

/// Ends at that time, if there is one.
async fn until(time: Option<tokio::time::Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// So many lines are read before they are asked for, and so much of each.
const TYPED_AHEAD: usize = 64;
const LONGEST_LINE: u64 = 4096;

/// One reader of stdin for all prompts, so that a line is never taken by a prompt that is over.
#[derive(Default)]
pub struct Keyboard {
    lines: tokio::sync::Mutex<Option<Receiver<String>>>,
}

/// What came of a prompt.
pub enum Asked {
    /// This was typed.
    Typed(String),
    /// The input has ended.
    Nothing,
    /// By the time that the prompt could be shown, it was not needed any more.
    NotNeeded,
}

impl Keyboard {
    /// Waits until no other prompt has the screen, shows this one, and reads a line. What was typed before is not meant as
    /// an answer to it. `None` at the end of the input.
    pub async fn ask(&self, face: &Arc<dyn Face>, prompt: &Prompt) -> Option<String> {
        match self.ask_unless(face, prompt, || false).await {
            Asked::Typed(line) => Some(line),
            Asked::Nothing | Asked::NotNeeded => None,
        }
    }

    /// The same, unless it is not needed any more when its turn has come.
    pub async fn ask_unless(
        &self,
        face: &Arc<dyn Face>,
        prompt: &Prompt,
        is_settled: impl FnOnce() -> bool + Send,
    ) -> Asked {
        let mut lines = self.lines.lock().await;
        if is_settled() {
            return Asked::NotNeeded;
        }
        let lines = lines.get_or_insert_with(read_lines);
        // A program that writes without end is no reason to ask without end.
        for _ in 0..=TYPED_AHEAD {
            if lines.try_recv().is_err() {
                break;
            }
        }
        face.pause();
        let _resume = Resume(face);
        prompt.show();
        match lines.recv().await {
            Some(line) => Asked::Typed(line),
            None => Asked::Nothing,
        }
    }
}

pub fn read_lines() -> Receiver<String> {
    let (lines, keyboard) = channel(TYPED_AHEAD);
    // Ends with the input or with the process.
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        while let Some(line) = read_line(&mut input) {
            if lines.blocking_send(line).is_err() {
                return;
            }
        }
    });
    keyboard
}

/// The next line, of which what is too long is dropped; `None` at the end of the input, and when it cannot be read.
pub fn read_line(input: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    let count = input.take(LONGEST_LINE).read_until(b'\n', &mut line).ok()?;
    if count == 0 {
        return None;
    }
    if line.last() != Some(&b'\n') {
        input.skip_until(b'\n').ok()?;
    }
    Some(String::from_utf8_lossy(&line).trim().to_owned())
}

/// Gives the screen back, also when the question is dropped.
struct Resume<'a>(&'a Arc<dyn Face>);

impl Drop for Resume<'_> {
    fn drop(&mut self) {
        self.0.resume();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_an_end_is_cut() {
        let text = format!("yes\n{}\nno\nend", "x".repeat(100_000));
        let mut input = text.as_bytes();
        let lines: Vec<String> = std::iter::from_fn(|| read_line(&mut input)).collect();
        let lengths: Vec<usize> = lines.iter().map(String::len).collect();
        assert_eq!(lengths, [3, 4096, 2, 3]);
    }
}
