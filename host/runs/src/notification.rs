//! Notifications of a site: a run waits, is lost, or has ended.

use crate::error::RunsError;
use crate::frontend::Frontend;
use crate::standing::RunState;
use crate::store::RunStore;
use crate::text::shown;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use wreimage_journal::{Entry, Header, Process, Record};
use wreimage_site::{Notifier, Occasion, Site};

/// Notifies of one run as its records are made.
pub(crate) struct RunNotifier {
    messages: UnboundedSender<(Occasion, Value)>,
    header: Mutex<Option<Header>>,
    frontend: Arc<dyn Frontend>,
    work: JoinHandle<()>,
}

impl RunNotifier {
    /// By this notifier; what goes wrong with that is a line for the operator and disturbs nothing.
    pub fn new(notifier: Notifier, header: Option<Header>, frontend: Arc<dyn Frontend>) -> Self {
        let (messages, mut queue) = unbounded_channel();
        let warned = frontend.clone();
        let work = tokio::spawn(async move {
            while let Some((occasion, message)) = queue.recv().await {
                if let Err(why) = notifier.tell(occasion, &message).await {
                    warned.line(&format!("warning: nobody could be told of this: {why}"));
                }
            }
        });
        RunNotifier {
            messages,
            header: Mutex::new(header),
            frontend,
            work,
        }
    }

    /// A record has been made.
    pub fn record(&self, entry: &Entry) {
        let mut header = self.header.lock().unwrap_or_else(PoisonError::into_inner);
        if let Record::Header(first) = &entry.record {
            *header = Some((**first).clone());
        }
        if let Some(header) = header.as_ref()
            && let Some((occasion, message)) = self.message(header, &entry.record)
        {
            let _ = self.messages.send((occasion, message));
        }
    }

    /// What is sent for a record, if anything is.
    fn message(&self, header: &Header, record: &Record) -> Option<(Occasion, Value)> {
        let run = &header.run;
        let (occasion, more) = match record {
            Record::Question(question) => (
                Occasion::Waits,
                json!({
                    "question": question.question,
                    "choices": question.choices,
                    "commands": [format!("wreimage answer {run} CHOICE"), format!("wreimage attach {run}")],
                }),
            ),
            Record::Paused { why } => (
                Occasion::Waits,
                json!({
                    "why": why,
                    "commands": [format!("wreimage resume {run}"), format!("wreimage cleanup {run}")],
                }),
            ),
            Record::Finished(ending) => {
                let mut more = json!({
                    "outcome": ending.outcome,
                    "summary": ending.summary,
                    "left": ending.left,
                });
                if let (Some(all), Some(code)) =
                    (more.as_object_mut(), self.frontend.exit_code(ending))
                {
                    all.insert("exit_code".to_owned(), code.into());
                }
                if let Some(all) = more.as_object_mut() {
                    all.insert(
                        "commands".to_owned(),
                        json!([format!("wreimage show {run}")]),
                    );
                }
                (Occasion::Ended, more)
            }
            _ => return None,
        };
        Some((occasion, of_run(header, occasion, more)))
    }

    /// Waits until all is sent: each message has its deadline.
    pub async fn finish(self) {
        drop(self.messages);
        // A task that died has sent what it could.
        let _ = self.work.await;
    }
}

fn of_run(header: &Header, occasion: Occasion, more: Value) -> Value {
    let mut message = json!({
        "event": occasion.word(),
        "run": header.run,
        "batch": header.batch,
        "site": header.site,
        "host": header.host,
        "guest": header.guest,
        "actor": header.actor,
        "controller": header.controller,
        "reason": header.reason,
        "dry_run": header.dry_run,
    });
    if let (Some(all), Value::Object(more)) = (message.as_object_mut(), more) {
        all.extend(more);
    }
    make_harmless(&mut message);
    message
}

/// The texts of guests end in chats and terminals: as lines there, they must not pass for others.
fn make_harmless(value: &mut Value) {
    match value {
        Value::String(text) => *text = shown(text),
        Value::Array(items) => items.iter_mut().for_each(make_harmless),
        Value::Object(entries) => entries.values_mut().for_each(make_harmless),
        _ => {}
    }
}

/// Notifies of each run that a process, which is gone, has lost: past those of which no one can be notified.
///
/// # Errors
/// Why the runs cannot be read, or the last notification that failed.
pub async fn notify_lost(
    site: &Site,
    store: &RunStore,
    process: &Process,
) -> Result<(), RunsError> {
    let Some(notifier) = site.notifier() else {
        return Ok(());
    };
    let mut failed = None;
    for (header, step) in store.left_by(process, RunState::Lost)? {
        let run = &header.run;
        let commands = [
            format!("wreimage resume {run}"),
            format!("wreimage cleanup {run}"),
        ];
        let more = json!({ "state": step, "commands": commands });
        let message = of_run(&header, Occasion::Lost, more);
        if let Err(why) = notifier.tell(Occasion::Lost, &message).await {
            failed = Some(RunsError::NotNotified(why));
        }
    }
    failed.map_or(Ok(()), Err)
}
