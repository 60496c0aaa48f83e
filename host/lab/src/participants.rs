//! Who takes part in a lab's time, and when it may move on.

use crate::time::Millis;

/// A clock that is being slept on.
#[derive(Debug, Clone, Copy)]
struct Sleeper {
    ticket: u64,
    due: Millis,
    /// The participant whose clock it is; `None` for the lab's own clock.
    owner: Option<u64>,
    /// A provider sleeps, for whichever participant waits for its answer.
    on_behalf: bool,
}

#[derive(Debug, Clone, Copy)]
struct Member {
    id: u64,
    /// Sleeps on a clock of its own, so its sleeps can be told from others'.
    has_clock: bool,
    /// Waits for something outside the lab.
    idle: u32,
}

/// Participants and sleepers.
#[derive(Debug, Default)]
pub(crate) struct Participants {
    next: u64,
    members: Vec<Member>,
    sleepers: Vec<Sleeper>,
}

impl Participants {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub(crate) fn join(&mut self) -> u64 {
        let id = self.number();
        self.members.push(Member {
            id,
            has_clock: false,
            idle: 0,
        });
        id
    }

    pub(crate) fn leave(&mut self, id: u64) {
        self.members.retain(|member| member.id != id);
    }

    pub(crate) fn give_clock(&mut self, id: u64) {
        if let Some(member) = self.members.iter_mut().find(|member| member.id == id) {
            member.has_clock = true;
        }
    }

    pub(crate) fn idle(&mut self, id: u64, begins: bool) {
        if let Some(member) = self.members.iter_mut().find(|member| member.id == id) {
            member.idle = if begins {
                member.idle.saturating_add(1)
            } else {
                member.idle.saturating_sub(1)
            };
        }
    }

    pub(crate) fn sleep(&mut self, due: Millis, owner: Option<u64>, on_behalf: bool) -> u64 {
        let ticket = self.number();
        self.sleepers.push(Sleeper {
            ticket,
            due,
            owner,
            on_behalf,
        });
        ticket
    }

    /// Ends a sleep; whether it was still there.
    pub(crate) fn wake(&mut self, ticket: u64) -> bool {
        let before = self.sleepers.len();
        self.sleepers.retain(|sleeper| sleeper.ticket != ticket);
        self.sleepers.len() != before
    }

    pub(crate) fn anybody_sleeps(&self) -> bool {
        !self.sleepers.is_empty()
    }

    /// Whether somebody's sleep is over.
    pub(crate) fn anybody_due(&self, now: Millis) -> bool {
        self.sleepers.iter().any(|sleeper| sleeper.due <= now)
    }

    /// The time to which the clock may move: the earliest due time, when everybody waits. Somebody whose sleep is over and
    /// who has not noticed yet does not wait.
    pub(crate) fn may_move_to(&self, now: Millis) -> Option<Millis> {
        let earliest = self.sleepers.iter().map(|sleeper| sleeper.due).min()?;
        if earliest <= now {
            return None;
        }
        let common = |on_behalf: bool| {
            let sleepers = self.sleepers.iter();
            sleepers
                .filter(|s| s.owner.is_none() && s.on_behalf == on_behalf)
                .count()
        };
        let (mut on_common_clock, mut on_behalf) = (common(false), common(true));
        for member in &self.members {
            if member.idle > 0 {
                continue;
            }
            if member.has_clock {
                let sleeps = self.sleepers.iter().any(|s| s.owner == Some(member.id));
                if !sleeps {
                    on_behalf = on_behalf.checked_sub(1)?;
                }
            } else if let Some(left) = on_common_clock.checked_sub(1) {
                on_common_clock = left;
            } else {
                on_behalf = on_behalf.checked_sub(1)?;
            }
        }
        Some(earliest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_moves_to_the_earliest_sleeper_when_all_wait() {
        let mut all = Participants::default();
        assert_eq!(all.may_move_to(0), None);
        all.join();
        let second = all.join();
        let early = all.sleep(5, None, false);
        assert_eq!(all.may_move_to(0), None, "one of two works");
        all.sleep(9, None, false);
        assert_eq!(all.may_move_to(0), Some(5));
        assert_eq!(all.may_move_to(5), None, "one is about to wake");
        assert!(all.wake(early));
        assert!(!all.wake(early));
        assert_eq!(all.may_move_to(5), None);
        all.leave(second);
        assert_eq!(all.may_move_to(5), Some(9));
    }

    #[test]
    fn a_sleeper_without_a_seat_moves_time_by_itself() {
        let mut all = Participants::default();
        all.sleep(7, None, false);
        assert_eq!(all.may_move_to(0), Some(7));
    }

    #[test]
    fn a_participant_with_a_clock_is_judged_by_that_clock_alone() {
        let mut all = Participants::default();
        let own = all.join();
        all.give_clock(own);
        all.sleep(3, None, false);
        assert_eq!(all.may_move_to(0), None);
        all.sleep(8, Some(own), false);
        assert_eq!(all.may_move_to(0), Some(3));
    }

    #[test]
    fn an_idle_participant_holds_nobody_up() {
        let mut all = Participants::default();
        let idle = all.join();
        all.join();
        all.sleep(4, None, false);
        assert_eq!(all.may_move_to(0), None);
        all.idle(idle, true);
        assert_eq!(all.may_move_to(0), Some(4));
        all.idle(idle, false);
        assert_eq!(all.may_move_to(0), None);
    }

    #[test]
    fn a_provider_sleeps_for_the_participant_that_waits_for_it() {
        let mut all = Participants::default();
        let first = all.join();
        let second = all.join();
        all.give_clock(first);
        all.give_clock(second);
        all.sleep(6, None, true);
        assert_eq!(all.may_move_to(0), None, "one of two works");
        all.sleep(8, Some(second), false);
        assert_eq!(all.may_move_to(0), Some(6));
    }
}
