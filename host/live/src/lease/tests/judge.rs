//! What must hold at each step of a schedule, and what disturbs it.

use super::parts::Act;
use super::parts::Run;
use super::requests::{controller, held, host, request};
use super::rig::TTL;
use super::schedule::{Checked, Schedule};
use wreimage_capability::lease::{ClaimState, HeldClaim, Lease, LeaseError, Right, Token};

impl Schedule {
    /// Which controller acts: for what needs a process, one that has one and is not suspended, if there is any.
    pub(super) fn choose(&mut self, act: Act) -> usize {
        let fits = |run: &Option<Run>| {
            let is_alive = run.as_ref().is_some_and(|run| run.is_alive);
            let sleeps = run.as_ref().is_some_and(|run| run.is_alive && run.sleeps);
            match act {
                Act::Go => !sleeps,
                Act::Wake => sleeps,
                _ => is_alive && !sleeps,
            }
        };
        let fitting: Vec<usize> = (0..3).filter(|at| fits(&self.runs[*at])).collect();
        let chosen = self.dice.index(3.max(fitting.len() as u64));
        fitting
            .get(chosen % fitting.len().max(1))
            .copied()
            .unwrap_or(chosen)
    }

    /// A verified change of the machine.
    pub(super) fn perform(&mut self, at: usize, claim: &HeldClaim) -> Checked {
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

    pub(super) fn valid(&mut self, at: usize, until: u64) {
        if let Some(run) = self.runs[at].as_mut() {
            run.valid_until = Some(until.max(run.valid_until.unwrap_or_default()));
        }
    }

    /// A claim is lost; a healthy run never loses one.
    pub(super) fn lose(&mut self, at: usize, error: &LeaseError) -> Checked {
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

    /// An entry is only replaced by an acquisition that came later.
    pub(super) fn judge_entry(&self, before: Option<&(String, String)>) -> Checked {
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

    pub(super) fn judge_withdrawal(&self, before: Option<&(String, String)>, by: &str) -> Checked {
        let after = self.rig.published();
        if let Some((run, _)) = before
            && run != by
            && after.as_ref() != before
        {
            return Err(format!("invariant 3: {by} withdraws the entry of {run}"));
        }
        Ok(())
    }

    pub(super) fn sleep(&mut self, at: usize) {
        if let Some(run) = self.runs[at].as_mut().filter(|run| run.is_alive) {
            run.sleeps = true;
            self.note(format!("the controller of {at} is suspended"));
        }
    }

    /// The process dies; the state folder stays.
    pub(super) fn crash(&mut self, at: usize) {
        if let Some(run) = self.runs[at].as_mut() {
            run.is_alive = false;
            run.valid_until = None;
            run.open = None;
            self.note(format!("the process of {at} dies"));
        }
    }

    /// The state folder is copied to the third controller, where no process runs.
    pub(super) fn copy(&mut self, at: usize) {
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

    pub(super) fn disturb(&mut self, act: Act) {
        match act {
            Act::BackUp => {
                self.rig.back_up();
                self.note("the lease folder is backed up".to_owned());
            }
            Act::Restore if self.rig.restore() => {
                self.is_disturbed = true;
                self.note("the lease folder is restored".to_owned());
            }
            Act::Lose => {
                self.rig.lose();
                self.is_disturbed = true;
                self.note("the lease folder is lost".to_owned());
            }
            _ => {}
        }
    }

    /// An operator breaks the claim that is shown.
    pub(super) async fn break_claim(&mut self) {
        let seen = self.rig.lease.observe(&host("host1.lab1.test")).await;
        let Some(it) = seen.ok().and_then(|seen| seen.claims.first().cloned()) else {
            return;
        };
        let (fqdn, token) = (&it.claim.host.fqdn, &it.claim.token);
        let broken = self.rig.lease.break_claim(fqdn, token).await;
        self.is_disturbed |= broken.is_ok();
        self.note(format!("an operator breaks {token}: {broken:?}"));
    }

    /// Everybody has died. Commands that exist let a new run have the machine.
    pub(super) async fn way_out(&mut self) -> Checked {
        while self.rig.way.catch_up() {}
        for at in 0..self.runs.len() {
            self.crash(at);
        }
        self.learn_order();
        let ttl = std::time::Duration::from_millis(TTL);
        let _ = self.rig.lease.0.create(Some(ttl)).await;
        self.rig.pass(TTL + 10);
        self.runs = vec![None, None, None];
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
        let request = request("last", "last", over.as_deref(), right);
        let acquired = self.rig.lease.acquire(&request).await;
        acquired.map_err(|error| format!("invariant 5: no way out: {error}"))?;
        let claim = held(&request);
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
