//! Runs of a second controller on the host of a run that has died, is paused, or lives on.
//!
//! One begins at once. Where the first run held the lease, another begins when the claim is stale, and a third one takes the
//! host over; while that one waits for the installer, the first run is resumed and ended.

use crate::change::Moment;
use crate::context::RunFacts;
use crate::error::PlayError;
use crate::exit_code::serialize_outcome;
use crate::inject::{SECRET, Stage};
use crate::meeting::Meeting;
use crate::next_command::next_run;
use crate::one_run::{Done, OneRun, SECOND};
use crate::since::Changed;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::sync::Arc;
use wreimage_capability::lease::{ClaimState, Token};
use wreimage_capability::{BoxFuture, Function, remote};
use wreimage_journal::{Record, RunOutcome};

/// How much later than a claim becomes stale the next rival begins, in milliseconds.
const LATER: u64 = 60_000;

/// So many printed commands of a rival that takes the host over are typed, one after the other.
const MOST: usize = 3;

/// A rival, and when it begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RivalAt {
    pub moment: Moment,
    pub function: &'static Function,
    /// Which call of the function, counted from 1.
    pub nth: u64,
}

/// What became of the rivals of a run.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct RivalFacts {
    /// The run had acquired the lease when the first rival began.
    pub held: bool,
    /// The changes that the run had made by then, in order.
    pub done_before: Vec<String>,
    /// The rival that began at once.
    pub at_once: Attempt,
    /// The rival that began when the claim was stale, and named no run to take over.
    pub stale: Attempt,
    /// The rival that took the host over.
    pub taken_over: Attempt,
    /// What one run had removed of the other: `entry`, `override`, `lease`.
    pub removed: Vec<&'static str>,
}

/// How a rival ended; without words when there was none.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Attempt {
    #[serde(serialize_with = "serialize_outcome")]
    pub outcome: Option<RunOutcome>,
    pub exit_code: u8,
    pub summary: String,
    /// It acquired the lease.
    pub acquired: bool,
    /// The changes that it made, in order.
    pub done: Vec<String>,
}

impl Attempt {
    fn of(run: &RunFacts, stage: &Stage) -> Self {
        Attempt {
            outcome: run.outcome,
            exit_code: run.exit_code,
            summary: run.summary.clone(),
            acquired: has_acquired(stage),
            done: run.done.clone(),
        }
    }
}

fn facts(done: &Done) -> RunFacts {
    RunFacts::at_end(&done.stage.journal.entries(), &done.report, SECRET)
}

fn has_acquired(stage: &Stage) -> bool {
    let entries = stage.journal.entries();
    let mut records = entries.iter().map(|entry| &entry.record);
    records.any(|record| matches!(record, Record::LeaseAcquired { .. }))
}

/// What the world has of a run.
#[derive(Debug, PartialEq)]
struct Owned {
    /// The run whose DHCP entry is served.
    entry: Option<Option<String>>,
    network_boot: bool,
    /// The tokens of the claims that are held.
    claims: Vec<Token>,
}

impl Owned {
    fn now(stage: &Stage) -> Self {
        let now = stage.situation();
        let claims = stage.lab.look(|world| {
            let machine = world.machine(&stage.host)?;
            world.claims_on(machine.fqdn()).ok()
        });
        let claims = claims.into_iter().flat_map(|there| there.claims);
        Owned {
            entry: now.dhcp.published.then_some(now.dhcp.run),
            network_boot: now.boot_override == "pxe",
            claims: claims
                .filter(|it| it.claim.state == ClaimState::Held)
                .map(|it| it.claim.token)
                .collect(),
        }
    }

    /// What was there and is not any more.
    fn removed(&self, now: &Owned) -> Vec<&'static str> {
        let mut removed = Vec::new();
        if self.entry.is_some() && self.entry != now.entry {
            removed.push("entry");
        }
        if self.network_boot && !now.network_boot {
            removed.push("override");
        }
        if self.claims.iter().any(|token| !now.claims.contains(token)) {
            removed.push("lease");
        }
        removed
    }
}

impl Stage {
    fn note_rival(&self, note: impl FnOnce(&mut RivalFacts)) {
        note(self.state().rival.get_or_insert_default());
    }

    /// From here on this run must change nothing more.
    fn note_take_over(&self) {
        let changed = Changed {
            records: self.journal.entries().len(),
            world: self.situation(),
        };
        self.state().changed = Some(changed);
    }
}

impl<'a> OneRun<'a> {
    /// Ends when the run, which lives, has come to the call at which a rival begins.
    pub(crate) async fn rival_is_due(&self) -> &Meeting {
        let is_rivalled = self.disturbance.is_some_and(|it| it.rival.is_some());
        match &self.meeting {
            Some(meeting) if is_rivalled => {
                meeting.arrived().await;
                meeting
            }
            _ => std::future::pending().await,
        }
    }

