//! `wreimage resume`.

use crate::answer;
use crate::arguments::{Going, Place, Resume};
use crate::begin::{self, TASK, Tools, lock};
use crate::components::Named;
use crate::detach;
use crate::drive::{self, Driven, Job, What};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::ground::{self, Ground};
use crate::load_guest;
use crate::locks;
use crate::many::{self, Task};
use crate::own_site;
use crate::run::{consented, pace};
use crate::session::Session;
use crate::surroundings::{Binding, Surroundings};
use crate::tell;
use jiff::Timestamp;
use std::path::Path;
use std::sync::Arc;
use wreimage_engine::{ResumeError, RunRequest};
use wreimage_journal::{Entry, Header, Locks, Mode, Record, RunDatabase, RunOutcome};
use wreimage_lab::Pace;
use wreimage_runs::Batch;
use wreimage_runs::Hosts;
use wreimage_runs::Questions;
use wreimage_runs::{RecordedSite, RunStore, RunsError, header_of};

/// Goes on with a run, or with all of a batch.
pub async fn resume(arguments: &Resume) -> Result<Exit, Failure> {
    let going = &arguments.going;
    let state = ground::state_of(&going.place)?;
    let store = RunStore::new(&state);
    if arguments.detach {
        return detach::resume(&store, going).await;
    }
    if let Some(batch) = Batch::read(&state, &going.run)? {
        return resume_batch(&store, arguments, batch).await;
    }
    if arguments.many.is_given() {
        return Err(Failure::Usage(format!(
            "{} is one run: --parallel, --max-failures and --batch-sleep are for a batch",
            going.run
        )));
    }
    let answer = match (arguments.retry, arguments.skip, arguments.abort) {
        (true, ..) => Some("retry"),
        (_, true, _) => Some("skip"),
        (_, _, true) => Some("abort"),
        _ => arguments.answer.as_deref(),
    };
    let run = match store.find(&going.run) {
        Ok(run) => run,
        Err(failure) => {
            return Err(locks::elsewhere(&going.place, &going.run)
                .await
                .unwrap_or(failure.into()));
        }
    };
    let (journal, entries) = open(&state, &run)?;
    let header = wreimage_engine::resumable(&entries)
        .map_err(|error| over(&state, &run, error))?
        .clone();
    if let Some(answer) = answer {
        answer::give_answer(&state, &run, &entries, answer, &drive::actor())?;
    }
    let pace = pace(going.speed, going.output)?;
    let ground = open_as(&going.place, &header.mode, pace, "run").await?;
    let known = pinned(&entries, &header);
    let site = going.place.site.as_deref();
    let (engine, guest, bytes) = match &arguments.guest {
        Some(name) => load_guest::load_guest_file(&files::guest(name)?, Some(known), site).await?,
        None => load_guest::load_pinned(&state, known, site).await?,
    };
    let session = session(going, &ground, Hosts::one(&header.host))?;
    let tools = Tools {
        engine,
        guest,
        bytes,
        ground,
    };
    tools.prepare(&going.place, true)?;
    let questions = Questions {
        // Whoever goes on with a run without an answer wants to be asked.
        pause: header.on_failure == wreimage_journal::OnFailure::Pause && answer.is_some(),
        default: arguments.asking.default_answer.clone(),
        within: arguments.asking.answer_within,
    };
    let opened = Opened {
        journal,
        entries,
        header,
    };
    let driven = go_on(&session, &tools, &state, opened, questions).await?;
    drive::conclude(&session, &driven)
}

/// Goes on with a run that is one of several.
pub async fn one(
    session: &Arc<Session>,
    tools: &Tools,
    run: &str,
    questions: Questions,
) -> Result<Driven, Failure> {
    let state = tools.ground.state()?;
    let (journal, entries) = open(&state, run)?;
    let header = wreimage_engine::resumable(&entries)
        .map_err(|error| over(&state, run, error))?
        .clone();
    let opened = Opened {
        journal,
        entries,
        header,
    };
    go_on(session, tools, &state, opened, questions).await
}

/// A run whose journal this process has opened to go on with it.
struct Opened {
    journal: RunDatabase,
    entries: Vec<Entry>,
    header: Header,
}

