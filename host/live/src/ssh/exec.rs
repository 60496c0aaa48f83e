//! One command over a connection, with bounded output.

use super::Connection;
use crate::redact;
use russh::client::Msg;
use russh::{Channel, ChannelMsg, Sig};
use std::time::Duration;
use tokio::time::Instant;
use wreimage_capability::remote::Exit;

/// How much of the end of each stream is kept for the answer.
const TAIL: usize = 16 << 10;
/// How much of the whole output is kept for the run's store.
pub(crate) const WHOLE: usize = 8 << 20;
/// A command whose exit status is known has ended. A process that it left behind can hold the channel open: the rest of the output is
/// waited for as long as no more than this passes between two pieces of it.
const REST: Duration = Duration::from_secs(2);

/// What a command wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Output {
    tail: Vec<u8>,
    /// Whether something stood before it.
    cut: bool,
}

impl Output {
    /// The end of these bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut output = Output::default();
        output.push(bytes);
        output
    }

    fn push(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        // A secret that is cut is found by what stands before it.
        let room = TAIL + 3 * redact::longest();
        if self.tail.len() > 4 * room {
            self.tail.drain(..self.tail.len() - room);
            self.cut = true;
        }
    }

    /// The end without secrets, at most 16 KiB; what is not UTF-8 is replaced.
    pub(crate) fn text(&self) -> String {
        redact::tail(&self.tail, self.cut, TAIL)
    }
}

/// What a command reads on its standard input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'a> {
    pub(crate) bytes: &'a [u8],
    /// How much it may write.
    pub(crate) limit: usize,
}

/// A command that ended.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    pub(crate) exit: Exit,
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
    /// Both streams in the order in which they came, up to 8 MiB.
    pub(crate) whole: Vec<u8>,
    /// What of it is standard output.
    pub(crate) whole_stdout: Vec<u8>,
    /// Whether there was more than that.
    pub(crate) truncated: bool,
}

/// Why it is not known how a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ExecFailure {
    /// It was never sent.
    NotSent(String),
    /// The connection broke after it was sent.
    Lost(String),
    /// It did not end in time; it was sent a signal, and nobody waited for what came of it.
    Timeout(Duration),
}

/// Makes a command for the time that it may take.
type Command<'a> = &'a (dyn Fn(Duration) -> String + Sync);

impl Connection {
    /// Sends a command, which is made for the time that is left when the session is open.
    async fn send(
        &self,
        command: Command<'_>,
        until: Instant,
        timeout: Duration,
    ) -> Result<Channel<Msg>, ExecFailure> {
        let open = tokio::time::timeout_at(until, self.handle.channel_open_session()).await;
        let channel = match open {
            Ok(Ok(channel)) => channel,
            Ok(Err(error)) => return Err(ExecFailure::NotSent(error.to_string())),
            Err(_) => {
                return Err(ExecFailure::NotSent(
                    "no session was opened in time".to_owned(),
                ));
            }
        };
        let command = command(until.saturating_duration_since(Instant::now()));
        match tokio::time::timeout_at(until, channel.exec(true, command)).await {
            Ok(Ok(())) => Ok(channel),
            Ok(Err(error)) => Err(ExecFailure::NotSent(error.to_string())),
            // It waits in a queue, and may still get out.
            Err(_) => Err(ExecFailure::Timeout(timeout)),
        }
    }

    /// Runs a command string of the far shell.
    pub(crate) async fn exec(
        &self,
        command: &str,
        timeout: Duration,
    ) -> Result<Ended, ExecFailure> {
        self.exec_within(&|_| command.to_owned(), timeout).await
    }

    /// Runs a command string of the far shell that is made for the time that is left when the session is open.
    pub(crate) async fn exec_within(
        &self,
        command: Command<'_>,
        timeout: Duration,
    ) -> Result<Ended, ExecFailure> {
        self.run(command, None, timeout, &mut |_| {}).await
    }

