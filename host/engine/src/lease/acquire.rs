//! The way to the lease: observe before consent, request after it, and request again when another process resumes the run.

use super::{Holder, Leasing, REQUEST, Standing};
use crate::gate::run_gate::RunGate;
use crate::identity::known::Known;
use crate::run::stop::Stop;
use std::sync::Arc;
use std::time::Duration;
use wreimage_capability::lease::{
    Acquire, Claim, ClaimState, ClaimedHost, Confirmed, FORMAT, LeaseError, LeaseResult,
    Observation, ObservedClaim, Right, Token, judgement,
};
use wreimage_capability::{BoxFuture, Fault, from_millis, to_millis};
use wreimage_journal::{LeaseRequested, Record};

/// How often a process that takes up a run asks for the claims before it does without an answer.
const FIRST_TRIES: u32 = 3;

impl RunGate {
    /// Reads who claims the host, before consent. A rehearsal writes nothing and shows a foreign claim; any other run is
    /// refused here already when the server would refuse it.
    pub(crate) async fn observe_lease(self: &Arc<Self>, known: &mut Known) -> Result<(), Stop> {
        if let Some(why) = &self.context.unordered {
            known
                .facts
                .push(("controllers".to_owned(), format!("not ordered: {why}")));
        }
        let Some(leasing) = self.holder.leasing.as_ref() else {
            return Ok(());
        };
        if self.holder.standing() != Standing::Free || self.state().mode().is_in_twin() {
            return Ok(());
        }
        let host = self.claimed_host();
        let observed = self
            .insist(leasing, FIRST_TRIES, || leasing.lease.observe(&host))
            .await;
        let there = match observed {
            Ok((_, there)) => there,
            Err(error) if self.context.dry_run => {
                known.cautions.push(format!(
                    "who claims {} is unknown: {error}",
                    self.context.host
                ));
                return Ok(());
            }
            Err(error) => return Err(self.refusal(&error)),
        };
        self.holder.observed(host, &there);
        let tokens = self.holder.tokens();
        let foreign = judgement::in_the_way(&there.claims, &tokens);
        if self.context.dry_run {
            known.cautions.extend(foreign.map(|it| {
                format!(
                    "{} is claimed by the {}",
                    it.claim.host.fqdn,
                    judgement::describe(it)
                )
            }));
            return Ok(());
        }
        let draft = Acquire {
            claim: self.claim(leasing, Token(String::new())),
            over: self.holder.over(),
            right: self.right(leasing),
        };
        if let Err(error) = judgement::acquire(&there, &draft) {
            return Err(self.refusal(&error));
        }
        if let Some(it) = foreign {
            known.cautions.push(takes_over(it));
        }
        Ok(())
    }

    /// Acquires the lease unless this process has it.
    pub(crate) async fn ensure_lease(self: &Arc<Self>) -> Result<(), Stop> {
        let Some(leasing) = self.holder.leasing.clone() else {
            return Ok(());
        };
        if self.context.dry_run || self.state().mode().is_in_twin() {
            return Ok(());
        }
        match self.holder.standing() {
            Standing::Free => {}
            // Whether it is valid is confirmed after the intent.
            Standing::Held { .. } | Standing::Lost(_) | Standing::Released => return Ok(()),
        }
        if !self.holder.was_observed() {
            self.observe_lease(&mut Known::default()).await?;
        }
        let right = self.right(&leasing);
        match self.request_lease(&leasing, right).await {
            Ok(()) => Ok(()),
            Err(Requested::Record(stop)) => Err(stop),
            Err(Requested::Answer(error)) => Err(self.refusal(&error)),
        }
    }

