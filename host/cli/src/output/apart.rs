//! A face in a thread of its own: a reader of its output that stands still does not hold up the run.
//!
//! The queue has a bound. Records that are only hints (log lines, progress) are not shown when so much is waiting, other
//! records when twice as much is; the last record of a run is always shown. The face reports how many it has left out, and
//! the journal has them all. While a prompt has the screen, nothing else is shown; the same bound holds.

use super::{Face, Source};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use wreimage_journal::{Entry, Record, size};

/// How long a prompt waits until what came before it is shown.
const CAUGHT_UP: Duration = Duration::from_secs(2);

/// Bytes of records that may wait before hints are left out.
const BOUND: u64 = 16 << 20;

/// Besides its text, a record takes so many bytes in the queue.
const OVERHEAD: u64 = 500;

enum Message {
    Entry(Source, Box<Entry>, u64),
    LeftOut(u64),
    Line(String),
    Pause(Sender<()>),
    Resume,
}

/// Hands everything on, in order.
pub struct Apart {
    queue: Mutex<Option<Sender<Message>>>,
    /// Bytes of the records that wait to be shown.
    waiting: Arc<AtomicU64>,
    /// Records left out since one was handed on.
    left_out: AtomicU64,
    bound: u64,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Apart {
    pub fn new(inner: Arc<dyn Face>) -> Self {
        Apart::with_bound(inner, BOUND)
    }

    fn with_bound(inner: Arc<dyn Face>, bound: u64) -> Self {
        let (queue, messages) = channel();
        let waiting = Arc::new(AtomicU64::new(0));
        let shown = waiting.clone();
        let thread = std::thread::spawn(move || {
            for message in &messages {
                show(&*inner, message, &messages, &shown);
            }
            inner.finish();
        });
        Apart {
            queue: Mutex::new(Some(queue)),
            waiting,
            left_out: AtomicU64::new(0),
            bound,
            thread: Mutex::new(Some(thread)),
        }
    }

    fn send(&self, message: Message) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = queue.as_ref() {
            let _ = queue.send(message);
        }
    }

    /// Whether the queue has room for a record of so many bytes.
    fn has_room(&self, record: &Record, bytes: u64) -> bool {
        let most = match record {
            Record::Finished(_) | Record::Paused { .. } => return true,
            Record::Log { .. } | Record::Progress { .. } => self.bound,
            _ => self.bound.saturating_mul(2),
        };
        self.waiting.load(Ordering::SeqCst).saturating_add(bytes) <= most
    }

    fn report_left_out(&self) {
        match self.left_out.swap(0, Ordering::SeqCst) {
            0 => {}
            records => self.send(Message::LeftOut(records)),
        }
    }
}

/// Shows one message, and while a prompt has the screen nothing else: what comes then is shown when it is answered.
fn show(inner: &dyn Face, message: Message, messages: &Receiver<Message>, waiting: &AtomicU64) {
    let Message::Pause(paused) = message else {
        return hand_on(inner, message, waiting);
    };
    inner.pause();
    let _ = paused.send(());
    let mut held = Vec::new();
    for message in messages {
        match message {
            Message::Resume => break,
            Message::Pause(paused) => {
                let _ = paused.send(());
            }
            other => held.push(other),
        }
    }
    inner.resume();
    for message in held {
        hand_on(inner, message, waiting);
    }
}

fn hand_on(inner: &dyn Face, message: Message, waiting: &AtomicU64) {
    match message {
        Message::Entry(from, entry, bytes) => {
            inner.entry(&from, &entry);
            waiting.fetch_sub(bytes, Ordering::SeqCst);
        }
        Message::LeftOut(records) => inner.left_out(records),
        Message::Line(text) => inner.line(&text),
        Message::Pause(_) | Message::Resume => {}
    }
}

impl Face for Apart {
    fn entry(&self, from: &Source, entry: &Entry) {
        let bytes = size(&entry.record).saturating_add(OVERHEAD);
        if !self.has_room(&entry.record, bytes) {
            self.left_out.fetch_add(1, Ordering::SeqCst);
            return;
        }
        self.report_left_out();
        self.waiting.fetch_add(bytes, Ordering::SeqCst);
        self.send(Message::Entry(from.clone(), Box::new(entry.clone()), bytes));
    }

    fn left_out(&self, records: u64) {
        self.send(Message::LeftOut(records));
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
        self.report_left_out();
        *self.queue.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    /// Shows nothing before it may, then remembers.
    struct Stalled(Mutex<Option<Receiver<()>>>, Mutex<Vec<String>>);

    impl Face for Stalled {
        fn entry(&self, _from: &Source, entry: &Entry) {
            self.line(&format!("record {}", entry.number));
        }

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

    #[test]
    fn hints_that_wait_too_long_are_left_out_and_counted_and_the_end_is_shown() {
        let (may, when) = channel();
        let stalled = Arc::new(Stalled(Mutex::new(Some(when)), Mutex::default()));
        let face = Apart::with_bound(stalled.clone(), 10 * (OVERHEAD + 100));
        let from = Source::new("run", "host");
        let entry = |number, record| Entry {
            number,
            time: jiff::Timestamp::UNIX_EPOCH,
            record,
        };
        for number in 0..1000 {
            let text = "x".repeat(50);
            let severity = "info".to_owned();
            face.entry(&from, &entry(number, Record::Log { severity, text }));
        }
        let why = "the end".to_owned();
        face.entry(&from, &entry(1000, Record::Paused { why }));
        may.send(()).unwrap();
        face.finish();
        let shown = stalled.1.lock().unwrap();
        let records = shown
            .iter()
            .filter(|line| line.starts_with("record "))
            .count();
        assert!((5..20).contains(&records), "{shown:?}");
        let left = 1001 - records;
        assert!(
            shown
                .iter()
                .any(|line| line.starts_with(&format!("{left} records"))),
            "{shown:?}"
        );
        assert_eq!(shown[shown.len() - 2], "record 1000");
    }

    /// Remembers the order of all that it is given.
    #[derive(Default)]
    struct Order(Mutex<Vec<String>>);

    impl Face for Order {
        fn entry(&self, _from: &Source, entry: &Entry) {
            self.line(&format!("record {}", entry.number));
        }

        fn line(&self, text: &str) {
            self.0.lock().unwrap().push(text.to_owned());
        }

        fn pause(&self) {
            self.line("prompt");
        }

        fn resume(&self) {
            self.line("answer");
        }

        fn finish(&self) {}
    }

    #[test]
    fn a_prompt_has_the_screen_to_itself() {
        let order = Arc::new(Order::default());
        let face = Apart::new(order.clone());
        face.line("before");
        face.pause();
        face.line("of another run");
        face.entry(
            &Source::new("run", "host"),
            &Entry {
                number: 7,
                time: jiff::Timestamp::UNIX_EPOCH,
                record: Record::Paused { why: String::new() },
            },
        );
        assert_eq!(*order.0.lock().unwrap(), ["before", "prompt"]);
        face.resume();
        face.finish();
        assert_eq!(
            *order.0.lock().unwrap(),
            ["before", "prompt", "answer", "of another run", "record 7"]
        );
    }
}
