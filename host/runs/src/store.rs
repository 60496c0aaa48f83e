//! Looking at runs from outside: which there are, and where each stands.

use crate::batch::Batch;
use crate::exit::Failure;
use crate::face::words;
use jiff::Timestamp;
use serde::Serialize;
use std::path::Path;
use wreimage_journal::{Entry, Header, Mode, OpenError, Process, Question, Record};

/// The full id of the run that is meant.
pub fn find(state: &Path, given: &str) -> Result<String, Failure> {
    let all = ids(state)?;
    if all.iter().any(|id| id == given) {
        return Ok(given.to_owned());
    }
    let near: Vec<&String> = all
        .iter()
        .filter(|id| id.starts_with(given) || id.ends_with(given))
        .collect();
    match near.as_slice() {
        [one] => Ok((*one).clone()),
        [] if Batch::read(state, given)?.is_some() => Err(Failure::usage(format!(
            "{given} is a batch, and this is for one run: `wreimage show {given}` lists its runs"
        ))),
        [] => Err(Failure::usage(format!(
            "there is no run {given:?} in {}; `wreimage runs` lists those that there are",
            state.display()
        ))),
        many => Err(Failure::usage(format!(
            "{given:?} is the begin or end of several runs: {}",
            many.iter()
                .map(|id| id.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        ))),
    }
}

/// The ids of all runs, the oldest first: they begin with the time.
pub fn ids(state: &Path) -> Result<Vec<String>, Failure> {
    match wreimage_journal::runs(state) {
        Ok(ids) => Ok(ids),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Failure::usage(format!(
            "the runs in {} cannot be read: {error}",
            state.display()
        ))),
    }
}

/// A journal that cannot be read as a failure of the program.
pub fn unreadable(error: OpenError) -> Failure {
    match error {
        OpenError::NoRun { .. } => Failure::usage(error.to_string()),
        _ => Failure::refused(error.to_string()),
    }
}

/// Where a run stands.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Standing {
    pub run: String,
    pub host: String,
    pub site: String,
    pub guest: String,
    pub actor: String,
    /// The batch that it is one of.
    pub batch: Option<String>,
    /// Whether it is a rehearsal: it changes nothing.
    #[serde(rename = "dry_run")]
    pub dry_run: bool,
    /// `live`, `lab`, or the folder of the lab's world.
    pub mode: Mode,
    /// `running`, `waiting`, `paused`, `lost`, or how it ended.
    pub state: String,
    /// The step that it is in, or stopped in.
    pub step: Option<String>,
    /// The question that waits for an answer.
    pub question: Option<Question>,
    /// For whom or what it waits, if it does.
    pub waits_for: Option<String>,
    /// Whether other runs are kept from its host.
    pub locked: bool,
    /// When it began, by its own clock.
    pub began: Timestamp,
    /// When it was last heard of, by its own clock.
    pub last: Timestamp,
    pub reason: Option<String>,
}

impl Standing {
    /// What kind of run it is, in a word.
    pub fn kind(&self) -> &'static str {
        match (&self.mode, self.dry_run) {
            (_, true) => "rehearsal",
            (Mode::Live, false) => "live",
            (Mode::Lab | Mode::World(_), false) => "lab",
        }
    }

    pub fn of(entries: &[Entry], driver: Option<&str>) -> Option<Standing> {
        let (first, last) = (entries.first()?, entries.last()?);
        let Record::Header(header) = &first.record else {
            return None;
        };
        let question = open_question(entries).map(|open| open.question);
        let state = match &last.record {
            Record::Finished(ending) => ending.outcome.word().to_owned(),
            _ if driver.is_some() && question.is_some() => "waiting".to_owned(),
            _ if driver.is_some() => "running".to_owned(),
            Record::Paused { .. } => "paused".to_owned(),
            _ => "lost".to_owned(),
        };
        let waits_for = waits_for(&state, header, question.as_ref(), entries);
        let locked = header.lock.is_some();
        let Header {
            run,
            host,
            site,
            guest,
            actor,
            batch,
            reason,
            dry_run,
            mode,
            ..
        } = header.as_ref().clone();
        Some(Standing {
            run,
            host,
            site,
            guest,
            actor,
            batch,
            dry_run,
            mode,
            state,
            step: last_step(entries),
            question,
            waits_for,
            locked,
            began: first.time,
            last: last.time,
            reason,
        })
    }
}

/// For whom or what a run waits.
fn waits_for(
    state: &str,
    header: &Header,
    question: Option<&Question>,
    entries: &[Entry],
) -> Option<String> {
    match (state, question) {
        ("waiting" | "paused" | "lost", Some(question)) => {
            Some(format!("an answer: {}", words::short(&question.question)))
        }
        ("running", _) => match entries.last().map(|entry| &entry.record) {
            // What the call that is under way has seen last.
            Some(Record::Progress { text, .. }) => {
                Some(format!("{}: {}", header.host, words::short(text)))
            }
            _ => None,
        },
        ("paused", None) => match entries.last().map(|entry| &entry.record) {
            Some(Record::Paused { why }) => Some(format!("somebody: {}", words::short(why))),
            _ => None,
        },
        ("lost", None) if header.resumable => Some("somebody to go on with it".to_owned()),
        _ => None,
    }
}