    /// Takes up the lease of a run that another process began. `ends`: nothing but what is certainly this run's own is to be
    /// undone when the lease cannot be had.
    pub(crate) async fn take_up_lease(self: &Arc<Self>, ends: bool) -> Result<(), Stop> {
        let Some(leasing) = self.holder.leasing.clone() else {
            return Ok(());
        };
        if self.holder.standing() != Standing::Free {
            return Ok(());
        }
        let tokens = self.holder.tokens();
        if tokens.is_empty() {
            if ends {
                self.holder.lose("this run has never acquired its host");
            }
            return Ok(());
        }
        let host = self.holder.host();
        let observed = self
            .insist(&leasing, FIRST_TRIES, || leasing.lease.observe(&host))
            .await;
        let error = match observed {
            Ok((_, there)) => {
                self.holder.observed(host.clone(), &there);
                match judgement::own(&there.claims, &host.fqdn) {
                    Some(own) if tokens.contains(&own.claim.token) => {
                        let right = Right::Resume { tokens };
                        match self.request_lease(&leasing, right).await {
                            Ok(()) => return Ok(()),
                            Err(Requested::Record(stop)) => return Err(stop),
                            Err(Requested::Answer(error)) => error,
                        }
                    }
                    // The request before never arrived, and nothing was changed: the run begins, with a new consent.
                    _ if !ends && !self.holder.was_held() => {
                        self.state().earlier_consent_is_void = true;
                        return Ok(());
                    }
                    other => LeaseError::Lost(match other {
                        Some(it) => format!(
                            "{} belongs to another run: {}",
                            host.fqdn,
                            judgement::describe(it)
                        ),
                        None => format!("the claim of this run on {} is missing", host.fqdn),
                    }),
                }
            }
            Err(error) => error,
        };
        if ends {
            self.holder.lose(error.to_string());
            return Ok(());
        }
        Err(Stop::Paused(match error {
            LeaseError::NoAnswer(fault) => format!(
                "whether this run still has the lease on {} is unknown: {}. This process changed nothing; resume the run when \
                 {} answers: `wreimage resume {}`",
                self.context.host,
                fault.message,
                leasing.lease.system(),
                self.context.run
            ),
            error => self.only_cleanup(&error.to_string()),
        }))
    }

    /// The run cannot continue, as its claim is not its own.
    pub(crate) fn only_cleanup(&self, why: &str) -> String {
        format!(
            "this run does not have the lease on {}: {why}. It changes nothing any more. `wreimage cleanup {}` ends it and undoes \
             only what is certainly its own",
            self.context.host, self.context.run
        )
    }

    /// A lease that is refused to a run which changed nothing ends it; any other waits.
    fn refusal(&self, error: &LeaseError) -> Stop {
        let host = &self.context.host;
        if self.state().touched {
            return Stop::Paused(self.only_cleanup(&error.to_string()));
        }
        match error {
            LeaseError::NoAnswer(fault) if self.holder.tokens().is_empty() => {
                Stop::Refused(format!(
                    "who claims {host} is unknown: {}. Nothing was touched on {host}",
                    fault.message
                ))
            }
            // The request may have arrived.
            LeaseError::NoAnswer(fault) => Stop::Paused(format!(
                "whether this run has the lease on {host} is unknown: {}. Nothing was touched on {host}; resume the run when the \
                 server answers: `wreimage resume {}`",
                fault.message, self.context.run
            )),
            LeaseError::Folder(why) => Stop::Refused(format!(
                "no run can claim {host}: {why}. Nothing was touched on {host}. `wreimage lock init` creates a lease folder; no \
                 run acquires there for its first minutes"
            )),
            error => Stop::Refused(format!("{error}. Nothing was touched on {host}")),
        }
    }

    /// With what right this run begins: it takes over only from a run that the operator named.
    fn right(&self, leasing: &Leasing) -> Right {
        let rival = self.holder.inner().rival.clone();
        match rival.filter(|run| leasing.take_over.contains(run)) {
            Some(run) => Right::TakeOver { run },
            None => Right::Begin,
        }
    }

    /// What identifies the machine, from what the inventory said at the check.
    fn claimed_host(&self) -> ClaimedHost {
        let state = self.state();
        let snapshot = state.snapshot.as_deref();
        let device = snapshot.map(|it| &it.device);
        ClaimedHost {
            fqdn: device.map_or_else(|| self.context.host.clone(), |it| it.fqdn.clone()),
            serial: device.and_then(|it| it.serial.clone()),
            uuid: device.and_then(|it| it.machine_uuid.clone()),
            mac: device.and_then(|it| it.mac.clone()),
            bmc: snapshot
                .and_then(|it| it.bmc_addresses.first())
                .map(ToString::to_string),
        }
    }

    fn claim(&self, leasing: &Leasing, token: Token) -> Claim {
        Claim {
            format: FORMAT,
            host: self.holder.host(),
            run: self.context.run.clone(),
            token,
            state: ClaimState::Held,
            controller: leasing.controller.clone(),
            actor: leasing.actor.clone(),
            uid: leasing.uid,
            phase: self.holder.inner().phase.clone(),
            acquisition: 0,
            journal: self.recorder.mark(),
        }
    }

