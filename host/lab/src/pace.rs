//! The lab's clock: virtual time that moves when everybody waits, or the real one.

use crate::kept::Kept;
use crate::lease::Keeper;
use crate::participants::Participants;
use crate::time::{Millis, ceil_millis};
use crate::world::World;
use jiff::Timestamp;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use wreimage_capability::{BoxFuture, Clock, SystemClock, from_millis, to_millis};

/// How fast a lab's time passes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// Virtual; sleeping moves time on at once.
    Full,
    /// Virtual; so many virtual seconds pass in a real second of sleep. Anything but a positive number counts as 1.
    Speed(f64),
    /// The real clock, for sites where some systems are real.
    Real,
}

/// What all handles of one lab share.
pub(crate) struct Shared {
    pace: Pace,
    state: Mutex<State>,
    /// Told whenever a sleeper may have to look again.
    changed: Notify,
}

pub(crate) struct State {
    pub(crate) world: World,
    participants: Participants,
    /// With [`Pace::Speed`], since when everybody waits, and the virtual time then.
    flowing: Option<(Instant, Millis)>,
    /// Where the world is kept, if it is.
    kept: Option<Kept>,
    /// The moment for which sleepers whose time has come were last told to look.
    told: Millis,
    /// Claims on hosts that processes of this lab keep.
    pub(crate) kept_claims: Vec<Keeper>,
}

enum Step {
    /// The sleep is over.
    Over,
    /// Until something changes.
    Wait,
    /// Until something changes, but no longer than this.
    WaitFor(Duration),
}

impl Shared {
    pub(crate) fn new(mut world: World, pace: Pace, kept: Option<Kept>) -> Self {
        let pace = match pace {
            Pace::Speed(speed) if !(speed.is_finite() && speed > 0.0) => Pace::Speed(1.0),
            pace => pace,
        };
        if pace == Pace::Real {
            world.move_to_real_time(to_millis(Timestamp::now()));
        }
        Shared {
            pace,
            state: Mutex::new(State {
                world,
                participants: Participants::default(),
                flowing: None,
                kept,
                told: 0,
                kept_claims: Vec::new(),
            }),
            changed: Notify::new(),
        }
    }

    /// The state at the present moment.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere while the lock was held cannot have left half a change that matters more than going on.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match self.pace {
            Pace::Full => {}
            Pace::Speed(speed) => state.flow(speed),
            Pace::Real => state.world.advance_to(to_millis(Timestamp::now())),
        }
        state
    }

    /// Changes who takes part; sleepers look again.
    pub(crate) fn participants<T>(&self, change: impl FnOnce(&mut Participants) -> T) -> T {
        let mut state = self.lock();
        let out = change(&mut state.participants);
        state.flowing = None;
        let wake = state.participants.anybody_sleeps();
        drop(state);
        if wake {
            self.changed.notify_waiters();
        }
        out
    }

    fn step(&self, ticket: u64, due: Millis) -> Step {
        let mut state = self.lock();
        let step = loop {
            let now = state.world.now;
            if due <= now {
                break Step::Over;
            }
            let Some(next) = state.participants.may_move_to(now) else {
                state.flowing = None;
                break Step::Wait;
            };
            let Pace::Speed(speed) = self.pace else {
                state.world.advance_to(next);
                continue;
            };
            if state.flowing.is_none() {
                state.flowing = Some((Instant::now(), now));
            }
            #[allow(clippy::cast_precision_loss)] // a span; a millisecond more or less
            let seconds = (next.saturating_sub(now)) as f64 / 1000.0 / speed;
            // At least a millisecond, so that rounding cannot make this a busy loop.
            let left = Duration::try_from_secs_f64(seconds)
                .unwrap_or(Duration::from_secs(3600))
                .max(Duration::from_millis(1));
            break Step::WaitFor(left);
        };
        if matches!(step, Step::Over) {
            state.participants.wake(ticket);
            state.flowing = None;
        }
        // Others look whether it is their turn when one fewer sleeps, and once when time has reached them.
        let now = state.world.now;
        let reached = state.told != now && state.participants.anybody_due(now);
        if reached {
            state.told = now;
        }
        let fewer = matches!(step, Step::Over) && state.participants.anybody_sleeps();
        drop(state);
        if reached || fewer {
            self.changed.notify_waiters();
        }
        step
    }
}

impl State {
    /// Writes the world down, where it is kept, before anybody is told what it says.
    pub(crate) fn keep(&mut self, changed: bool) -> io::Result<()> {
        self.beat();
        match &mut self.kept {
            Some(kept) => kept.save(&self.world, changed),
            None => Ok(()),
        }
    }

    fn flow(&mut self, speed: f64) {
        let Some((since, from)) = self.flowing else {
            return;
        };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        // `as` saturates, which is what is wanted
        let passed = (since.elapsed().as_secs_f64() * speed * 1000.0) as Millis;
        if let Some(next) = self.participants.may_move_to(self.world.now) {
            self.world.advance_to(from.saturating_add(passed).min(next));
        }
    }
}

/// Takes a sleep off the books, whether it ended or was abandoned.
struct Ticket<'a> {
    shared: &'a Shared,
    number: u64,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if state.participants.wake(self.number) {
            state.flowing = None;
            drop(state);
            self.shared.changed.notify_waiters();
        }
    }
}

/// A lab's time.
pub(crate) struct LabClock {
    pub(crate) shared: Arc<Shared>,
    /// The participant whose clock it is.
    pub(crate) owner: Option<u64>,
    /// Whether it is slept on by a provider, for a participant that waits for the provider's answer.
    pub(crate) on_behalf: bool,
}

impl LabClock {
    /// The clock of a provider.
    pub(crate) fn on_behalf(shared: Arc<Shared>) -> LabClock {
        LabClock {
            shared,
            owner: None,
            on_behalf: true,
        }
    }

    async fn sleep(&self, due: Millis) {
        // A guest that does nothing but sleep must not keep its thread from everybody else.
        tokio::task::coop::consume_budget().await;
        let ticket = Ticket {
            shared: &self.shared,
            number: self
                .shared
                .participants_quietly(due, self.owner, self.on_behalf),
        };
        loop {
            // Made before the look, so that no change in between is missed.
            let changed = self.shared.changed.notified();
            match self.shared.step(ticket.number, due) {
                Step::Over => return,
                Step::Wait => changed.await,
                Step::WaitFor(left) => {
                    let _ = tokio::time::timeout(left, changed).await;
                }
            }
        }
    }
}

impl Shared {
    /// Puts a sleep on the books. Nobody needs to look again for it: the sleeper itself does so next.
    fn participants_quietly(&self, due: Millis, owner: Option<u64>, on_behalf: bool) -> u64 {
        let mut state = self.lock();
        state.flowing = None;
        state.participants.sleep(due, owner, on_behalf)
    }
}

impl Clock for LabClock {
    fn now(&self) -> Timestamp {
        match self.shared.pace {
            Pace::Real => Timestamp::now(),
            _ => {
                let mut state = self.shared.lock();
                // What cannot be written down now is noticed by the next call.
                let _ = state.keep(false);
                from_millis(state.world.now)
            }
        }
    }

    fn sleep_until(&self, time: Timestamp) -> BoxFuture<'_, ()> {
        if self.shared.pace == Pace::Real {
            return Box::pin(async move { SystemClock.sleep_until(time).await });
        }
        Box::pin(self.sleep(ceil_millis(time)))
    }

    fn is_virtual(&self) -> bool {
        self.shared.pace != Pace::Real
    }
}
