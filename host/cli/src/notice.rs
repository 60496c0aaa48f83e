//! Telling the site's people of a run: that it waits, is lost, or has ended.

use crate::arguments::{Place, Watch};
use crate::exit::{Exit, Failure};
use crate::face::Face;
use crate::look;
use crate::surroundings::state_of;
use serde_json::{Value, json};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use wreimage_journal::{Entry, Header, Record};
use wreimage_site::{Notifier, Occasion, Site};

/// How often a process that drives runs is looked for.
const LOOK: Duration = Duration::from_secs(1);

/// Tells of one run as its records are made.
pub struct Teller {
    messages: UnboundedSender<(Occasion, Value)>,
    header: Mutex<Option<Header>>,
    work: JoinHandle<()>,
}

impl Teller {
    /// Tells by this notifier; what goes wrong with that is told on the screen and disturbs nothing.
    pub fn new(notifier: Notifier, header: Option<Header>, face: Arc<dyn Face>) -> Teller {
        let (messages, mut queue) = unbounded_channel();
        let work = tokio::spawn(async move {
            while let Some((occasion, message)) = queue.recv().await {
                if let Err(why) = notifier.tell(occasion, &message).await {
                    face.line(&format!("warning: nobody could be told of this: {why}"));
                }
            }
        });
        Teller {
            messages,
            header: Mutex::new(header),
            work,
        }
    }

    /// A record has been made.
    pub fn entry(&self, entry: &Entry) {
        let mut header = self.header.lock().unwrap_or_else(PoisonError::into_inner);
        if let Record::Header(first) = &entry.record {
            *header = Some((**first).clone());
        }
        if let Some(header) = header.as_ref()
            && let Some((occasion, message)) = message(header, &entry.record)
        {
            let _ = self.messages.send((occasion, message));
        }
    }

    /// Waits until all is told: each message has its deadline.
    pub async fn finish(self) {
        drop(self.messages);
        // A teller that died has told what it could.
        let _ = self.work.await;
    }
}

/// What is said of a record, if anybody is to hear of it.
fn message(header: &Header, record: &Record) -> Option<(Occasion, Value)> {
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
        Record::Finished(ending) => (
            Occasion::Ended,
            json!({
                "outcome": ending.outcome,
                "summary": ending.summary,
                "left": ending.left,
                "exit_code": ending.exit_code,
                "commands": [format!("wreimage show {run}")],
            }),
        ),
        _ => return None,
    };
    Some((occasion, of_run(header, occasion, more)))
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
    message
}

/// Starts the process that tells when this one has gone away with runs that had not ended.
pub fn watch_over_this_process(place: &Place, site: &std::path::Path) {
    let started = std::env::current_exe().and_then(|program| {
        let mut watch = Command::new(program);
        watch
            .args(["watch", &std::process::id().to_string(), "--site"])
            .arg(place.site.as_deref().unwrap_or(site))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // What ends this process must not end that one.
            .process_group(0)
            .spawn()
    });
    if let Err(error) = started {
        crate::tell::line(&format!(
            "warning: nobody will be told if this process goes away: {error}"
        ));
    }
}

/// `wreimage watch`: waits until a process is gone, and tells of its runs that had not ended.
pub async fn watch(arguments: &Watch) -> Result<Exit, Failure> {
    let began = wreimage_journal::process_began(arguments.process);
    while began.is_some() && wreimage_journal::process_began(arguments.process) == began {
        tokio::time::sleep(LOOK).await;
    }
    let site = Site::load(&arguments.site).map_err(|error| Failure::usage(error.to_string()))?;
    let Some(notifier) = site.notifier() else {
        return Ok(Exit::Success);
    };
    let state = state_of(&Place {
        lab: None,
        world: None,
        site: Some(arguments.site.clone()),
    })?;
    for (header, state) in look::lost_by(&state, arguments.process)? {
        let run = &header.run;
        let commands = [
            format!("wreimage resume {run}"),
            format!("wreimage cleanup {run}"),
        ];
        let more = json!({ "state": state, "commands": commands });
        let message = of_run(&header, Occasion::Lost, more);
        notifier
            .tell(Occasion::Lost, &message)
            .await
            .map_err(Failure::internal)?;
    }
    Ok(Exit::Success)
}
