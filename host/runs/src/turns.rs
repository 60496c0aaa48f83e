//! The turns of the runs of a batch: a run that has been validated and has its consent waits here until all hosts of the
//! batch stand where it does, have ended, or were refused.

use std::sync::{Arc, OnceLock};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

/// What a run says to the batch that it is part of.
pub enum Turn {
    /// It is ready for its first change and waits. The answer says whether it may begin.
    Ready {
        /// Its host.
        host: Arc<str>,
        /// The answer.
        may_begin: oneshot::Sender<bool>,
    },
    /// It is half-way: an earlier process has changed something, and it waits for no other.
    HalfWay {
        /// Its host.
        host: Arc<str>,
    },
}

/// The way of a process's runs to the batch that they are part of, if they are of one.
#[derive(Default)]
pub struct Turns(OnceLock<UnboundedSender<Turn>>);

impl Turns {
    /// From here on the runs of this process take turns, as the reader of this channel decides. Once a process.
    pub fn begin(&self) -> UnboundedReceiver<Turn> {
        let (sender, receiver) = unbounded_channel();
        let _first = self.0.set(sender);
        receiver
    }

    /// Whether the runs of this process take turns.
    pub fn are_taken(&self) -> bool {
        self.0.get().is_some()
    }

    /// A run that is half-way goes on without a turn.
    pub fn skip(&self, host: &str) {
        if let Some(sender) = self.0.get() {
            let host = host.into();
            let _ = sender.send(Turn::HalfWay { host });
        }
    }

    /// Waits for the turn of a run: whether it may begin, or `None` when this process has no batch.
    pub async fn wait(&self, host: &str) -> Option<bool> {
        let (may_begin, answer) = oneshot::channel();
        let host = host.into();
        self.0.get()?.send(Turn::Ready { host, may_begin }).ok()?;
        Some(answer.await.unwrap_or(false))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_run_waits_for_the_word_of_its_batch() {
        let turns = Arc::new(Turns::default());
        assert_eq!(turns.wait("host1001").await, None);
        let mut asked = turns.begin();
        turns.skip("host1000");
        assert!(matches!(asked.recv().await, Some(Turn::HalfWay { host }) if &*host == "host1000"));
        for word in [true, false] {
            let of_run = turns.clone();
            let run = tokio::spawn(async move { of_run.wait("host1001").await });
            let Some(Turn::Ready { host, may_begin }) = asked.recv().await else {
                panic!("no turn was asked for");
            };
            assert_eq!(&*host, "host1001");
            may_begin.send(word).unwrap();
            assert_eq!(run.await.unwrap(), Some(word));
        }
        // A batch that is gone lets nobody begin.
        let of_run = turns.clone();
        let run = tokio::spawn(async move { of_run.wait("host1001").await });
        drop(asked.recv().await);
        assert_eq!(run.await.unwrap(), Some(false));
    }
}
