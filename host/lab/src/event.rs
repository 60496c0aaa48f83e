//! What will happen by itself, in the order of time.

use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// What happens. Each names the generation of the thing that it was made for; a thing that has moved on ignores it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Event {
    /// The machine's present stage comes to its end.
    StageEnds { host: String, generation: u64 },
    /// The BMC forgets the boot override.
    OverrideForgotten { host: String, generation: u64 },
    /// The install server drops an entry that nobody withdrew.
    EntryExpires { host: String, generation: u64 },
    /// A piece of work that somebody waits for comes to its end.
    JobEnds { key: String },
    /// A system is up: its timers begin.
    SystemUp { host: String, generation: u64 },
    /// A run that the agent began by itself ends, and may have something new to tell.
    AgentRan { host: String, generation: u64 },
    /// An exported resource of the host shows in PuppetDB.
    ResourceAppears { host: String, generation: u64 },
    /// The host's own timer feeds Debmonitor.
    DebmonitorFed { host: String, generation: u64 },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Due {
    at: Millis,
    event: Event,
}

/// Pending events, the earliest first; those of one moment in the order in which they were made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Queue {
    pending: VecDeque<Due>,
}

impl Queue {
    pub(crate) fn add(&mut self, at: Millis, event: Event) {
        let place = self.pending.partition_point(|due| due.at <= at);
        self.pending.insert(place, Due { at, event });
    }

    /// The earliest event up to and including `until`.
    pub(crate) fn take(&mut self, until: Millis) -> Option<(Millis, Event)> {
        if self.pending.front()?.at > until {
            return None;
        }
        self.pending.pop_front().map(|due| (due.at, due.event))
    }

    /// Moves every event by the same span.
    pub(crate) fn shift(&mut self, shift: impl Fn(Millis) -> Millis) {
        for due in &mut self.pending {
            due.at = shift(due.at);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn event(generation: u64) -> Event {
        Event::StageEnds {
            host: "h".to_owned(),
            generation,
        }
    }

    #[test]
    fn events_come_in_the_order_of_time_and_of_making() {
        let mut queue = Queue::default();
        queue.add(5, event(1));
        queue.add(3, event(2));
        queue.add(5, event(3));
        assert_eq!(queue.take(2), None);
        assert_eq!(queue.take(5).unwrap(), (3, event(2)));
        assert_eq!(queue.take(5).unwrap(), (5, event(1)));
        assert_eq!(queue.take(5).unwrap(), (5, event(3)));
        assert_eq!(queue.take(u64::MAX), None);
    }
}