    fn rival(&self) -> OneRun<'a> {
        OneRun {
            controller: SECOND,
            ..OneRun::new(self.subject, self.scenario, self.lab, self.options)
        }
    }

    /// A rival that names no run to take over; what it has removed of a run that holds the lease is noted.
    async fn attempt(&self, stage: &Stage) -> Result<Attempt, PlayError> {
        let before = Owned::now(stage);
        let done = self.rival().boxed().await?;
        if has_acquired(stage) {
            let removed = before.removed(&Owned::now(stage));
            stage.note_rival(|it| it.removed.extend(removed));
        }
        Ok(Attempt::of(&facts(&done), &done.stage))
    }

    /// A rival begins while this run stands where it is.
    pub(crate) async fn rival_begins_at_once(&self, stage: &Stage) -> Result<(), PlayError> {
        let held = has_acquired(stage);
        let done_before = RunFacts::of(&stage.journal.entries()).done;
        let at_once = self.attempt(stage).await?;
        stage.note_rival(|it| {
            it.held = held;
            it.done_before = done_before;
            it.at_once = at_once;
        });
        Ok(())
    }

    /// Rivals begin after this run, of this ID, has died or paused: one at once, and where this run holds the lease one when
    /// its claim is stale, and one that takes the host over. The last one is returned while it waits for the installer.
    pub(crate) async fn rivals_begin(
        &self,
        stage: &Stage,
        run: &str,
    ) -> Result<Option<Overtaking<'a>>, PlayError> {
        self.rival_begins_at_once(stage).await?;
        if !has_acquired(stage) {
            return Ok(None);
        }
        let stale = self.lab.look(|world| {
            let ttl = world.lease_folder().ttl.saturating_add(LATER);
            SignedDuration::from_millis(ttl.cast_signed())
        });
        let clock = self.lab.clock();
        let until = clock.now().saturating_add(stale);
        clock.sleep_until(until.unwrap_or(Timestamp::MAX)).await;
        let stale = self.attempt(stage).await?;
        stage.note_rival(|it| it.stale = stale);
        self.overtake(stage, run).await
    }

    /// A rival takes the host over. One that is refused prints a command, which is typed with the same run to take over.
    async fn overtake(
        &self,
        stage: &Stage,
        run: &str,
    ) -> Result<Option<Overtaking<'a>>, PlayError> {
        let mut options = self.options.to_vec();
        for _ in 0..MOST {
            let meeting = Arc::new(Meeting::new(&remote::functions::wait_for_boot, 1));
            let mut rival = self.take_over(options, run, meeting.clone());
            let ended = tokio::select! {
                ended = &mut rival => Some(ended?),
                () = meeting.arrived() => None,
            };
            let Some((ended, attempt)) = ended else {
                stage.note_take_over();
                return Ok(Some(Overtaking {
                    run: rival,
                    meeting,
                    before: Owned::now(stage),
                }));
            };
            let has_taken_over = attempt.acquired;
            stage.note_rival(|it| it.taken_over = attempt);
            match next_run(&ended) {
                _ if has_taken_over => {
                    stage.note_take_over();
                    break;
                }
                Ok(Some(next)) => options = next.options,
                _ => break,
            }
        }
        Ok(None)
    }

    fn take_over(
        &self,
        options: Vec<(String, String)>,
        run: &str,
        meeting: Arc<Meeting>,
    ) -> BoxFuture<'a, Result<(RunFacts, Attempt), PlayError>> {
        let (subject, scenario, lab) = (self.subject, self.scenario, self.lab);
        let take_over = vec![run.to_owned()];
        Box::pin(async move {
            let rival = OneRun {
                controller: SECOND,
                take_over,
                meeting: Some(meeting),
                ..OneRun::new(subject, scenario, lab, &options)
            };
            let done = rival.boxed().await?;
            let run = facts(&done);
            let attempt = Attempt::of(&run, &done.stage);
            Ok((run, attempt))
        })
    }
}

/// A rival that has taken the host over and waits for the installer.
pub(crate) struct Overtaking<'a> {
    run: BoxFuture<'a, Result<(RunFacts, Attempt), PlayError>>,
    meeting: Arc<Meeting>,
    /// What it had when the first run was resumed.
    before: Owned,
}

impl Overtaking<'_> {
    /// The first run has ended: what it has removed of the rival is noted, and the rival continues to its end.
    pub(crate) async fn end(self, stage: &Stage) -> Result<(), PlayError> {
        let removed = self.before.removed(&Owned::now(stage));
        self.meeting.release();
        let (_, attempt) = self.run.await?;
        stage.note_rival(|it| {
            it.removed.extend(removed);
            it.taken_over = attempt;
        });
        Ok(())
    }
}
