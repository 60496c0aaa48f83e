//! A seeded schedule of two controllers, a copy of a state folder and one server, and what must hold at each step.

use super::parts::{Act, Dice, Run, Theme};
use super::rig::{Edit, Rig, TTL};
use super::way::Fate;
use std::collections::BTreeMap;
use wreimage_capability::lease::Token;

/// Plays schedules.
pub(super) struct Schedule {
    pub(super) rig: Rig,
    pub(super) dice: Dice,
    /// One for each state folder; the third is a copy of one of the others.
    pub(super) runs: Vec<Option<Run>>,
    pub(super) tokens: u64,
    theme: Theme,
    /// The order in which the server has confirmed acquisitions, by token.
    pub(super) order: BTreeMap<Token, u64>,
    /// The acquisition of the last verified change.
    pub(super) last: u64,
    /// Calls that were made: of which run, and at which length of its journal.
    pub(super) made: Vec<(String, u64)>,
    /// Whether an operator broke a claim, or the folder was lost or restored, since the last acquisition.
    pub(super) is_disturbed: bool,
    pub(super) trace: Vec<String>,
}

pub(super) type Checked = Result<(), String>;

impl Schedule {
    pub(super) async fn new(seed: u64, edits: &[Edit], theme: Theme) -> Self {
        Schedule {
            rig: Rig::new(edits).await,
            dice: Dice {
                seed,
                faults: theme.faults,
            },
            runs: vec![None, None, None],
            tokens: 0,
            theme,
            order: BTreeMap::new(),
            last: 0,
            made: Vec::new(),
            is_disturbed: false,
            trace: Vec::new(),
        }
    }

    /// Plays the theme's script and so many steps, and then looks for the way out.
    ///
    /// # Errors
    /// Which invariant was violated.
    pub(super) async fn play(&mut self, steps: u32) -> Checked {
        for (at, act) in self.theme.script.clone() {
            self.act(at, act).await?;
        }
        for _ in 0..steps {
            self.step().await?;
        }
        self.way_out().await
    }

    pub(super) fn note(&mut self, text: String) {
        let line = format!("{:>7} {text}", self.rig.now);
        self.trace.push(line);
    }

    async fn step(&mut self) -> Checked {
        let act = self.theme.pick(&mut self.dice);
        let at = self.choose(act);
        self.act(at, act).await
    }

    async fn act(&mut self, at: usize, act: Act) -> Checked {
        let is_alive = self.runs[at].as_ref().is_some_and(|run| run.is_alive);
        match act {
            Act::Go if !is_alive => self.enter(at).await,
            Act::Go | Act::Wake => self.change(at).await,
            Act::Renew if is_alive => self.renew(at).await,
            Act::Publish if is_alive => self.publish(at).await,
            Act::Withdraw if is_alive => self.withdraw(at).await,
            Act::Release if is_alive => {
                self.release(at).await;
                Ok(())
            }
            Act::Sleep if is_alive => {
                self.sleep(at);
                self.pass(TTL + 1000).await
            }
            Act::Crash => {
                self.crash(at);
                Ok(())
            }
            Act::Copy => {
                self.copy(at);
                Ok(())
            }
            Act::CatchUp => {
                let before = self.rig.published();
                if self.rig.way.catch_up() {
                    self.note("what was late arrives".to_owned());
                    self.judge_entry(before.as_ref())?;
                }
                Ok(())
            }
            Act::Restart => {
                self.rig.restart();
                self.note("the server restarts".to_owned());
                Ok(())
            }
            Act::BackUp | Act::Lose | Act::Restore => {
                self.disturb(act);
                Ok(())
            }
            Act::Break => {
                self.break_claim().await;
                Ok(())
            }
            _ => {
                let millis = [TTL / 10, TTL / 3, TTL, TTL + 1000][self.dice.index(4)];
                self.pass(millis).await
            }
        }
    }

    /// Time passes; in its middle all runs that live and hold a claim renew it, as their process does by itself.
    pub(super) async fn pass(&mut self, millis: u64) -> Checked {
        self.note(format!("{millis} ms pass"));
        let mut left = millis;
        while left > 0 {
            let part = left.min(TTL / 2);
            self.rig.pass(part);
            left -= part;
            for at in 0..self.runs.len() {
                if self.runs[at]
                    .as_ref()
                    .is_some_and(|run| !run.sleeps && run.holds(self.rig.now))
                {
                    self.renew_with(at, Fate::Deliver).await?;
                }
            }
        }
        Ok(())
    }
}
