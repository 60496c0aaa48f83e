//! The lease of a run, with a server that answers as told.

mod broken;
mod claims;
mod renewal;
mod resumed;

use super::*;
use crate::identity::known::Known;
use crate::lease::{Leasing, Standing};
use std::sync::Weak;
use std::time::{Duration, Instant};
use wreimage_capability::lease::{
    Acquire, Claim, ClaimState, ClaimedHost, Confirmed, ControllerId, FORMAT, HeldClaim,
    JournalMark, Lease, LeaseError, LeaseResult, Observation, ObservedClaim, Renewal, Renewed,
    Right, Token, Uptime,
};
use wreimage_capability::{from_millis, to_millis};
use wreimage_journal::{Entry, LeaseRequested, Log};

const TTL: u64 = 300_000;

/// The time of run, server and controller: moves when the run sleeps, or the server takes its time.
#[derive(Default)]
struct Time(AtomicI64);

impl Time {
    fn pass(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for Time {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap()
    }

    fn sleep_until(&self, time: Timestamp) -> BoxFuture<'_, ()> {
        self.0.fetch_max(time.as_millisecond(), Ordering::SeqCst);
        Box::pin(async {})
    }
}

impl Uptime for Time {
    fn uptime(&self) -> Duration {
        Duration::from_millis(to_millis(self.now()))
    }
}

/// What the server does with a request, besides confirming it.
#[derive(Clone)]
enum Does {
    Confirms,
    /// Takes so long to confirm it.
    ConfirmsAfter(i64),
    Loses(&'static str),
    Refuses(&'static str),
    SaysNothing,
}

#[derive(Default)]
struct Server {
    time: Arc<Time>,
    /// How long claims live, when it is not [`TTL`].
    ttl: u64,
    log: Mutex<Option<Arc<MemoryLog>>>,
    claims: Mutex<Vec<ObservedClaim>>,
    does: Mutex<VecDeque<Does>>,
    /// Requests, with the kind of the last record at that moment.
    asked: Mutex<Vec<String>>,
    acquires: Mutex<Vec<Acquire>>,
    verified: Mutex<Vec<HeldClaim>>,
}

impl Server {
    fn next(&self, asked: &str) -> LeaseResult<Confirmed> {
        self.asked.lock().unwrap().push(asked.to_owned());
        match self.does.lock().unwrap().pop_front() {
            None | Some(Does::Confirms) => {}
            Some(Does::ConfirmsAfter(millis)) => self.time.pass(millis),
            Some(Does::Loses(why)) => return Err(LeaseError::Lost(why.to_owned())),
            Some(Does::Refuses(why)) => {
                return Err(LeaseError::Refused {
                    why: why.to_owned(),
                    by: None,
                });
            }
            Some(Does::SaysNothing) => return Err(silence()),
        }
        Ok(Confirmed {
            ttl_ms: if self.ttl == 0 { TTL } else { self.ttl },
            acquisition: 1,
        })
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn will(&self, all: impl IntoIterator<Item = Does>) {
        self.does.lock().unwrap().extend(all);
    }

    fn last_record(&self) -> Option<Record> {
        let log = self.log.lock().unwrap();
        log.as_ref()?.entries().last().map(|it| it.record.clone())
    }
}

fn silence() -> LeaseError {
    LeaseError::NoAnswer(Fault::unreachable("lease.unreachable", "server", "silence"))
}

impl Lease for Server {
    fn system(&self) -> String {
        "install server".to_owned()
    }

    fn observe<'a>(&'a self, _host: &'a ClaimedHost) -> BoxFuture<'a, LeaseResult<Observation>> {
        let claims = self.claims.lock().unwrap().clone();
        Box::pin(async move {
            self.next("observe")?;
            Ok(Observation {
                claims,
                ttl_ms: TTL,
                settling_ms: 0,
            })
        })
    }

    fn list(&self) -> BoxFuture<'_, LeaseResult<Observation>> {
        Box::pin(async { Err(silence()) })
    }

    fn acquire<'a>(&'a self, request: &'a Acquire) -> BoxFuture<'a, LeaseResult<Confirmed>> {
        let requested = matches!(
            self.last_record(),
            Some(Record::LeaseRequested(it)) if it.token == request.claim.token
        );
        assert!(requested, "the token is not recorded before the request");
        self.acquires.lock().unwrap().push(request.clone());
        Box::pin(async move { self.next("acquire") })
    }

    fn renew<'a>(
        &'a self,
        claims: &'a [HeldClaim],
    ) -> BoxFuture<'a, LeaseResult<Vec<LeaseResult<Confirmed>>>> {
        Box::pin(async move {
            let names: Vec<_> = claims.iter().map(|it| it.token.0.as_str()).collect();
            self.asked
                .lock()
                .unwrap()
                .push(format!("renew {}", names.join(" ")));
            Ok(claims.iter().map(|_| self.next("one")).collect())
        })
    }

    fn verify<'a>(&'a self, claim: &'a HeldClaim) -> BoxFuture<'a, LeaseResult<Confirmed>> {
        self.verified.lock().unwrap().push(claim.clone());
        Box::pin(async move { self.next("verify") })
    }

