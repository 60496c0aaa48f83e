//! What the processes of a schedule do: acquire, renew, publish, withdraw, release.

use super::parts::{Run, shown};
use super::requests::{controller, host};
use super::rig::TTL;
use super::schedule::{Checked, Schedule};
use super::way::Fate;
use wreimage_capability::lease::{
    Acquire, Claim, ClaimState, FORMAT, JournalMark, Lease, LeaseError, Right, Token,
};

impl Schedule {
    /// A process begins a run, or resumes the one of its state folder.
    pub(super) async fn enter(&mut self, at: usize) -> Checked {
        let now = self.rig.now;
        let seen = self.rig.lease.observe(&host("host1.lab1.test")).await;
        let Ok(seen) = seen else {
            let created = self
                .rig
                .lease
                .0
                .create(Some(std::time::Duration::from_millis(TTL)));
            let created = created.await.is_ok();
            self.note(format!("{at} creates the folder: {created}"));
            return Ok(());
        };
        let there = seen.claims.first().cloned();
        let old = self.runs[at].take().filter(|run| !run.has_ended);
        let (mut run, right) = match old {
            Some(mut run) => {
                run.is_alive = true;
                run.sleeps = false;
                run.valid_until = None;
                let tokens = run.tokens.clone();
                (run, Right::Resume { tokens })
            }
            None => {
                let number = self.order.len() + self.trace.len();
                let mut run = Run {
                    id: format!("r{at}-{number}"),
                    controller: controller(&format!("c{at}"), 1 + at as u64),
                    journal: JournalMark::default(),
                    tokens: Vec::new(),
                    open: None,
                    valid_until: None,
                    is_alive: true,
                    sleeps: false,
                    has_ended: false,
                };
                run.record();
                let right = match &there {
                    Some(it) if it.claim.state == ClaimState::Held && !it.is_fresh => {
                        Right::TakeOver {
                            run: it.claim.run.clone(),
                        }
                    }
                    _ => Right::Begin,
                };
                (run, right)
            }
        };
        // Consent takes its time; what was seen may have changed by then.
        let wait = [0, 0, TTL / 4, TTL][self.dice.index(4)];
        self.tokens += 1;
        let token = Token(format!("t{}", self.tokens));
        run.tokens.push(token.clone());
        run.record();
        run.open = Some(Acquire {
            claim: Claim {
                format: FORMAT,
                host: host("host1.lab1.test"),
                run: run.id.clone(),
                token,
                state: ClaimState::Held,
                controller: run.controller.clone(),
                actor: "an operator".to_owned(),
                uid: 0,
                phase: "validate".to_owned(),
                acquisition: 0,
                journal: run.journal.clone(),
            },
            over: there.map(|it| it.claim.token),
            right,
        });
        self.note(format!("{at} {} observes, at {now}", run.id));
        self.runs[at] = Some(run);
        if wait > 0 {
            self.pass(wait).await?;
        }
        let fate = self.dice.fate();
        self.acquire(at, fate).await
    }

    pub(super) async fn acquire(&mut self, at: usize, fate: Fate) -> Checked {
        let Some(request) = self.runs[at].as_ref().and_then(|run| run.open.clone()) else {
            return Ok(());
        };
        self.rig.next(fate);
        let sent = self.rig.now;
        let answer = self.rig.lease.acquire(&request).await;
        self.note(format!(
            "{at} acquires {:?} over {:?} by {:?} ({fate:?}): {}",
            request.claim.token.0,
            request.over.as_ref().map(|it| &it.0),
            request.right,
            shown(&answer)
        ));
        self.learn_order();
        let Some(run) = self.runs[at].as_mut() else {
            return Ok(());
        };
        match answer {
            Ok(confirmed) => {
                run.open = None;
                run.valid_until = Some(sent + confirmed.ttl_ms);
                self.is_disturbed = false;
            }
            // It may be asked again.
            Err(LeaseError::NoAnswer(_)) => {}
            Err(_) => {
                run.open = None;
                run.is_alive = false;
                run.has_ended = !matches!(request.right, Right::Resume { .. });
            }
        }
        Ok(())
    }

    /// The server knows which acquisition came after which.
    pub(super) fn learn_order(&mut self) {
        let path = self.rig.lease_folder().join("claims/host1.lab1.test");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if let Some(token) = text.lines().find_map(|line| line.strip_prefix("token=")) {
            let next = self.order.len() as u64 + 1;
            self.order.entry(Token(token.to_owned())).or_insert(next);
        }
    }