    /// Runs a command string of the far shell, which reads `input` to its end; `watch` gets its standard output as it comes.
    /// A command that writes more than the limit of the input is not waited for: what it wrote until then is returned.
    pub(crate) async fn exec_with(
        &self,
        command: &str,
        input: Input<'_>,
        timeout: Duration,
        watch: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<Ended, ExecFailure> {
        self.run(&|_| command.to_owned(), Some(input), timeout, watch)
            .await
    }

    async fn run(
        &self,
        command: Command<'_>,
        input: Option<Input<'_>>,
        timeout: Duration,
        watch: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<Ended, ExecFailure> {
        let until = Instant::now() + timeout;
        let mut channel = self.send(command, until, timeout).await?;
        let mut ended = Ended {
            exit: Exit::Other(String::new()),
            stdout: Output::default(),
            stderr: Output::default(),
            whole: Vec::new(),
            whole_stdout: Vec::new(),
            truncated: false,
        };
        let mut has_ended = false;
        let limit = input.map_or(WHOLE, |input| input.limit);
        let work = async {
            if let Some(input) = input {
                // What fails here shows in the missing exit status.
                let _ = channel.data(input.bytes).await;
                let _ = channel.eof().await;
            }
            loop {
                let next = channel.wait();
                let message = if has_ended {
                    tokio::time::timeout(REST, next).await.ok().flatten()
                } else {
                    next.await
                };
                let Some(message) = message else { break };
                match message {
                    ChannelMsg::Data { data } => {
                        watch(&data);
                        ended.stdout.push(&data);
                        let kept = ended.keep(&data, limit);
                        ended.whole_stdout.extend_from_slice(kept);
                    }
                    ChannelMsg::ExtendedData { data, .. } => {
                        ended.stderr.push(&data);
                        ended.keep(&data, limit);
                    }
                    ChannelMsg::ExitStatus { exit_status } => {
                        ended.exit = Exit::Status(exit_status);
                        has_ended = true;
                    }
                    ChannelMsg::ExitSignal { signal_name, .. } => {
                        ended.exit = Exit::Signal(signal(signal_name));
                        has_ended = true;
                    }
                    ChannelMsg::Failure => return Err(()),
                    ChannelMsg::Close => break,
                    _ => {}
                }
                if input.is_some() && ended.truncated {
                    break;
                }
            }
            Ok(())
        };
        match tokio::time::timeout_at(until, work).await {
            Ok(Ok(())) if has_ended => Ok(ended),
            Ok(Ok(())) if ended.truncated && input.is_some() => {
                stop(&channel).await;
                Ok(ended)
            }
            Ok(Ok(())) => Err(ExecFailure::Lost(
                "the connection ended before the exit status of the command arrived".to_owned(),
            )),
            Ok(Err(())) => Err(ExecFailure::NotSent(
                "the server refuses to run commands".to_owned(),
            )),
            Err(_) if has_ended => Ok(ended),
            Err(_) => {
                stop(&channel).await;
                Err(ExecFailure::Timeout(timeout))
            }
        }
    }
}

impl Ended {
    /// Returns what there was room for.
    fn keep<'a>(&mut self, bytes: &'a [u8], limit: usize) -> &'a [u8] {
        // Behind a cut nothing follows.
        let room = if self.truncated {
            0
        } else {
            limit.saturating_sub(self.whole.len())
        };
        let kept = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        self.whole.extend_from_slice(kept);
        if kept.len() < bytes.len() && !self.truncated {
            self.truncated = true;
            redact::whole_secrets(&mut self.whole);
        }
        kept
    }
}

/// Sends a command the signal to end, and does not wait for its end.
async fn stop(channel: &Channel<Msg>) {
    let stop = async {
        let _ = channel.signal(Sig::TERM).await;
        let _ = channel.close().await;
    };
    let _ = tokio::time::timeout(Duration::from_secs(1), stop).await;
}

fn signal(name: Sig) -> String {
    match name {
        Sig::ABRT => "ABRT".to_owned(),
        Sig::ALRM => "ALRM".to_owned(),
        Sig::FPE => "FPE".to_owned(),
        Sig::HUP => "HUP".to_owned(),
        Sig::ILL => "ILL".to_owned(),
        Sig::INT => "INT".to_owned(),
        Sig::KILL => "KILL".to_owned(),
        Sig::PIPE => "PIPE".to_owned(),
        Sig::QUIT => "QUIT".to_owned(),
        Sig::SEGV => "SEGV".to_owned(),
        Sig::TERM => "TERM".to_owned(),
        Sig::USR1 => "USR1".to_owned(),
        Sig::Custom(name) => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_is_kept() {
        let mut output = Output::default();
        for _ in 0..100 {
            output.push(&[b'x'; 4096]);
        }
        output.push("end \u{e4}".as_bytes());
        output.push(&[0xff]);
        let text = output.text();
        assert!(text.len() <= TAIL);
        assert!(text.ends_with("end \u{e4}\u{fffd}"));
    }
}