    fn break_claim<'a>(
        &'a self,
        _fqdn: &'a str,
        _token: &'a Token,
    ) -> BoxFuture<'a, LeaseResult<()>> {
        Box::pin(async { Ok(()) })
    }

    fn release<'a>(&'a self, _claim: &'a HeldClaim) -> BoxFuture<'a, LeaseResult<()>> {
        Box::pin(async move { self.next("release").map(drop) })
    }
}

/// Renews nothing.
struct NoRenewal;

impl Renewal for NoRenewal {
    fn keep(&self, _claim: Weak<dyn Renewed>, _lives: Duration) -> Box<dyn Send + Sync> {
        Box::new(())
    }
}

struct Leased {
    setup: Setup,
    server: Arc<Server>,
    time: Arc<Time>,
    netboot: Arc<Calls>,
    board: Arc<Calls>,
}

/// The function of a call, and what the call was given.
type Received = (String, Option<HeldClaim>, Option<Instant>);

/// A provider that remembers what its calls were given.
#[derive(Default)]
struct Calls(Mutex<Vec<Received>>);

impl Calls {
    fn called(&self) -> Vec<String> {
        let calls = self.0.lock().unwrap();
        calls.iter().map(|(name, ..)| name.clone()).collect()
    }
}

impl Dispatch for Calls {
    fn perform<'a>(
        &'a self,
        call: &'a Call,
        function: &'static Function,
        _arguments: &'a Value,
    ) -> BoxFuture<'a, Result<Answer, Fault>> {
        // What a check reads is answered by nobody here.
        if matches!(function.name, "get-owner" | "get-machine") {
            let nothing = Fault::unsupported("test.nothing", "the test", "no answer");
            return Box::pin(async { Err(nothing) });
        }
        self.0
            .lock()
            .unwrap()
            .push((function.to_string(), call.claim.clone(), call.valid_until));
        Box::pin(async { Ok(Polled::Ready(json!(true))) })
    }

    fn witness<'a>(
        &'a self,
        _call: &'a Call,
        _function: &'static Function,
        _arguments: &'a Value,
    ) -> BoxFuture<'a, Result<Value, Fault>> {
        Box::pin(async { Ok(Value::Null) })
    }

    fn reconcile<'a>(
        &'a self,
        _call: &'a Call,
        _function: &'static Function,
        _arguments: &'a Value,
        _witness: &'a Value,
    ) -> BoxFuture<'a, Result<Reconciled, Fault>> {
        Box::pin(async { Ok(Reconciled::DidNot) })
    }
}

fn leased() -> Leased {
    leased_with(&[], |_| {})
}

fn leased_with(take_over: &[&str], change: impl FnOnce(&mut RunGate)) -> Leased {
    let time = Arc::new(Time::default());
    let server = Arc::new(Server {
        time: time.clone(),
        ..Server::default()
    });
    let numbers = AtomicI64::new(0);
    let leasing = Leasing {
        lease: server.clone(),
        renewal: Arc::new(NoRenewal),
        uptime: time.clone(),
        token: Arc::new(move || Token(format!("t{}", numbers.fetch_add(1, Ordering::SeqCst)))),
        controller: ControllerId {
            name: "controller1001".to_owned(),
            boot_id: "b".to_owned(),
            lock_inode: 1,
        },
        actor: "alice".to_owned(),
        uid: 1000,
        take_over: take_over.iter().map(|&it| it.to_owned()).collect(),
    };
    let (netboot, board) = (Arc::new(Calls::default()), Arc::new(Calls::default()));
    let (log, clock) = (Arc::new(MemoryLog::new()), time.clone());
    *server.log.lock().unwrap() = Some(log.clone());
    let mut setup = Setup::with(|gate| {
        let redaction = crate::record::redact::Redaction::default();
        gate.recorder = Arc::new(Recorder::new(log.clone(), None, clock, redaction));
        gate.holder = Holder::new(Some(leasing), gate.recorder.clone(), "r");
        let mut state = gate.state.lock().unwrap();
        state.providers.add(("netboot", netboot.clone()));
        state.providers.add(("board", board.clone()));
        drop(state);
        change(gate);
    });
    setup.log = log;
    Leased {
        setup,
        server,
        time,
        netboot,
        board,
    }
}

impl Leased {
    async fn called(&self, function: &'static Function) -> Result<Result<Value, Fault>, Stop> {
        self.setup.gate.call_by_guest(function, json!({})).await
    }

    #[track_caller]
    fn paused<T: std::fmt::Debug>(&self, result: Result<T, Stop>, words: &str) {
        match result {
            Err(Stop::Paused(why)) => assert!(why.contains(words), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}

fn foreign(run: &str, is_fresh: bool) -> ObservedClaim {
    ObservedClaim {
        claim: Claim {
            format: FORMAT,
            host: ClaimedHost {
                fqdn: "host1001".to_owned(),
                ..ClaimedHost::default()
            },
            run: run.to_owned(),
            token: Token("other".to_owned()),
            state: ClaimState::Held,
            controller: ControllerId {
                name: "controller2001".to_owned(),
                boot_id: "c".to_owned(),
                lock_inode: 2,
            },
            actor: "bob".to_owned(),
            uid: 1001,
            phase: "install".to_owned(),
            acquisition: 4,
            journal: JournalMark::default(),
        },
        age_ms: if is_fresh { 1000 } else { TTL },
        is_fresh,
    }
}

fn entry(number: u64, record: Record) -> Entry {
    Entry {
        number,
        time: from_millis(0),
        record,
    }
}