/// Where a run stands, in a word; `None` when it cannot be read.
pub fn state_of_run(state: &Path, run: &str) -> Option<String> {
    let driver = wreimage_journal::driver(state, run).ok()?;
    let entries = wreimage_journal::read(state, run).ok()?;
    let standing = Standing::of(&entries, driver.as_deref())?;
    Some(match standing.question {
        Some(question) => format!("{}: {}", standing.state, words::short(&question.question)),
        None => standing.state,
    })
}

/// Whether nobody can go on with a run: it has ended, or never began.
pub fn is_over(state: &Path, run: &str) -> bool {
    let driver = wreimage_journal::driver(state, run);
    match (driver, wreimage_journal::read(state, run)) {
        (Ok(None), Ok(entries)) => matches!(
            entries.last().map(|entry| &entry.record),
            None | Some(Record::Finished(_))
        ),
        (_, Err(OpenError::NoRun { .. })) => true,
        _ => false,
    }
}

/// The runs of these hosts, begun since then, whose journals cannot be read: what they were begun for, and how far they got,
/// is not known.
pub fn unreadable_since(
    state: &Path,
    since: &str,
    hosts: &[String],
) -> Result<Option<OpenError>, Failure> {
    for id in ids(state)? {
        let of_host = host_of(&id).is_some_and(|host| hosts.iter().any(|it| it == host));
        if of_host
            && began(&id) >= began(since)
            && let Err(error) = wreimage_journal::read(state, &id)
        {
            return Ok(Some(error));
        }
    }
    Ok(None)
}

/// The run that has changed the host of this one since this one began: going on would undo its work. `Err` when whether there
/// is one is not known.
pub fn overtaken(state: &Path, of: &Header) -> Result<Option<String>, Failure> {
    for id in ids(state)? {
        if id <= of.run || host_of(&id) != Some(&of.host) {
            continue;
        }
        let entries = wreimage_journal::read(state, &id).map_err(unreadable)?;
        let same = |it: &Header| it.site == of.site && it.mode == of.mode && !it.dry_run;
        let changed = |entry: &Entry| matches!(entry.record, Record::Intent(_));
        if header_of(&entries).is_some_and(same) && entries.iter().any(changed) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// The host of a run, by its id: `TIME-HOST-NUMBER`.
pub fn host_of(run: &str) -> Option<&str> {
    let (_, rest) = run.split_once('-')?;
    Some(rest.rsplit_once('-')?.0)
}

/// The runs of a batch, with their records; those that cannot be read are left out.
pub fn runs_of(state: &Path, batch: &str) -> Result<Vec<(String, Vec<Entry>)>, Failure> {
    let mut runs = Vec::new();
    for id in ids(state)? {
        // A journal that is damaged disturbs no other run.
        let Ok(entries) = wreimage_journal::read(state, &id) else {
            continue;
        };
        let is_of = |header: &Header| header.batch.as_deref() == Some(batch);
        if header_of(&entries).is_some_and(is_of) {
            runs.push((id, entries));
        }
    }
    Ok(runs)
}

/// The runs that nobody drives now, that this process has driven last, and that stand so, `paused` or `lost`, with the step of
/// each.
pub fn left_by(
    state: &Path,
    process: &Process,
    standing: &str,
) -> Result<Vec<(Header, String)>, Failure> {
    let mut left = Vec::new();
    for id in ids(state)? {
        let was_driven = wreimage_journal::last_driver(state, &id).as_ref() == Some(process);
        if !was_driven || wreimage_journal::driver(state, &id).is_ok_and(|it| it.is_some()) {
            continue;
        }
        let Ok(entries) = wreimage_journal::read(state, &id) else {
            continue;
        };
        if let Some(it) = Standing::of(&entries, None)
            && it.state == standing
            && let Some(header) = header_of(&entries)
        {
            left.push((header.clone(), it.step.unwrap_or_default()));
        }
    }
    Ok(left)
}

/// When a run was started, by its id.
pub fn began(run: &str) -> Option<Timestamp> {
    let time = run.split('-').next()?;
    let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%S", time).ok()?;
    Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

/// The first record of a run.
pub fn header_of(entries: &[Entry]) -> Option<&Header> {
    match &entries.first()?.record {
        Record::Header(header) => Some(header),
        _ => None,
    }
}

pub fn last_step(entries: &[Entry]) -> Option<String> {
    entries.iter().rev().find_map(|entry| match &entry.record {
        Record::StepBegan { phase, name, .. } => Some(format!("{phase}: {name}")),
        _ => None,
    })
}

/// A question that waits for an answer.
pub struct OpenQuestion {
    /// The number of its record. The same call may ask again.
    pub number: u64,
    pub question: Question,
}

/// The last question, if it has no answer yet.
pub fn open_question(entries: &[Entry]) -> Option<OpenQuestion> {
    let mut open: Option<OpenQuestion> = None;
    for entry in entries {
        let is_of = |call: u64| open.as_ref().is_some_and(|it| it.question.call == call);
        match &entry.record {
            Record::Question(question) => {
                open = Some(OpenQuestion {
                    number: entry.number,
                    question: question.clone(),
                });
            }
            Record::Answer(answer) if is_of(answer.call) => open = None,
            Record::Outcome(outcome) if is_of(outcome.call) => open = None,
            Record::Finished(_) => open = None,
            _ => {}
        }
    }
    open
}
