//! Looking at runs, and answering them, from outside.

use crate::arguments::{Answer, Cancel, Logs, Output, Runs, Show};
use crate::drive;
use crate::exit::{Exit, Failure};
use crate::face::words;
use crate::surroundings::state_of;
use crate::tell::plain;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;
use wreimage_journal::{Entry, Header, Level, OpenError, Origin, Question, Record};

/// How often a run that goes on is looked at.
const LOOK: Duration = Duration::from_millis(300);

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
fn ids(state: &Path) -> Result<Vec<String>, Failure> {
    let folder = state.join("runs");
    let read = match std::fs::read_dir(&folder) {
        Ok(read) => read,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(Failure::usage(format!(
                "{} cannot be read: {error}",
                folder.display()
            )));
        }
    };
    let mut ids: Vec<String> = read
        .filter_map(Result::ok)
        .filter(|entry| entry.path().join("journal.db").is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    ids.sort_unstable();
    Ok(ids)
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
struct Standing {
    run: String,
    host: String,
    site: String,
    guest: String,
    actor: String,
    /// `running`, `waiting`, `paused`, `lost`, or how it ended.
    state: String,
    /// The step that it is in, or stopped in.
    step: Option<String>,
    /// The question that waits for an answer.
    question: Option<Question>,
    /// When it began, by its own clock.
    began: Timestamp,
    /// When it was last heard of, by its own clock.
    last: Timestamp,
    reason: Option<String>,
}

impl Standing {
    fn of(entries: &[Entry], driver: Option<&str>) -> Option<Standing> {
        let (first, last) = (entries.first()?, entries.last()?);
        let Record::Header(header) = &first.record else {
            return None;
        };
        let question = open_question(entries);
        let state = match &last.record {
            Record::Finished(ending) => ending.outcome.clone(),
            _ if driver.is_some() && question.is_some() => "waiting".to_owned(),
            _ if driver.is_some() => "running".to_owned(),
            Record::Paused { .. } => "paused".to_owned(),
            _ => "lost".to_owned(),
        };
        let Header {
            run,
            host,
            site,
            guest,
            actor,
            reason,
            ..
        } = header.as_ref().clone();
        Some(Standing {
            run,
            host,
            site,
            guest,
            actor,
            state,
            step: last_step(entries),
            question,
            began: first.time,
            last: last.time,
            reason,
        })
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

/// The runs of a batch, with their records.
pub fn runs_of(state: &Path, batch: &str) -> Result<Vec<(String, Vec<Entry>)>, Failure> {
    let mut runs = Vec::new();
    for id in ids(state)? {
        let entries = wreimage_journal::read(state, &id).map_err(unreadable)?;
        let is_of = |header: &Header| header.batch.as_deref() == Some(batch);
        if header_of(&entries).is_some_and(is_of) {
            runs.push((id, entries));
        }
    }
    Ok(runs)
}

/// The runs that this process, which is gone, has driven and not brought to an end or a pause, and the step of each.
pub fn lost_by(state: &Path, process: u32) -> Result<Vec<(Header, String)>, Failure> {
    let mut lost = Vec::new();
    for id in ids(state)? {
        let driver = std::fs::read_to_string(state.join("runs").join(&id).join("driver"));
        let was_driven = driver.is_ok_and(|told| told.trim() == format!("process {process}"));
        if !was_driven || wreimage_journal::driver(state, &id).is_ok_and(|it| it.is_some()) {
            continue;
        }
        let entries = wreimage_journal::read(state, &id).map_err(unreadable)?;
        if let Some(standing) = Standing::of(&entries, None)
            && standing.state == "lost"
            && let Some(header) = header_of(&entries)
        {
            lost.push((header.clone(), standing.step.unwrap_or_default()));
        }
    }
    Ok(lost)
}

/// Removes the records of runs that have ended, but for those of the last so many days and the last so many runs. Nobody
/// else's business is disturbed: what cannot be removed stays.
pub fn forget(state: &Path, days: Option<u32>, runs: Option<u32>) {
    if days.is_none() && runs.is_none() {
        return;
    }
    let Ok(all) = ids(state) else { return };
    let oldest =
        days.map(|days| Timestamp::now() - jiff::SignedDuration::from_hours(24 * i64::from(days)));
    let kept = runs.map_or(all.len(), |runs| {
        usize::try_from(runs).unwrap_or(usize::MAX)
    });
    for (index, id) in all.iter().rev().enumerate() {
        let is_old = oldest.is_some_and(|oldest| began(id).is_some_and(|began| began < oldest));
        let is_much = runs.is_some() && index >= kept;
        if !is_old && !is_much {
            continue;
        }
        let Ok(None) = wreimage_journal::driver(state, id) else {
            continue;
        };
        let ended = wreimage_journal::read(state, id).is_ok_and(|entries| {
            matches!(
                entries.last().map(|entry| &entry.record),
                Some(Record::Finished(_))
            )
        });
        if ended {
            let _ = std::fs::remove_dir_all(state.join("runs").join(id));
            let _ = std::fs::remove_file(state.join("detached").join(format!("{id}.log")));
        }
    }
}

/// For how long a run has been there, by its id.
fn age(run: &str) -> String {
    let Some(began) = began(run) else {
        return String::new();
    };
    let minutes = Timestamp::now().duration_since(began).as_mins().max(0);
    match (minutes / (24 * 60), minutes / 60) {
        (0, 0) => format!("{minutes} min"),
        (0, hours) => format!("{hours} h"),
        (days, _) => format!("{days} d"),
    }
}

/// When a run was started, by its id.
fn began(run: &str) -> Option<Timestamp> {
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

fn last_step(entries: &[Entry]) -> Option<String> {
    entries.iter().rev().find_map(|entry| match &entry.record {
        Record::StepBegan { phase, name, .. } => Some(format!("{phase}: {name}")),
        _ => None,
    })
}

/// The last question, if it has no answer yet.
pub fn open_question(entries: &[Entry]) -> Option<Question> {
    let mut open = None;
    for entry in entries {
        match &entry.record {
            Record::Question(question) => open = Some(question.clone()),
            Record::Answer(answer) if open.as_ref().is_some_and(|it| it.call == answer.call) => {
                open = None;
            }
            Record::Outcome(outcome) if open.as_ref().is_some_and(|it| it.call == outcome.call) => {
                open = None;
            }
            Record::Finished(_) => open = None,
            _ => {}
        }
    }
    open
}

/// `wreimage runs`.
pub fn runs(arguments: &Runs) -> Result<Exit, Failure> {
    let state = state_of(&arguments.place)?;
    let mut text = String::new();
    for id in ids(&state)? {
        let driver = wreimage_journal::driver(&state, &id).unwrap_or_default();
        let standing = match wreimage_journal::read(&state, &id) {
            Ok(entries) => Standing::of(&entries, driver.as_deref()),
            Err(error) => {
                crate::tell::line(&format!("warning: {error}"));
                continue;
            }
        };
        let Some(standing) = standing else { continue };
        let written = match arguments.output {
            Output::Json => writeln!(text, "{}", json!(standing)),
            Output::Text => writeln!(
                text,
                "{:<42} {:<12} {:<10} {:<10} {:<10} {:>8}  {}",
                standing.run,
                standing.host,
                standing.state,
                standing.guest,
                standing.actor,
                age(&id),
                match (&standing.question, &standing.step) {
                    (Some(question), _) => format!("asks: {}", words::short(&question.question)),
                    (None, Some(step)) => words::short(step),
                    (None, None) => String::new(),
                }
            ),
        };
        // Writing to a string cannot fail.
        let _ = written;
    }
    if text.is_empty() && arguments.output == Output::Text {
        crate::tell::line(&format!("there are no runs in {}", state.display()));
    }
    crate::print(&plain(&text))?;
    Ok(Exit::Success)
}

/// `wreimage show`.
pub fn show(arguments: &Show) -> Result<Exit, Failure> {
    let state = state_of(&arguments.place)?;
    let run = find(&state, &arguments.run)?;
    let entries = wreimage_journal::read(&state, &run).map_err(unreadable)?;
    let driver = wreimage_journal::driver(&state, &run).map_err(unreadable)?;
    let Some(standing) = Standing::of(&entries, driver.as_deref()) else {
        return Err(Failure::refused(format!("the run {run} never began")));
    };
    let mut text = String::new();
    let told = match arguments.output {
        Output::Json => {
            let steps: Vec<&Record> = entries
                .iter()
                .map(|entry| &entry.record)
                .filter(|record| {
                    matches!(record, Record::StepEnded { .. } | Record::Reminder { .. })
                        || (arguments.calls && matches!(record, Record::Outcome(_)))
                })
                .collect();
            let ending = entries.iter().rev().find_map(|entry| match &entry.record {
                Record::Finished(ending) => Some(ending),
                _ => None,
            });
            let all = json!({ "standing": standing, "records": steps, "ending": ending });
            writeln!(text, "{all}")
        }
        Output::Text => tell_run(&mut text, &standing, &entries, arguments.calls, &state),
    };
    // Writing to a string cannot fail.
    let _ = told;
    crate::print(&plain(&text))?;
    Ok(Exit::Success)
}

fn tell_run(
    text: &mut String,
    standing: &Standing,
    entries: &[Entry],
    calls: bool,
    state: &Path,
) -> std::fmt::Result {
    writeln!(text, "{}: {}", standing.run, standing.state)?;
    writeln!(
        text,
        "  {} on {} of site {}, by {}, begun {}",
        standing.guest, standing.host, standing.site, standing.actor, standing.began
    )?;
    for plug in header_of(entries).map_or(&[][..], |header| &header.plugs) {
        let (name, version, digest) = (&plug.name, &plug.version, &plug.digest);
        writeln!(text, "  with {name} {version}, sha256 {digest}")?;
    }
    if let Some(reason) = &standing.reason {
        writeln!(text, "  because: {reason}")?;
    }
    let blobs = state.join("runs").join(&standing.run).join("blobs");
    for entry in entries {
        match &entry.record {
            Record::StepEnded {
                level,
                phase,
                name,
                text: said,
                evidence,
                took_ms,
                component,
            } => {
                let took = match took_ms {
                    0..1000 => String::new(),
                    took => format!("  [{}]", words::duration(*took)),
                };
                let mark = words::mark(*level);
                let said = words::after(said);
                let by = words::by(component.as_deref());
                writeln!(text, "  {mark:<4} {phase}: {name}{by}{said}{took}")?;
                for (name, value) in evidence {
                    let blob = blobs.join(value);
                    let is_digest = value.len() == 64 && !value.contains(['/', '.']);
                    if is_digest && blob.is_file() {
                        writeln!(text, "         {name}: {}", blob.display())?;
                    } else {
                        writeln!(text, "         {name}: {}", words::short(value))?;
                    }
                }
            }
            Record::Outcome(outcome) if calls => {
                let by = match (outcome.origin, &outcome.component) {
                    (Origin::Guest, None) => String::new(),
                    (Origin::Guest, Some(component)) => format!(" by {component}"),
                    (Origin::Host, _) => " by the host".to_owned(),
                    (Origin::Undo, _) => " to take back".to_owned(),
                };
                let answer = match &outcome.result {
                    Ok(value) => value.to_string(),
                    Err(fault) => format!("! {}: {}", fault.code, fault.message),
                };
                writeln!(
                    text,
                    "       {} {}{by} {} = {}",
                    outcome.call,
                    outcome.function,
                    words::short(&outcome.arguments.to_string()),
                    words::short(&answer)
                )?;
            }
            Record::Note {
                level: level @ (Level::Warning | Level::Failure),
                text: said,
                component,
                ..
            } => {
                let (mark, by) = (words::mark(*level), words::by(component.as_deref()));
                writeln!(text, "  {mark:<4} {said}{by}")?;
            }
            Record::Reminder {
                text: said,
                command,
            } => writeln!(text, "  left {said}\n         {command}")?,
            Record::Resumed {
                actor, controller, ..
            } => writeln!(text, "  ---- resumed by {actor} on {controller}")?,
            Record::Paused { why } => writeln!(text, "  WAIT {why}")?,
            Record::Finished(ending) => {
                writeln!(text, "  {}: {}", ending.outcome, ending.summary)?;
                for left in &ending.left {
                    writeln!(text, "  LEFT {left}")?;
                }
            }
            _ => {}
        }
    }
    if let Some(question) = &standing.question {
        writeln!(text, "  asks: {}", question.question)?;
        for (key, label) in &question.choices {
            writeln!(text, "    {key:<10} {label}")?;
        }
    }
    Ok(())
}

/// `wreimage logs`.
pub async fn logs(arguments: &Logs) -> Result<Exit, Failure> {
    let state = state_of(&arguments.place)?;
    let run = find(&state, &arguments.run)?;
    let mut told = 0;
    loop {
        let entries = wreimage_journal::read(&state, &run).map_err(unreadable)?;
        let mut text = String::new();
        for entry in entries.iter().skip(told) {
            match arguments.output {
                Output::Json => {
                    let _ = writeln!(text, "{}", json!(entry));
                }
                Output::Text => {
                    for line in words::lines(entry) {
                        let time = entry.time.strftime("%Y-%m-%d %H:%M:%S");
                        let _ = writeln!(text, "{time} {line}");
                    }
                }
            }
        }
        crate::print(&plain(&text))?;
        told = entries.len();
        let ended = matches!(
            entries.last().map(|entry| &entry.record),
            Some(Record::Finished(_))
        );
        if ended || !arguments.follow {
            return Ok(Exit::Success);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// `wreimage cancel`.
pub fn cancel(arguments: &Cancel) -> Result<Exit, Failure> {
    let state = state_of(&arguments.place)?;
    let run = find(&state, &arguments.run)?;
    let driven = wreimage_journal::driver(&state, &run).map_err(unreadable)?;
    let Some(driver) = driven else {
        return Err(Failure::refused(format!(
            "nobody drives the run {run}: `wreimage cleanup {run}` ends it, if it has not ended"
        )));
    };
    wreimage_journal::leave_cancel(&state, &run, &drive::actor()).map_err(unreadable)?;
    crate::tell::line(&format!(
        "{run}: {driver} is told to cancel it; `wreimage attach {run}` shows how it ends"
    ));
    Ok(Exit::Success)
}

/// `wreimage answer`.
pub fn answer(arguments: &Answer) -> Result<Exit, Failure> {
    let state = state_of(&arguments.place)?;
    let run = find(&state, &arguments.run)?;
    let entries = wreimage_journal::read(&state, &run).map_err(unreadable)?;
    give_answer(&state, &run, &entries, &arguments.choice, &drive::actor())?;
    let driven = wreimage_journal::driver(&state, &run).map_err(unreadable)?;
    crate::tell::line(&match driven {
        Some(_) => format!("{run}: answered `{}`", arguments.choice),
        None => format!(
            "{run}: `{}` is kept; nobody drives the run now: wreimage resume {run}",
            arguments.choice
        ),
    });
    Ok(Exit::Success)
}

/// Leaves an answer to the question that is open.
pub fn give_answer(
    state: &Path,
    run: &str,
    entries: &[Entry],
    choice: &str,
    actor: &str,
) -> Result<(), Failure> {
    let Some(question) = open_question(entries) else {
        return Err(Failure::usage(format!("the run {run} waits for no answer")));
    };
    if !question.choices.iter().any(|(key, _)| key == choice) {
        let keys: Vec<&str> = question
            .choices
            .iter()
            .map(|(key, _)| key.as_str())
            .collect();
        return Err(Failure::usage(format!(
            "{choice:?} is no answer to: {}; answer one of {}",
            question.question,
            keys.join(", ")
        )));
    }
    wreimage_journal::leave_answer(state, run, question.call, choice, actor).map_err(unreadable)
}
