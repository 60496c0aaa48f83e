//! What a schedule is made of: its dice, what happens how often, and the runs.

use super::requests::host;
use super::way::Fate;
use wreimage_capability::lease::{
    Acquire, ControllerId, HeldClaim, JournalMark, LeaseResult, Token,
};

/// Numbers that look random, the same for the same seed.
pub(super) struct Dice {
    pub(super) seed: u64,
    /// Whether messages are lost or late, and scripts killed or stopped.
    pub(super) faults: bool,
}

impl Dice {
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut it = self.seed;
        it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (it ^ (it >> 31)) % end
    }

    pub(super) fn index(&mut self, end: u64) -> usize {
        usize::try_from(self.below(end)).unwrap()
    }

    pub(super) fn fate(&mut self) -> Fate {
        let at = u32::try_from(1 + self.below(7)).unwrap();
        match self.below(16) {
            _ if !self.faults => Fate::Deliver,
            0 | 1 => Fate::LoseAnswer,
            2 => Fate::LoseRequest,
            3 => Fate::Late,
            4 => Fate::Kill(at),
            5 => Fate::Stop(at),
            _ => Fate::Deliver,
        }
    }
}

/// What happens next.
#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    /// The process of a controller begins, resumes, or makes a change.
    Go,
    Renew,
    Publish,
    Withdraw,
    Release,
    /// A controller is suspended for longer than a claim is fresh.
    Sleep,
    /// It continues.
    Wake,
    Crash,
    Copy,
    CatchUp,
    Restart,
    BackUp,
    Lose,
    Restore,
    Break,
    Pass,
}

/// What happens how often in a schedule.
#[derive(Debug, Clone)]
pub(super) struct Theme {
    acts: Vec<Act>,
    pub(super) faults: bool,
    /// What happens first, and to which controller.
    pub(super) script: Vec<(usize, Act)>,
}

impl Theme {
    /// Everything, with an emphasis that the seed chooses.
    pub(super) fn of(seed: u64) -> Self {
        use Act::{
            BackUp, Break, CatchUp, Copy, Crash, Go, Lose, Pass, Publish, Release, Renew, Restart,
            Restore, Sleep, Wake, Withdraw,
        };
        let mut acts = vec![Go, Go, Go, Go, Pass, Pass];
        acts.extend(match seed % 5 {
            0 => vec![
                Renew, Publish, Withdraw, Release, Sleep, Wake, Crash, Copy, CatchUp, Restart,
                Break,
            ],
            1 => vec![Sleep, Wake, Wake, Pass, Go, Go, Restart],
            2 => vec![
                Publish, Publish, Publish, CatchUp, CatchUp, Sleep, Wake, Withdraw,
            ],
            3 => vec![BackUp, Restore, Lose, Break, Release, Pass, Renew],
            _ => vec![Copy, Copy, Crash, Crash, Pass, Go, Go],
        });
        Theme {
            acts,
            faults: true,
            script: Vec::new(),
        }
    }

    /// Only these, and nothing is lost but what a publication sends late.
    pub(super) fn only(acts: &[Act]) -> Self {
        Theme {
            acts: acts.to_vec(),
            faults: false,
            script: Vec::new(),
        }
    }

    /// This happens, and after it only changes; nothing is lost.
    pub(super) fn script(script: &[(usize, Act)]) -> Self {
        Theme {
            script: script.to_vec(),
            ..Theme::only(&[Act::Go])
        }
    }

    pub(super) fn pick(&self, dice: &mut Dice) -> Act {
        self.acts[dice.index(self.acts.len() as u64)]
    }
}

/// A run as a state folder has it: its journal, and what its process knows.
#[derive(Clone)]
pub(super) struct Run {
    pub(super) id: String,
    pub(super) controller: ControllerId,
    pub(super) journal: JournalMark,
    /// Those that the journal has, the last one last.
    pub(super) tokens: Vec<Token>,
    /// The request that was made last and has no answer yet.
    pub(super) open: Option<Acquire>,
    /// Until when the process may act: counted from sending the last confirmed request.
    pub(super) valid_until: Option<u64>,
    /// Whether its process runs.
    pub(super) is_alive: bool,
    /// Its controller is suspended: it renews nothing until it acts again.
    pub(super) sleeps: bool,
    pub(super) has_ended: bool,
}

impl Run {
    pub(super) fn record(&mut self) {
        self.journal.length += 1;
        let text = format!(
            "{} {} {} {}",
            self.journal.sum, self.journal.length, self.controller.name, self.controller.lock_inode
        );
        self.journal.sum = crate::digest::sha256(text.as_bytes())[..16].to_owned();
    }

    pub(super) fn claim(&self) -> HeldClaim {
        HeldClaim {
            host: host("host1.lab1.test"),
            run: self.id.clone(),
            token: self.tokens.last().unwrap().clone(),
            phase: "install".to_owned(),
            journal: self.journal.clone(),
        }
    }

    pub(super) fn holds(&self, now: u64) -> bool {
        self.is_alive && self.valid_until.is_some_and(|until| now < until)
    }
}

/// An answer for the trace.
pub(super) fn shown<T>(answer: &LeaseResult<T>) -> String {
    match answer {
        Ok(_) => "confirmed".to_owned(),
        Err(error) => error.to_string(),
    }
}