async fn go_on(
    session: &Arc<Session>,
    tools: &Tools,
    state: &Path,
    opened: Opened,
    questions: Questions,
) -> Result<Driven, Failure> {
    let header = &opened.header;
    let guest = &tools.guest;
    begin::refuse_volatile(&tools.ground, state)?;
    let mut place = tools
        .ground
        .bind(&Named::of(guest), &binding(header), session.is_many())
        .await?;
    is_of(session, header, &place).await?;
    if let Some(other) = RunStore::new(state).overtaken_by(header)? {
        return Err(RunsError::Overtaken {
            run: header.run.clone(),
            other,
            host: header.host.clone(),
        }
        .into());
    }
    wreimage_runs::pin_guest(state, guest.digest(), &tools.bytes)?;
    let request = request(header, &mut place);
    let heard = heard(state, &header.run, tools.ground.pace());
    let lock = lock(state, &request)?;
    let job = Job {
        engine: &tools.engine,
        what: What::Resume(guest, opened.entries, heard),
        request,
        place,
        journal: opened.journal,
        lock,
        questions,
        resumable: true,
    };
    drive::drive(session, job).await
}

async fn resume_batch(
    store: &RunStore,
    arguments: &Resume,
    mut batch: Batch,
) -> Result<Exit, Failure> {
    let state = store.state();
    let going = &arguments.going;
    let for_one = arguments.answer.is_some()
        || arguments.retry
        || arguments.skip
        || arguments.abort
        || arguments.guest.is_some();
    if for_one {
        return Err(Failure::Usage(format!(
            "{0} is a batch: answers and guests are given run by run (`wreimage show {0}` lists the runs), then the batch is \
             gone on with",
            batch.id
        )));
    }
    let many = &arguments.many;
    batch.parallel = many.parallel.unwrap_or(batch.parallel);
    batch.max_failures = many.max_failures.unwrap_or(batch.max_failures);
    batch.batch_sleep = many.batch_sleep.or(batch.batch_sleep);
    if let Some(within) = arguments.asking.answer_within {
        batch.settings.answer_within = Some(within);
        batch
            .settings
            .default_answer
            .clone_from(&arguments.asking.default_answer);
    }
    let hosts = batch.hosts()?;
    // A host whose run cannot be read may be half-way: it must not be taken for one that was not begun.
    if let Some(error) = store.unreadable_since(&batch.id, hosts.names())? {
        return Err(RunsError::from(error).into());
    }
    let _driven = batch.drive(state).await?;
    let mut begun = std::collections::HashMap::new();
    for (run, entries) in store.runs_of_batch(&batch.id)? {
        if let Ok(header) = wreimage_engine::endable(&entries) {
            begun.insert(header.host.clone(), Some(run));
        } else if ended_untouched(&entries) {
            // It was cancelled before it changed anything, as those are that wait for their turn when a batch is stopped.
        } else if let Some(header) = header_of(&entries) {
            // One that has ended is not begun again; one that ended before anything was touched neither: somebody has to
            // look at it first.
            begun.insert(header.host.clone(), None);
        }
    }
    let tasks: Vec<Task> = hosts
        .names()
        .iter()
        .filter_map(|host| match begun.get(host) {
            None => Some(Task::Begin(host.clone())),
            Some(Some(run)) => Some(Task::Resume(host.clone(), run.clone())),
            Some(None) => None,
        })
        .collect();
    if tasks.is_empty() {
        return Err(RunsError::BatchEnded(batch.id).into());
    }
    let ground = open_as(
        &going.place,
        &batch.mode,
        pace(going.speed, going.output)?,
        "batch",
    )
    .await?;
    let site = going.place.site.as_deref();
    let (engine, guest, bytes) = load_guest::load_pinned(state, &batch.guest_digest, site).await?;
    let session = session(going, &ground, hosts.clone())?;
    let own = ground.recorded_site();
    let what = format!("batch {}", batch.id);
    own_site::check(&session, &what, &batch.recorded_site(&own), &own).await?;
    let tools = Arc::new(Tools {
        engine,
        guest,
        bytes,
        ground,
    });
    tools.prepare(&going.place, true)?;
    if batch.settings.no_locks {
        begin::warn_of_no_locks(&hosts);
    }
    batch.forget_cancel(state)?;
    many::work(&session, &tools, &Arc::new(batch), tasks.into()).await
}

