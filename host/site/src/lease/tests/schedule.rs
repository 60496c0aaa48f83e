//! A seeded schedule of two controllers, a copy of a state folder and one server, and what must hold at each step.

use super::rig::{Edit, Fate, Rig, TTL, controller, host};
use std::collections::BTreeMap;
use wreimage_capability::lease::{
    Acquire, Claim, ClaimState, ControllerId, FORMAT, HeldClaim, JournalMark, Lease, LeaseError,
    LeaseResult, Right, Token,
};

/// Numbers that look random, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut it = self.0;
        it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (it ^ (it >> 31)) % end
    }

    fn fate(&mut self) -> Fate {
        let at = u32::try_from(1 + self.below(7)).unwrap();
        match self.below(16) {
            0 | 1 => Fate::LoseAnswer,
            2 => Fate::LoseRequest,
            3 => Fate::Late,
            4 => Fate::Kill(at),
            5 => Fate::Stop(at),
            _ => Fate::Deliver,
        }
    }
}

/// A run as a state folder has it: its journal, and what its process knows.
#[derive(Clone)]
struct Run {
    id: String,
    controller: ControllerId,
    journal: JournalMark,
    /// Those that the journal has, the last one last.
    tokens: Vec<Token>,
    /// The request that was made last and has no answer yet.
    open: Option<Acquire>,
    /// Until when the process may act: counted from sending the last confirmed request.
    valid_until: Option<u64>,
    /// Whether its process lives.
    is_alive: bool,
    has_ended: bool,
}

impl Run {
    fn record(&mut self) {
        self.journal.length += 1;
        let text = format!(
            "{} {} {} {}",
            self.journal.sum, self.journal.length, self.controller.name, self.controller.lock_inode
        );
        self.journal.sum = crate::digest::sha256(text.as_bytes())[..16].to_owned();
    }

    fn claim(&self) -> HeldClaim {
        HeldClaim {
            host: host("host1.lab1.test"),
            run: self.id.clone(),
            token: self.tokens.last().unwrap().clone(),
            phase: "install".to_owned(),
            journal: self.journal.clone(),
        }
    }

    fn holds(&self, now: u64) -> bool {
        self.is_alive && self.valid_until.is_some_and(|until| now < until)
    }
}

/// Plays schedules.
pub(super) struct Schedule {
    rig: Rig,
    dice: Dice,
    /// One for each state folder; the third is a copy of one of the others.
    runs: Vec<Option<Run>>,
    tokens: u64,
    /// The order in which the server has confirmed acquisitions, by token.
    order: BTreeMap<Token, u64>,
    /// The acquisition of the last verified change.
    last: u64,
    /// Calls that were made: of which run, and at which length of its journal.
    made: Vec<(String, u64)>,
    /// Whether an operator broke a claim, or the folder was lost or restored, since the last acquisition.
    is_disturbed: bool,
    pub(super) trace: Vec<String>,
}

type Checked = Result<(), String>;

impl Schedule {
    pub(super) async fn new(seed: u64, edits: &[Edit]) -> Self {
        Schedule {
            rig: Rig::new(edits).await,
            dice: Dice(seed),
            runs: vec![None, None, None],
            tokens: 0,
            order: BTreeMap::new(),
            last: 0,
            made: Vec::new(),
            is_disturbed: false,
            trace: Vec::new(),
        }
    }

    /// Plays so many steps, and then looks for the way out.
    ///
    /// # Errors
    /// Which invariant was violated.
    pub(super) async fn play(&mut self, steps: u32) -> Checked {
        for _ in 0..steps {
            self.step().await?;
        }
        self.way_out().await
    }

    fn note(&mut self, text: String) {
        let line = format!("{:>7} {text}", self.rig.now);
        self.trace.push(line);
    }

    async fn step(&mut self) -> Checked {
        let at = usize::try_from(self.dice.below(3)).unwrap();
        let action = self.dice.below(30);
        let is_alive = self.runs[at].as_ref().is_some_and(|run| run.is_alive);
        match action {
            0..=5 if !is_alive => self.enter(at).await?,
            0..=10 if is_alive => self.change(at).await?,
            11..=13 if is_alive => self.renew(at).await?,
            14..=16 if is_alive => self.publish(at).await?,
            17 if is_alive => self.withdraw(at).await?,
            18 if is_alive => self.release(at).await,
            19 => self.crash(at),
            20 => self.copy(at),
            21 => {
                let late = self.rig.published();
                if self.rig.way.catch_up() {
                    self.note("what was late arrives".to_owned());
                    self.judge_entry(late.as_ref())?;
                }
            }
            22 => {
                self.rig.restart();
                self.note("the server restarts".to_owned());
            }
            23 => self.disturb().await,
            _ => {
                let millis = [TTL / 10, TTL / 3, TTL / 2, TTL][self.dice.below(4) as usize];
                self.pass(millis).await?;
            }
        }
        Ok(())
    }