    /// Records a new token durably, and requests the lease with it.
    async fn request_lease(
        self: &Arc<Self>,
        leasing: &Leasing,
        right: Right,
    ) -> Result<(), Requested> {
        let token = (leasing.token)();
        let take_over = match &right {
            Right::TakeOver { run } => Some(run.clone()),
            Right::Begin | Right::Resume { .. } => None,
        };
        self.recorder
            .record_durably(Record::LeaseRequested(Box::new(LeaseRequested {
                token: token.clone(),
                host: self.holder.host(),
                take_over,
            })))
            .map_err(|error| Requested::Record(error.into()))?;
        self.holder.requests(&token);
        let mut claim = self.claim(leasing, token.clone());
        if matches!(right, Right::Resume { .. }) {
            claim.journal = self.holder.inner().found.clone();
        }
        let request = Acquire {
            claim,
            over: self.holder.over(),
            right,
        };
        let (sent, confirmed) = self
            .insist(leasing, u32::MAX, || leasing.lease.acquire(&request))
            .await
            .map_err(Requested::Answer)?;
        self.holder.acquired(token.clone(), sent, &confirmed);
        self.holder.keep_on();
        self.recorder
            .record(Record::LeaseAcquired {
                token,
                acquisition: confirmed.acquisition,
            })
            .map_err(|error| Requested::Record(error.into()))
    }

    /// Sends a request until it is answered: so often at most, and for no longer than the time to live of a claim. Returns when the request
    /// that was answered was sent. A cancel ends it.
    pub(super) async fn insist<'f, T>(
        &self,
        leasing: &Leasing,
        tries: u32,
        request: impl Fn() -> BoxFuture<'f, LeaseResult<T>>,
    ) -> LeaseResult<(Duration, T)> {
        let ttl = self.holder.ttl();
        let end = leasing.uptime.uptime().saturating_add(ttl);
        let pause = (ttl / 20).clamp(Duration::from_millis(10), Duration::from_secs(5));
        let mut tried = 0;
        loop {
            let sent = leasing.uptime.uptime();
            let unanswered = match tokio::time::timeout(REQUEST, request()).await {
                Ok(Err(LeaseError::NoAnswer(fault))) => fault,
                Ok(answer) => return answer.map(|answer| (sent, answer)),
                Err(_) => Fault::timeout(
                    "lease.timeout",
                    leasing.lease.system(),
                    format!(
                        "{} did not answer about the lease within {} s",
                        leasing.lease.system(),
                        REQUEST.as_secs()
                    ),
                ),
            };
            tried += 1;
            let is_cancelled = self.cancel.is_cancelled() && !self.state().mode().is_closing();
            if tried >= tries || is_cancelled || leasing.uptime.uptime() >= end {
                return Err(LeaseError::NoAnswer(unanswered));
            }
            let clock = self.recorder.clock();
            let millis = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
            clock
                .sleep_until(from_millis(to_millis(clock.now()).saturating_add(millis)))
                .await;
        }
    }
}

/// Why there is no lease.
enum Requested {
    /// The request could not be recorded, or the answer.
    Record(Stop),
    Answer(LeaseError),
}

/// What the operator weighs when another run is half-way on the host.
fn takes_over(it: &ObservedClaim) -> String {
    format!(
        "{} is taken over from the {}. That run can no longer continue; a power command that it already sent may still take \
         effect. When in doubt, power off its controller first",
        it.claim.host.fqdn,
        judgement::describe(it)
    )
}

impl Holder {
    fn observed(&self, host: ClaimedHost, there: &Observation) {
        let mut inner = self.inner();
        let own = judgement::own(&there.claims, &host.fqdn);
        inner.over = own.map(|it| it.claim.token.clone());
        let rival = judgement::in_the_way(&there.claims, &inner.tokens);
        inner.rival = rival.map(|it| it.claim.run.clone());
        inner.host = host;
        inner.ttl = Duration::from_millis(there.ttl_ms);
        inner.was_observed = true;
    }

    fn requests(&self, token: &Token) {
        self.inner().tokens.push(token.clone());
    }

    fn acquired(&self, token: Token, sent: Duration, confirmed: &Confirmed) {
        let mut inner = self.inner();
        let ttl = Duration::from_millis(confirmed.ttl_ms);
        inner.ttl = ttl;
        inner.was_held = true;
        inner.standing = Standing::Held { token, sent, ttl };
    }

    fn was_observed(&self) -> bool {
        self.inner().was_observed
    }

    fn was_held(&self) -> bool {
        self.inner().was_held
    }

    fn over(&self) -> Option<Token> {
        self.inner().over.clone()
    }

    fn host(&self) -> ClaimedHost {
        self.inner().host.clone()
    }

    fn tokens(&self) -> Vec<Token> {
        self.inner().tokens.clone()
    }

    fn ttl(&self) -> Duration {
        self.inner().ttl
    }
}