/// Whether a run was cancelled before it changed anything.
fn ended_untouched(entries: &[Entry]) -> bool {
    matches!(
        entries.last().map(|entry| &entry.record),
        Some(Record::Finished(ending)) if ending.outcome == RunOutcome::Cancelled && !ending.touched
    )
}

pub fn session(going: &Going, ground: &Ground, hosts: Hosts) -> Result<Arc<Session>, Failure> {
    let yes = going.yes.as_deref().map(consented).transpose()?;
    if let Some(notice) = ground.notice() {
        tell::line(&format!("note: {notice}"));
    }
    let session = Session::new(going.output, going.strict, ground.pace(), hosts, yes);
    let confirmed = &session.changed_site;
    confirmed.store(going.changed_site, std::sync::atomic::Ordering::SeqCst);
    Ok(session)
}

/// The journal first: from here on nobody else drives the run.
pub fn open(state: &Path, run: &str) -> Result<(RunDatabase, Vec<Entry>), Failure> {
    Ok(RunDatabase::resume(state, run).map_err(RunsError::from)?)
}

/// A run with which nobody goes on holds no lock, however its process ended.
pub fn over(state: &Path, run: &str, error: ResumeError) -> Failure {
    if matches!(
        error,
        ResumeError::Empty | ResumeError::Finished { .. } | ResumeError::Gone(_)
    ) {
        // What cannot be given back now is said by whoever wants the lock.
        let _given = Locks::open(state).and_then(|locks| locks.release_all_of(run));
    }
    RunsError::from(error).into()
}

/// SHA-256 of the guest of the last records.
pub fn pinned<'a>(entries: &'a [Entry], header: &'a Header) -> &'a str {
    wreimage_engine::guest_digest(entries).unwrap_or(&header.guest_digest)
}

pub fn binding(header: &Header) -> Binding {
    let task = header.options.iter().find(|(name, _)| name == TASK);
    Binding {
        host: header.host.clone(),
        task: task.map(|(_, task)| task.clone()),
    }
}

/// Opens the place as it was for what was started there: a real site is never gone on with in a lab, nor the other way.
pub async fn open_as(
    place: &Place,
    mode: &Mode,
    pace: Pace,
    what: &str,
) -> Result<Ground, Failure> {
    let mut place = place.clone();
    if let (None, None, Mode::World(folder)) = (&place.world, &place.site, mode) {
        place.world = Some(folder.into());
    }
    let ground = ground::open(&place, pace).await?;
    if ground.mode() == *mode {
        return Ok(ground);
    }
    let shown = |mode: &Mode| match mode {
        Mode::Live => "real systems".to_owned(),
        Mode::Lab => "a lab that is not kept".to_owned(),
        Mode::World(folder) => format!("the lab's world in {folder}"),
    };
    Err(Failure::Usage(format!(
        "the {what} works on {}, and here it would be {}: {}",
        shown(mode),
        shown(&ground.mode()),
        match mode {
            Mode::Live => "name its site file with --site".to_owned(),
            Mode::Lab => "it cannot be gone on with".to_owned(),
            Mode::World(folder) => format!("name it with --world {folder}"),
        }
    )))
}

/// The site must be the one that the run was started for.
pub async fn is_of(
    session: &Session,
    header: &Header,
    place: &Surroundings,
) -> Result<(), Failure> {
    let recorded = |name: &str, digest: &Option<String>| RecordedSite {
        name: name.to_owned(),
        digest: digest.clone(),
    };
    own_site::check(
        session,
        &format!("run {}", header.run),
        &recorded(&header.site, &header.policy),
        &recorded(&place.site, &place.policy),
    )
    .await
}

/// When the run was heard of last, by its lock; the time of a lab is another.
fn heard(state: &Path, run: &str, pace: Pace) -> Option<Timestamp> {
    if pace != Pace::Real {
        return None;
    }
    let held = Locks::open(state).and_then(|locks| locks.held()).ok()?;
    let held = held.into_iter().find(|held| held.run == run)?;
    Timestamp::from_millisecond(i64::try_from(held.renewed_ms).ok()?).ok()
}

/// What the run was started for, and what the site says now.
pub fn request(header: &Header, place: &mut Surroundings) -> RunRequest {
    let mut request = RunRequest::resumed(header);
    request.grants = place.grants.clone();
    request.limits = place.limits;
    request.console = place.console.take();
    place.decide(&mut request);
    request
}
