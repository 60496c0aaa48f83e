//! One run from its header to its last record.

use crate::gate::context::header;
use crate::gate::run_gate::RunGate;
use crate::guest::engine::Engine;
use crate::guest::instance::{Ended, run_guest};
use crate::guest::limits::Limits;
use crate::guest::load::Guest;
use crate::replay::verify::verify_replay;
use crate::run::closing;
use crate::run::judge;
use crate::run::report::Report;
use crate::run::request::{RunError, RunRequest};
use crate::run::services::{Companion, Services};
use crate::run::stop::Stop;
use jiff::Timestamp;
use std::sync::Arc;
use tracing::Instrument;
use wreimage_journal::{Ending, Entry, Header, LogError, Record, RunOutcome, size};

/// Runs a guest for one host, takes back what must not outlive the run, and reports.
///
/// # Errors
/// When it cannot begin: nothing was recorded and nothing done. A run that fails is a report, not an error.
pub async fn run(
    engine: &Engine,
    guest: &Guest,
    request: RunRequest,
    mut services: Services,
) -> Result<Report, RunError> {
    if let Some(refusal) = request.grants.refuse(guest, &request.absent) {
        return Err(RunError::NotGranted(refusal));
    }
    let companion = services.companion.take();
    let began = services.clock.now();
    let limits = request.limits;
    let header = header(guest, &request, services.resumable);
    let gate = Arc::new(RunGate::new(&header, Some(guest), request, services));
    gate.record_durably(Record::Header(Box::new(header)))?;
    let drive = Drive {
        engine,
        guest: Some(guest),
        gate,
        limits,
        began,
        companion,
    };
    Ok(drive.unless_stopped(drive.on(guest)).await)
}

/// Who goes on with a run, and since when nobody did.
#[derive(Debug, Clone, Default)]
pub struct Going {
    /// Who goes on with it.
    pub actor: String,
    /// The machine that it is gone on with on.
    pub controller: String,
    /// When its last process was heard of, if that is known better than by its last record.
    pub heard: Option<Timestamp>,
}

/// Goes on with a run from its journal: what was answered is not done again, what was begun is cleared up, and the rest is
/// done. `request` is [`RunRequest::resumed`] with what the site decides now. A guest that is not the one of the journal is
/// tried along all of it first.
///
/// # Errors
/// When it cannot go on: nothing was done.
pub async fn resume(
    engine: &Engine,
    guest: &Guest,
    request: RunRequest,
    services: Services,
    entries: Vec<Entry>,
    going: Going,
) -> Result<Report, RunError> {
    if let Some(refusal) = request.grants.refuse(guest, &request.absent) {
        return Err(RunError::NotGranted(refusal));
    }
    let header = header_of(&entries)?.clone();
    let changed = crate::replay::resume::guest_digest(&entries) != Some(guest.digest());
    if changed {
        verify_replay(engine, guest, &header, &request, &services, &entries).await?;
    }
    let change = changed.then(|| Record::GuestChanged {
        digest: guest.digest().to_owned(),
        version: guest.description().version.clone(),
    });
    let drive = Drive::after(
        engine,
        Some(guest),
        &header,
        request,
        services,
        entries,
        going,
    )?;
    if let Some(change) = change {
        drive.gate.record_durably(change)?;
    }
    Ok(drive.unless_stopped(drive.on(guest)).await)
}

/// Ends a run that nobody will go on with: what must not stay is taken back, and the guest, if it is at hand, says its
/// closing words.
///
/// # Errors
/// When the journal cannot be gone on with: nothing was done.
pub async fn cleanup(
    engine: &Engine,
    guest: Option<&Guest>,
    request: RunRequest,
    services: Services,
    entries: Vec<Entry>,
    going: Going,
) -> Result<Report, RunError> {
    let header = header_of(&entries)?.clone();
    let drive = Drive::after(engine, guest, &header, request, services, entries, going)?;
    Ok(drive.unless_stopped(drive.end()).await)
}