    /// An intent, a verification, and the call.
    pub(super) async fn change(&mut self, at: usize) -> Checked {
        if self.runs[at].as_ref().is_some_and(|run| run.open.is_some()) {
            return self.acquire(at, Fate::Deliver).await;
        }
        // An intent needs a claim that is valid; after a suspension it is renewed first.
        if let Some(run) = self.runs[at].as_mut() {
            run.sleeps = false;
            if !run.holds(self.rig.now) {
                self.renew(at).await?;
            }
        }
        let fate = self.dice.fate();
        let sent = self.rig.now;
        let Some(run) = self.runs[at].as_mut().filter(|run| run.holds(sent)) else {
            return Ok(());
        };
        run.record();
        let claim = run.claim();
        let run_id = run.id.clone();
        self.rig.next(fate);
        let answer = self.rig.lease.verify(&claim).await;
        self.note(format!(
            "{at} {run_id} verifies {} at length {} ({fate:?}): {}",
            claim.token,
            claim.journal.length,
            shown(&answer)
        ));
        match answer {
            Ok(confirmed) => {
                self.valid(at, sent + confirmed.ttl_ms);
                self.perform(at, &claim)
            }
            Err(LeaseError::NoAnswer(_)) => Ok(()),
            Err(error) => self.lose(at, &error),
        }
    }

    pub(super) async fn renew(&mut self, at: usize) -> Checked {
        let fate = self.dice.fate();
        self.renew_with(at, fate).await
    }

    pub(super) async fn renew_with(&mut self, at: usize, fate: Fate) -> Checked {
        let sent = self.rig.now;
        let Some(run) = self.runs[at].as_ref().filter(|run| run.open.is_none()) else {
            return Ok(());
        };
        let claim = run.claim();
        self.rig.next(fate);
        let answer = self.rig.lease.renew(std::slice::from_ref(&claim)).await;
        let answer = answer.and_then(|mut answers| answers.remove(0));
        self.note(format!(
            "{at} renews {} ({fate:?}): {}",
            claim.token,
            shown(&answer)
        ));
        match answer {
            Ok(confirmed) => {
                self.valid(at, sent + confirmed.ttl_ms);
                Ok(())
            }
            Err(LeaseError::NoAnswer(_)) => Ok(()),
            Err(error) => self.lose(at, &error),
        }
    }

    pub(super) async fn publish(&mut self, at: usize) -> Checked {
        // A controller may be suspended after it has checked its own validity.
        let fate = match self.dice.below(3) {
            0 => Fate::Late,
            _ => self.dice.fate(),
        };
        let now = self.rig.now;
        let Some(run) = self.runs[at].as_mut().filter(|run| run.holds(now)) else {
            return Ok(());
        };
        run.record();
        let claim = run.claim();
        let before = self.rig.published();
        self.rig.next(fate);
        let status = self.rig.publish(&claim).await;
        self.note(format!(
            "{at} publishes for {} ({fate:?}): {status:?}",
            claim.token
        ));
        self.judge_entry(before.as_ref())?;
        match status.as_deref() {
            Some("lost" | "folder") => self.lose(at, &LeaseError::Lost("publish".to_owned())),
            _ => Ok(()),
        }
    }

    pub(super) async fn withdraw(&mut self, at: usize) -> Checked {
        let fate = self.dice.fate();
        let Some(run) = &self.runs[at] else {
            return Ok(());
        };
        if run.tokens.is_empty() {
            return Ok(());
        }
        let claim = run.claim();
        let before = self.rig.published();
        self.rig.next(fate);
        let status = self.rig.withdraw(&claim).await;
        self.note(format!(
            "{at} withdraws for {} ({fate:?}): {status:?}",
            claim.token
        ));
        self.judge_withdrawal(before.as_ref(), &claim.run)
    }

    pub(super) async fn release(&mut self, at: usize) {
        let fate = self.dice.fate();
        let Some(run) = self.runs[at].as_mut().filter(|run| run.open.is_none()) else {
            return;
        };
        run.record();
        let claim = run.claim();
        run.is_alive = false;
        run.has_ended = true;
        run.valid_until = None;
        self.rig.next(fate);
        let answer = self.rig.lease.release(&claim).await;
        self.note(format!(
            "{at} releases {} ({fate:?}): {}",
            claim.token,
            shown(&answer)
        ));
    }
}
