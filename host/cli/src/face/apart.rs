//! A face in a thread of its own: whoever reads what it prints may stand still without holding up the run.

use super::{Face, Source};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use wreimage_journal::Entry;

/// How long a prompt waits until what came before it is shown.
const CAUGHT_UP: Duration = Duration::from_secs(2);

enum Message {
    Entry(Source, Box<Entry>),
    Line(String),
    Pause(Sender<()>),
    Resume,
}

/// Hands everything on, in order. The queue has no bound: a record is small, and the run's own file has it anyway.
pub struct Apart {
    queue: Mutex<Option<Sender<Message>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Apart {
    pub fn new(inner: Arc<dyn Face>) -> Self {
        let (queue, messages) = channel();
        let thread = std::thread::spawn(move || show(&*inner, &messages));
        Apart {
            queue: Mutex::new(Some(queue)),
            thread: Mutex::new(Some(thread)),
        }
    }

    fn send(&self, message: Message) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = queue.as_ref() {
            let _ = queue.send(message);
        }
    }
}

fn show(inner: &dyn Face, messages: &Receiver<Message>) {
    for message in messages {
        match message {
            Message::Entry(from, entry) => inner.entry(&from, &entry),
            Message::Line(text) => inner.line(&text),
            Message::Pause(paused) => {
                inner.pause();
                let _ = paused.send(());
            }
            Message::Resume => inner.resume(),
        }
    }
    inner.finish();
}

impl Face for Apart {
    fn entry(&self, from: &Source, entry: &Entry) {
        self.send(Message::Entry(from.clone(), Box::new(entry.clone())));
    }

    fn line(&self, text: &str) {
        self.send(Message::Line(text.to_owned()));
    }

    fn pause(&self) {
        let (paused, wait) = channel();
        self.send(Message::Pause(paused));
        let _ = wait.recv_timeout(CAUGHT_UP);
    }

    fn resume(&self) {
        self.send(Message::Resume);
    }

    /// Waits until all is shown: the run is over, and nothing is at stake any more.
    fn finish(&self) {
        *self.queue.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Shows nothing before it may, then remembers.
    struct Stalled(Mutex<Option<Receiver<()>>>, Mutex<Vec<String>>);

    impl Face for Stalled {
        fn entry(&self, _from: &Source, _entry: &Entry) {}

        fn line(&self, text: &str) {
            if let Some(may) = self.0.lock().unwrap().take() {
                may.recv().unwrap();
            }
            self.1.lock().unwrap().push(text.to_owned());
        }

        fn pause(&self) {}

        fn resume(&self) {}

        fn finish(&self) {
            self.line("finished");
        }
    }

    #[test]
    fn a_reader_that_stands_still_holds_up_nobody_and_gets_all_in_the_end() {
        let (may, when) = channel();
        let stalled = Arc::new(Stalled(Mutex::new(Some(when)), Mutex::default()));
        let face = Apart::new(stalled.clone());
        for number in 0..1000 {
            face.line(&number.to_string());
        }
        assert!(stalled.1.lock().unwrap().is_empty());
        may.send(()).unwrap();
        face.finish();
        let shown = stalled.1.lock().unwrap();
        assert_eq!(shown.len(), 1001);
        assert_eq!(shown.last().unwrap(), "finished");
    }
}