fn header_of(entries: &[Entry]) -> Result<&Header, RunError> {
    match entries.first().map(|entry| &entry.record) {
        Some(Record::Header(header)) => Ok(header),
        _ => Err(RunError::Host("the journal has no header".to_owned())),
    }
}

/// A run as this process drives it.
struct Drive<'a> {
    engine: &'a Engine,
    /// The closing words need it; one that is ended can do without.
    guest: Option<&'a Guest>,
    gate: Arc<RunGate>,
    limits: Limits,
    began: Timestamp,
    companion: Option<Companion>,
}

impl<'a> Drive<'a> {
    /// Goes on after these records.
    fn after(
        engine: &'a Engine,
        guest: Option<&'a Guest>,
        header: &Header,
        request: RunRequest,
        mut services: Services,
        entries: Vec<Entry>,
        going: Going,
    ) -> Result<Self, RunError> {
        let companion = services.companion.take();
        let began = entries
            .first()
            .map_or_else(|| services.clock.now(), |entry| entry.time);
        let limits = request.limits;
        let gate = Arc::new(RunGate::new(header, guest, request, services));
        gate.recorder.continue_after(
            entries.len() as u64,
            entries.iter().filter_map(|it| call_of(&it.record)).max(),
        );
        let bytes = entries.iter().map(|entry| size(&entry.record)).sum();
        gate.recorder.has_bytes(bytes);
        let undriven_ms =
            crate::replay::resume::undriven(&entries, going.heard, gate.recorder.clock().now());
        gate.state().suspended_ms =
            crate::replay::resume::undriven_before(&entries).saturating_add(undriven_ms);
        gate.record(Record::Resumed {
            actor: going.actor,
            controller: going.controller,
            wreimage: env!("CARGO_PKG_VERSION").to_owned(),
            undriven_ms,
        })?;
        gate.holder.learn(&entries);
        gate.has_past(entries);
        Ok(Drive {
            engine,
            guest,
            gate,
            limits,
            began,
            companion,
        })
    }

    /// Drives the run until it is stopped from outside. The work is dropped before the pause is recorded: a `once` call that
    /// was under way is then in doubt, as after a crash.
    async fn unless_stopped(&self, work: impl Future<Output = Report>) -> Report {
        let recorder = self.gate.recorder.clone();
        let beside = async {
            match &self.companion {
                Some(companion) => companion(Arc::new(move |text| recorder.warn(text))).await,
                None => std::future::pending().await,
            }
        };
        let context = &self.gate.context;
        let span = tracing::info_span!("wreimage.run", run = %context.run, host = %context.host);
        let driven = async {
            tokio::select! {
                biased;
                why = self.gate.cancel.stopped() => self.pause(&Stop::Paused(why)),
                report = work => report,
                never = beside => match never {},
            }
        };
        driven.instrument(span).await
    }

    /// The guest's part, what is taken back, the closing words, and the verdict; or a pause, after which nothing of that
    /// has been done.
    async fn on(&self, guest: &Guest) -> Report {
        let gate = &self.gate;
        if let Err(stop) = gate.take_up_lease(false).await {
            return self.pause(&stop);
        }
        if let Some(end) = gate.guest_end() {
            gate.replay_guest();
            return self.close(Ended::from_record(end)).await;
        }
        let mut ended = run_guest(self.engine, guest, gate, self.limits).await;
        if !ended.is_pause(gate.context.resumable) {
            match &ended {
                // It may have been told to stop in the middle of its own records.
                Ended::Cancelled => gate.replay_all(),
                _ => {
                    if let Err(stop) = gate.replay_end(ended.word()) {
                        ended = Ended::Stopped(stop);
                    }
                }
            }
        }
        if let Ended::Stopped(stop) = &ended
            && ended.is_pause(gate.context.resumable)
        {
            return self.pause(stop);
        }
        self.end_as(ended).await
    }