    /// Time passes; in its middle all runs that live and hold a claim renew it, as their process does by itself.
    async fn pass(&mut self, millis: u64) -> Checked {
        self.note(format!("{millis} ms pass"));
        let mut left = millis;
        while left > 0 {
            let part = left.min(TTL / 3);
            self.rig.pass(part);
            left -= part;
            for at in 0..self.runs.len() {
                if self.runs[at]
                    .as_ref()
                    .is_some_and(|run| run.holds(self.rig.now))
                {
                    self.renew_with(at, Fate::Deliver).await?;
                }
            }
        }
        Ok(())
    }

    /// A process begins a run, or resumes the one of its state folder.
    async fn enter(&mut self, at: usize) -> Checked {
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
        let wait = [0, TTL / 4, TTL][self.dice.below(3) as usize];
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

    async fn acquire(&mut self, at: usize, fate: Fate) -> Checked {
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
    fn learn_order(&mut self) {
        let path = self.rig.lease_folder().join("claims/host1.lab1.test");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if let Some(token) = text.lines().find_map(|line| line.strip_prefix("token=")) {
            let next = self.order.len() as u64 + 1;
            self.order.entry(Token(token.to_owned())).or_insert(next);
        }
    }

    /// An intent, a verification, and the call.
    async fn change(&mut self, at: usize) -> Checked {
        if self.runs[at].as_ref().is_some_and(|run| run.open.is_some()) {
            return self.acquire(at, Fate::Deliver).await;
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

    /// A verified change of the machine.
    fn perform(&mut self, at: usize, claim: &HeldClaim) -> Checked {
        let now = self.rig.now;
        for (other, run) in self.runs.iter().enumerate() {
            if other != at
                && let Some(run) = run
                && run.holds(now)
            {
                return Err(format!(
                    "invariant 1: {} changes the machine while {} holds its claim",
                    claim.run, run.id
                ));
            }
        }
        let order = self.order.get(&claim.token).copied().unwrap_or_default();
        if order < self.last {
            return Err(format!(
                "invariant 2: {} changes the machine after a later acquisition did",
                claim.run
            ));
        }
        self.last = order;
        let call = (claim.run.clone(), claim.journal.length);
        if self.made.contains(&call) {
            return Err(format!("invariant 4: {} repeats call {}", call.0, call.1));
        }
        self.made.push(call);
        Ok(())
    }

    fn valid(&mut self, at: usize, until: u64) {
        if let Some(run) = self.runs[at].as_mut() {
            run.valid_until = Some(until.max(run.valid_until.unwrap_or_default()));
        }
    }

    /// A claim is lost; a healthy run never loses one.
    fn lose(&mut self, at: usize, error: &LeaseError) -> Checked {
        let now = self.rig.now;
        let disturbed = self.is_disturbed;
        let Some(run) = self.runs[at].as_mut() else {
            return Ok(());
        };
        let was_healthy = run.holds(now);
        run.is_alive = false;
        run.valid_until = None;
        if was_healthy && !disturbed {
            return Err(format!("invariant 6: {} was stopped: {error}", run.id));
        }
        Ok(())
    }

    async fn renew(&mut self, at: usize) -> Checked {
        let fate = self.dice.fate();
        self.renew_with(at, fate).await
    }

    async fn renew_with(&mut self, at: usize, fate: Fate) -> Checked {
        let sent = self.rig.now;
        let Some(run) = self.runs[at].as_ref().filter(|run| run.open.is_none()) else {
            return Ok(());
        };
        if !run.holds(sent) {
            return Ok(());
        }
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

    async fn publish(&mut self, at: usize) -> Checked {
        let fate = self.dice.fate();
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

    async fn withdraw(&mut self, at: usize) -> Checked {
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

    /// An entry is only replaced by an acquisition that came later.
    fn judge_entry(&self, before: Option<&(String, String)>) -> Checked {
        let after = self.rig.published();
        let (Some((run, token)), Some((new_run, new_token))) = (before, &after) else {
            return Ok(());
        };
        let order = |token: &String| self.order.get(&Token(token.clone())).copied();
        if run != new_run && order(new_token) < order(token) {
            return Err(format!(
                "invariant 3: {new_run} replaces the entry of {run}, which has acquired the host since"
            ));
        }
        Ok(())
    }

    fn judge_withdrawal(&self, before: Option<&(String, String)>, by: &str) -> Checked {
        let after = self.rig.published();
        if let Some((run, _)) = before
            && run != by
            && after.as_ref() != before
        {
            return Err(format!("invariant 3: {by} withdraws the entry of {run}"));
        }
        Ok(())
    }

    async fn release(&mut self, at: usize) {
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

    /// The process dies; the state folder stays.
    fn crash(&mut self, at: usize) {
        if let Some(run) = self.runs[at].as_mut() {
            run.is_alive = false;
            run.valid_until = None;
            run.open = None;
            self.note(format!("the process of {at} dies"));
        }
    }

    /// The state folder is copied to the third controller, where no process lives.
    fn copy(&mut self, at: usize) {
        let is_free = self.runs[2].as_ref().is_none_or(|run| !run.is_alive);
        if let Some(run) = self.runs[at].clone()
            && at < 2
            && is_free
            && !run.has_ended
        {
            let number = 10 + self.trace.len() as u64;
            self.runs[2] = Some(Run {
                controller: controller("copy", number),
                is_alive: false,
                valid_until: None,
                open: None,
                ..run
            });
            self.note(format!("the state folder of {at} is copied"));
        }
    }

    async fn disturb(&mut self) {
        match self.dice.below(5) {
            0 => {
                self.rig.back_up();
                self.note("the lease folder is backed up".to_owned());
            }
            1 => {
                self.rig.lose();
                self.is_disturbed = true;
                self.note("the lease folder is lost".to_owned());
            }
            2 if self.rig.restore() => {
                self.is_disturbed = true;
                self.note("the lease folder is restored".to_owned());
            }
            3 => {
                let seen = self.rig.lease.observe(&host("host1.lab1.test")).await;
                if let Some(it) = seen.ok().and_then(|seen| seen.claims.first().cloned()) {
                    let broken = self
                        .rig
                        .lease
                        .break_claim(&it.claim.host.fqdn, &it.claim.token)
                        .await;
                    self.is_disturbed |= broken.is_ok();
                    self.note(format!("an operator breaks {}: {broken:?}", it.claim.token));
                }
            }
            _ => {}
        }
    }

    /// Everybody has died. Commands that exist let a new run have the machine.
    async fn way_out(&mut self) -> Checked {
        while self.rig.way.catch_up() {}
        for at in 0..self.runs.len() {
            self.crash(at);
        }
        self.learn_order();
        let ttl = std::time::Duration::from_millis(TTL);
        let _ = self.rig.lease.0.create(Some(ttl)).await;
        self.rig.pass(TTL + 10);
        self.runs = vec![None, None, None];
        self.dice = Dice(1);
        let seen = self.rig.lease.observe(&host("host1.lab1.test")).await;
        let seen = seen.map_err(|error| format!("invariant 5: no one can observe: {error}"))?;
        let there = seen.claims.first();
        let right = match there {
            Some(it) if it.claim.state == ClaimState::Held => Right::TakeOver {
                run: it.claim.run.clone(),
            },
            _ => Right::Begin,
        };
        let over = there.map(|it| it.claim.token.0.clone());
        let request = super::rig::request("last", "last", over.as_deref(), right);
        let acquired = self.rig.lease.acquire(&request).await;
        acquired.map_err(|error| format!("invariant 5: no way out: {error}"))?;
        let claim = super::rig::held(&request);
        match self.rig.publish(&claim).await.as_deref() {
            Some("published") => {}
            other => return Err(format!("invariant 5: no entry can be published: {other:?}")),
        }
        match self.rig.withdraw(&claim).await.as_deref() {
            Some("withdrawn") => Ok(()),
            other => Err(format!(
                "invariant 5: the entry cannot be withdrawn: {other:?}"
            )),
        }
    }
}

fn shown<T>(answer: &LeaseResult<T>) -> String {
    match answer {
        Ok(_) => "confirmed".to_owned(),
        Err(error) => error.to_string(),
    }
}
