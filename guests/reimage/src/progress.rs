//! How far the host is on the way from its old system to its new one, for the run that continues when this one fails.

use crate::next_command::continuing;
use crate::options::Asked;
use wreimage_sdk::{Ending, FollowUp, end_follow_up};

/// The key under which the command that continues is registered.
pub const KEY: &str = "next-run";

/// What the next run has to know of the host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// It is out of PuppetDB: the next run will call it new.
    pub is_removed: bool,
    /// It has the OS that was asked for: the next run need not wipe it.
    pub is_installed: bool,
    /// Monitoring knows the new system.
    pub is_monitored: bool,
}

impl Progress {
    /// Changes it, and registers the command that continues from there.
    pub fn change(&mut self, asked: &Asked, change: impl FnOnce(&mut Self)) {
        let before = self.follow_up(asked);
        change(self);
        match self.follow_up(asked) {
            after if after == before => {}
            Some(after) => after.by_the_run().add(),
            None => end_follow_up(KEY),
        }
    }

    /// As it was registered last by a run that has ended.
    pub fn registered(ending: &Ending) -> Self {
        let found = ending.follow_ups.iter().find(|it| it.key == KEY);
        let is = |name: &str| found.is_some_and(|it| it.get(name).is_some());
        Progress {
            is_removed: is("removed"),
            is_installed: is("installed"),
            is_monitored: is("monitored"),
        }
    }

    /// The command that continues; none when the host is as it was.
    pub fn follow_up(&self, asked: &Asked) -> Option<FollowUp> {
        let what = match (self.is_removed, self.is_installed) {
            (true, true) => "is out of PuppetDB, and the new OS is installed",
            (true, false) => "is out of PuppetDB",
            (false, true) => "has the new OS, and was not finished",
            (false, false) => return None,
        };
        let is_new = match asked.lacks(&["puppetdb"]) {
            Some(_) => asked.new,
            None => self.is_removed,
        };
        let mut command = continuing(asked, is_new, self.is_installed);
        // PuppetDB knows a host by now that was new, and monitoring does not: no downtime could be set for it.
        if asked.new && !is_new && !self.is_monitored && !asked.no_downtime {
            command.push_str(" --no-downtime");
        }
        let marks = [
            ("removed", self.is_removed),
            ("installed", self.is_installed),
            ("monitored", self.is_monitored),
        ];
        let mut follow_up = FollowUp::new(KEY, format!("{} {what}", asked.host), command);
        for (mark, _) in marks.iter().filter(|(_, is_set)| *is_set) {
            follow_up = follow_up.with(mark, "yes");
        }
        Some(follow_up)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cleanup_hints::tests::ending;
    use crate::options::tests::request;
    use wreimage_sdk::Cause;

    #[test]
    fn what_was_registered_is_read_back() {
        let asked = Asked::from_request(&request(&[("os", "bullseye")])).unwrap();
        for (is_removed, is_installed, is_monitored) in [
            (true, false, false),
            (true, true, false),
            (false, true, false),
            (false, true, true),
        ] {
            let progress = Progress {
                is_removed,
                is_installed,
                is_monitored,
            };
            let mut ending = ending(Cause::Other(String::new()), Vec::new());
            ending.follow_ups.extend(progress.follow_up(&asked));
            assert_eq!(Progress::registered(&ending), progress);
        }
        assert_eq!(Progress::default().follow_up(&asked), None);
    }
}