    /// Ends a run that nobody goes on with.
    async fn end(&self) -> Report {
        let gate = &self.gate;
        if let Err(stop) = gate.take_up_lease(true).await {
            return self.pause(&stop);
        }
        if let Some(end) = gate.guest_end() {
            gate.replay_guest();
            return self.close(Ended::from_record(end)).await;
        }
        gate.replay_all();
        self.end_as(Ended::Cancelled).await
    }

    /// The guest's part is over for good.
    async fn end_as(&self, ended: Ended) -> Report {
        let gate = &self.gate;
        // A record that cannot be kept does not keep the host from taking back what must not stay; the report says so.
        if !gate.context.resumable {
            gate.recorder.continue_unrecorded();
        }
        if let Err(error) = closing::close_guest(gate, &ended)
            && gate.context.resumable
        {
            return self.pause(&Stop::Record(error));
        }
        self.close(ended).await
    }

    /// What follows the guest's part.
    async fn close(&self, ended: Ended) -> Report {
        let gate = &self.gate;
        if let Err(stop) = gate.reverse_all().await {
            return self.pause(&stop);
        }
        let refused = matches!(
            ended,
            Ended::Stopped(Stop::Refused(_) | Stop::WrongMachine(_))
        );
        if let Some(guest) = self.guest
            && (!refused || gate.state().touched)
        {
            closing::say_closing_words(self.engine, guest, gate, self.limits, &ended).await;
        }
        if let (Some(why), true) = (gate.recorder.broken(), gate.context.resumable) {
            return self.pause(&Stop::Paused(why));
        }
        self.finish(&ended).await
    }

    /// The run waits for somebody; nothing is taken back.
    fn pause(&self, stop: &Stop) -> Report {
        // A run that waits does not renew its claim.
        self.gate.holder.let_go();
        let why = stop.to_string();
        // Why it waits is said by the report as well.
        let _told = self
            .gate
            .record_durably(Record::Paused { why: why.clone() });
        let ending = Ending {
            outcome: RunOutcome::Paused,
            summary: why,
            touched: self.gate.state().touched,
            left: Vec::new(),
            invalid_options: false,
        };
        self.report(ending)
    }

    /// Judges the run, writes the last record and makes the report.
    async fn finish(&self, ended: &Ended) -> Report {
        let gate = &self.gate;
        let left = gate.release_lease().await;
        gate.state().own_doubts.extend(left);
        self.leave_to_operator();
        let mut ending = judge::ending(&gate.state(), ended);
        let told: Result<(), LogError> = gate.record_durably(Record::Finished(ending.clone()));
        if let Err(error) = told
            && gate.context.resumable
        {
            return self.pause(&Stop::Record(error));
        }
        if let Some(broken) = gate.recorder.broken() {
            ending.summary.push_str(&format!(
                ". The record of this run is not complete: {broken}"
            ));
        }
        self.report(ending)
    }

    /// What the run meant to end itself, and has not, is the operator's to end.
    fn leave_to_operator(&self) {
        let left = self.gate.state().notes.follow_ups.of_the_run();
        for record in left {
            // One that cannot be kept is reported all the same, with the break in the record.
            let _told = self.gate.record_note(record);
        }
    }

    fn report(&self, ending: Ending) -> Report {
        let gate = &self.gate;
        let state = gate.state();
        let took = gate.recorder.clock().now().duration_since(self.began);
        Report {
            run: gate.context.run.clone(),
            host: gate.context.host.clone(),
            dry_run: gate.context.dry_run,
            ending,
            steps: state.notes.steps.clone(),
            notes: state.notes.notes.clone(),
            mutations: state.mutations.clone(),
            undone: state.undo.closed.clone(),
            reminders: state.notes.follow_ups.reminders(),
            calls: state.calls,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(0),
        }
    }
}

fn call_of(record: &Record) -> Option<u64> {
    match record {
        Record::Intent(it) => Some(it.call),
        Record::Outcome(it) => Some(it.call),
        Record::Timer(it) => Some(it.call),
        Record::Question(it) => Some(it.call),
        _ => None,
    }
}
