//! Telling the site's people of a run: that it waits, is lost, or has ended; and looking after what a process leaves.

use crate::arguments::{Place, Watch};
use crate::exit::Exit;
use crate::face::{Face, exit_code};
use crate::failure::Failure;
use crate::ground::state_of;
use crate::tell;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use wreimage_journal::{Entry, Header, Process, Record};
use wreimage_runs::{RunState, RunStore};
use wreimage_site::{Notifier, Occasion, Site};

/// How often a process that drives runs is looked for, and the runs that it has left paused.
const LOOK: Duration = Duration::from_secs(1);
const LOOK_FOR_PAUSED: Duration = Duration::from_secs(10);

/// For so long what paused runs have published is renewed after their process is gone. Nobody comes back to an older one
/// without a look at what it has left.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

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
                "exit_code": exit_code(ending),
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
    make_harmless(&mut message);
    message
}

/// The texts of guests end in chats and terminals: as lines there, they must not pass for others.
fn make_harmless(value: &mut Value) {
    match value {
        Value::String(text) => *text = tell::shown(text).to_string(),
        Value::Array(items) => items.iter_mut().for_each(make_harmless),
        Value::Object(entries) => entries.values_mut().for_each(make_harmless),
        _ => {}
    }
}

/// Starts the process that looks after the runs of this one: see [`watch`].
pub fn watch_over_this_process(place: &Place, site: &Path) {
    let own = Process::own();
    let started = std::env::current_exe().and_then(|program| {
        let mut watch = Command::new(program);
        watch
            .args(["watch", &own.id.to_string(), &own.began, "--site"])
            .arg(place.site.as_deref().unwrap_or(site))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // What ends this process must not end that one.
            .process_group(0)
            .spawn()
    });
    if let Err(error) = started {
        tell::line(&format!(
            "warning: nobody looks after runs that this process leaves: {error}"
        ));
    }
}

/// `wreimage watch`: renews what runs that a process has left paused have published; when the process is gone, tells of those
/// that it has lost. Ends when the process is gone and none of its runs is paused any more, or after [`LONGEST`].
pub async fn watch(arguments: &Watch) -> Result<Exit, Failure> {
    // As it is now: whoever changes it later may not have come to an end with that.
    let site = Site::load(&arguments.site)?;
    let state = state_of(&Place {
        lab: None,
        world: None,
        site: Some(arguments.site.clone()),
    })?;
    let process = Process {
        id: arguments.process,
        began: arguments.began.clone(),
    };
    let mut due = BTreeMap::new();
    let mut next = Instant::now();
    while process.lives() {
        if site.renews() && Instant::now() >= next {
            renew(&site, &state, &process, &mut due).await;
            next = Instant::now() + LOOK_FOR_PAUSED;
        }
        tokio::time::sleep(LOOK).await;
    }
    let told = tell_lost(&site, &state, &process).await;
    let end = Instant::now() + LONGEST;
    while site.renews() && Instant::now() < end && renew(&site, &state, &process, &mut due).await {
        tokio::time::sleep(LOOK_FOR_PAUSED).await;
    }
    told.map(|()| Exit::Success)
}

/// Renews what is due; whether there is a paused run that may need it.
async fn renew(
    site: &Site,
    state: &Path,
    process: &Process,
    due: &mut BTreeMap<String, Instant>,
) -> bool {
    // What cannot be read now may be read later.
    let Ok(paused) = RunStore::new(state).left_by(process, RunState::Paused) else {
        return true;
    };
    for (header, _) in &paused {
        let now = Instant::now();
        if due.get(&header.run).is_some_and(|due| now < *due) {
            continue;
        }
        let Ok(Some(keeper)) = site.keeper(&header.host) else {
            continue;
        };
        // One that fails is made up for by the next: it is renewed long before it is over.
        let _ = keeper.renew(&header.run).await;
        due.insert(header.run.clone(), now + keeper.interval());
    }
    !paused.is_empty()
}

/// Tells of each run that is lost, past those of which nobody can be told.
async fn tell_lost(site: &Site, state: &Path, process: &Process) -> Result<(), Failure> {
    let Some(notifier) = site.notifier() else {
        return Ok(());
    };
    let mut failed = None;
    for (header, state) in RunStore::new(state).left_by(process, RunState::Lost)? {
        let run = &header.run;
        let commands = [
            format!("wreimage resume {run}"),
            format!("wreimage cleanup {run}"),
        ];
        let more = json!({ "state": state, "commands": commands });
        let message = of_run(&header, Occasion::Lost, more);
        if let Err(why) = notifier.tell(Occasion::Lost, &message).await {
            failed = Some(Failure::Internal(why));
        }
    }
    failed.map_or(Ok(()), Err)
}
