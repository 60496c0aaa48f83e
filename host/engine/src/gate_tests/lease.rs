//! The lease of a run, with a server that answers as told.

use super::*;
use crate::identity::Known;
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
    dhcp: Arc<Calls>,
    ipmi: Arc<Calls>,
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
        if matches!(function.name, "get-device-info" | "get-dmi") {
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

fn leased_with(take_over: &[&str], change: impl FnOnce(&mut Course)) -> Leased {
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
    let (dhcp, ipmi) = (Arc::new(Calls::default()), Arc::new(Calls::default()));
    let (log, clock) = (Arc::new(MemoryLog::new()), time.clone());
    *server.log.lock().unwrap() = Some(log.clone());
    let mut setup = Setup::with(|course| {
        let redaction = crate::redact::Redaction::default();
        course.recorder = Arc::new(Recorder::new(log.clone(), None, clock, redaction));
        course.holder = Holder::new(Some(leasing), course.recorder.clone(), "r");
        let mut state = course.state.lock().unwrap();
        state.providers.add(("dhcp", dhcp.clone()));
        state.providers.add(("ipmi", ipmi.clone()));
        drop(state);
        change(course);
    });
    setup.log = log;
    Leased {
        setup,
        server,
        time,
        dhcp,
        ipmi,
    }
}

impl Leased {
    async fn called(&self, function: &'static Function) -> Result<Result<Value, Fault>, Stop> {
        self.setup
            .course
            .call(function, json!({}), Origin::Guest)
            .await
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

#[tokio::test]
async fn a_once_call_is_verified_after_its_intent_and_gets_what_is_left() {
    let it = leased();
    it.called(SET_POWER).await.unwrap().unwrap();
    assert_eq!(it.server.asked(), ["observe", "acquire", "verify"]);
    let request = it.server.acquires.lock().unwrap()[0].clone();
    assert_eq!((request.over, request.right), (None, Right::Begin));
    let entries = it.setup.log.entries();
    let intent = entries
        .iter()
        .position(|entry| matches!(entry.record, Record::Intent(_)))
        .unwrap();
    let verified = it.server.verified.lock().unwrap()[0].clone();
    assert_eq!(verified.journal.length, intent as u64 + 1);
    let (_, claim, until) = it.ipmi.0.lock().unwrap()[0].clone();
    assert_eq!(claim.unwrap().token, Token("t0".to_owned()));
    // The margin is subtracted.
    let left = until.unwrap().saturating_duration_since(Instant::now());
    assert!(left <= Duration::from_millis(TTL - 10_000), "{left:?}");
    assert!(left > Duration::from_millis(TTL - 40_000), "{left:?}");
}

#[tokio::test]
async fn other_intents_are_covered_by_what_was_confirmed_before() {
    let it = leased();
    it.called(PUBLISH).await.unwrap().unwrap();
    assert_eq!(it.server.asked(), ["observe", "acquire"]);
    it.time.pass(60_000);
    it.called(PUBLISH).await.unwrap().unwrap();
    assert!(it.server.asked().is_empty());
    assert!(it.dhcp.0.lock().unwrap()[1].1.is_some());
    // The boot device is another run's as well as this one's.
    it.called(SET_BOOT).await.unwrap().unwrap();
    assert_eq!(it.server.asked(), ["verify"]);
    // What is no longer valid is asked for.
    it.time.pass(290_000);
    it.called(PUBLISH).await.unwrap().unwrap();
    assert_eq!(it.server.asked(), ["verify"]);
}

#[tokio::test]
async fn a_fresh_foreign_claim_refuses_the_run_before_anything_is_touched() {
    let it = leased_with(&["A"], |course| {
        course.state.get_mut().unwrap().allowed = false;
    });
    it.server.claims.lock().unwrap().push(foreign("A", true));
    match it.called(PUBLISH).await {
        Err(Stop::Refused(why)) => {
            for words in ["run A of bob on controller2001", "Nothing was touched"] {
                assert!(why.contains(words), "{why}");
            }
        }
        other => panic!("{other:?}"),
    }
    assert!(it.dhcp.called().is_empty());
    assert_eq!(it.server.asked(), ["observe"]);
}

#[tokio::test]
async fn a_stale_claim_is_taken_over_only_by_name_and_consent_shows_it() {
    let it = leased();
    it.server.claims.lock().unwrap().push(foreign("A", false));
    assert!(matches!(
        it.called(PUBLISH).await,
        Err(Stop::Refused(why)) if why.contains("--take-over A")
    ));
    let it = leased_with(&["A"], |_| {});
    it.server.claims.lock().unwrap().push(foreign("A", false));
    let mut known = Known::default();
    it.setup.course.observe_lease(&mut known).await.unwrap();
    let caution = &known.cautions[0];
    for words in [
        "run A of bob on controller2001",
        "phase install",
        "5 min ago",
    ] {
        assert!(caution.contains(words), "{caution}");
    }
    it.called(PUBLISH).await.unwrap().unwrap();
    let request = it.server.acquires.lock().unwrap()[0].clone();
    assert_eq!(request.over, Some(Token("other".to_owned())));
    assert_eq!(
        request.right,
        Right::TakeOver {
            run: "A".to_owned()
        }
    );
}

#[tokio::test]
async fn a_rehearsal_writes_nothing_and_shows_the_claim() {
    let it = leased_with(&[], |course| course.dry_run = true);
    it.server.claims.lock().unwrap().push(foreign("A", true));
    let mut known = Known::default();
    it.setup.course.observe_lease(&mut known).await.unwrap();
    assert!(known.cautions[0].contains("run A of bob"));
    it.setup.course.ensure_lease().await.unwrap();
    assert_eq!(it.server.asked(), ["observe"]);
    assert!(it.setup.log.entries().is_empty());
}

#[tokio::test]
async fn a_refused_request_touches_nothing() {
    let it = leased();
    it.server
        .will([Does::Confirms, Does::Refuses("taken meanwhile")]);
    match it.called(SET_POWER).await {
        Err(Stop::Refused(why)) => assert!(why.contains("taken meanwhile"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert!(it.ipmi.called().is_empty());
}

#[tokio::test]
async fn a_request_whose_answer_is_lost_is_sent_again_with_the_same_token() {
    let it = leased();
    it.server
        .will([Does::Confirms, Does::SaysNothing, Does::SaysNothing]);
    it.called(PUBLISH).await.unwrap().unwrap();
    let tokens: Vec<_> = it
        .server
        .acquires
        .lock()
        .unwrap()
        .iter()
        .map(|it| it.claim.token.0.clone())
        .collect();
    assert_eq!(tokens, ["t0", "t0", "t0"]);
}

#[tokio::test]
async fn without_an_answer_for_one_life_the_call_is_not_made_and_the_run_pauses() {
    let it = leased();
    it.called(PUBLISH).await.unwrap().unwrap();
    let before = it.time.uptime();
    it.server.will(vec![Does::SaysNothing; 1000]);
    let stopped = it.called(SET_POWER).await;
    it.paused(stopped, "ipmi.set-power was not called");
    let waited = it.time.uptime().saturating_sub(before);
    assert!(waited >= Duration::from_millis(TTL), "{waited:?}");
    assert!(waited < Duration::from_millis(TTL + 30_000), "{waited:?}");
    assert!(it.ipmi.called().is_empty());
    let entries = it.setup.log.entries();
    assert!(matches!(
        entries.last().unwrap().record,
        Record::Withheld { call: 2, .. }
    ));
}

#[tokio::test]
async fn a_server_that_is_back_within_one_life_stops_nothing() {
    let it = leased();
    it.called(PUBLISH).await.unwrap().unwrap();
    it.server.will(vec![Does::SaysNothing; 50]);
    it.called(SET_POWER).await.unwrap().unwrap();
    assert_eq!(it.ipmi.called(), ["ipmi.set-power"]);
}

#[tokio::test]
async fn an_answer_that_comes_after_the_validity_counts_for_nothing() {
    let it = leased();
    it.called(PUBLISH).await.unwrap().unwrap();
    it.server
        .will([Does::ConfirmsAfter(i64::try_from(TTL).unwrap() - 9_000)]);
    let stopped = it.called(SET_POWER).await;
    it.paused(stopped, "came too late");
    assert!(it.ipmi.called().is_empty());
}

#[tokio::test]
async fn a_claim_that_is_lost_between_intent_and_call_stops_every_further_change() {
    let it = leased();
    it.called(PUBLISH).await.unwrap().unwrap();
    it.server.will([Does::Loses("taken over by run B")]);
    let stopped = it.called(SET_POWER).await;
    it.paused(stopped, "taken over by run B");
    it.server.asked();
    let stopped = it.called(PUBLISH).await;
    it.paused(stopped, "wreimage cleanup r");
    // It is known: the server is not asked again.
    assert!(it.server.asked().is_empty());
    assert_eq!(it.dhcp.called(), ["dhcp.publish"]);
    assert!(it.ipmi.called().is_empty());
}

#[tokio::test]
async fn a_renewal_that_finds_the_claim_broken_pauses_the_next_change() {
    let it = leased();
    it.called(PUBLISH).await.unwrap().unwrap();
    let lost = Err(LeaseError::Lost("an operator broke it".to_owned()));
    it.setup.course.holder.renewed(Duration::ZERO, lost);
    let stopped = it.called(PUBLISH).await;
    it.paused(stopped, "an operator broke it");
}

#[tokio::test]
async fn without_its_claim_a_run_undoes_only_what_names_its_run() {
    let it = leased();
    it.called(SET_BOOT).await.unwrap().unwrap();
    it.called(PUBLISH).await.unwrap().unwrap();
    it.setup.course.holder.lose("taken over by run B");
    it.setup.course.state().closing = true;
    it.setup.course.take_back().await.unwrap();
    assert_eq!(
        it.setup.undone(),
        [
            ("dhcp.withdraw".to_owned(), UndoState::Done),
            ("ipmi.clear-boot-device".to_owned(), UndoState::Left),
        ]
    );
    assert_eq!(it.ipmi.called(), ["ipmi.set-boot-device"]);
    // Its claim is another's: the server goes by the run.
    assert!(it.dhcp.0.lock().unwrap()[1].1.is_none());
}

#[tokio::test]
async fn a_claim_lost_while_it_undoes_leaves_the_boot_override() {
    let it = leased();
    it.called(SET_BOOT).await.unwrap().unwrap();
    it.setup.course.state().closing = true;
    it.server.will([Does::Loses("taken over by run B")]);
    it.setup.course.take_back().await.unwrap();
    let state = it.setup.course.state();
    assert_eq!(state.undo.closed[0].state, UndoState::Failed);
    assert!(state.undo.closed[0].text.contains("taken over by run B"));
    drop(state);
    assert_eq!(it.ipmi.called(), ["ipmi.set-boot-device"]);
}

#[tokio::test]
async fn an_end_releases_or_reports_the_claim_as_left() {
    let it = leased();
    assert_eq!(it.setup.course.release_lease().await, None);
    it.called(PUBLISH).await.unwrap().unwrap();
    assert_eq!(it.setup.course.release_lease().await, None);
    assert_eq!(it.setup.course.holder.standing(), Standing::Released);

    let it = leased();
    it.called(PUBLISH).await.unwrap().unwrap();
    it.server.will(vec![Does::SaysNothing; 1000]);
    let left = it.setup.course.release_lease().await.unwrap();
    assert!(left.contains("wreimage lock break host1001"), "{left}");
}

fn entry(number: u64, record: Record) -> Entry {
    Entry {
        number,
        time: from_millis(0),
        record,
    }
}

/// The records of a run that had acquired and changed something.
fn earlier() -> Vec<Entry> {
    let token = Token("t-before".to_owned());
    let requested = LeaseRequested {
        token: token.clone(),
        host: ClaimedHost {
            fqdn: "host1001".to_owned(),
            ..ClaimedHost::default()
        },
        take_over: None,
    };
    vec![
        entry(1, Record::LeaseRequested(Box::new(requested))),
        entry(
            2,
            Record::LeaseAcquired {
                token,
                acquisition: 1,
            },
        ),
    ]
}

fn of_before(token: &str) -> ObservedClaim {
    let mut own = foreign("r", true);
    own.claim.token = Token(token.to_owned());
    own
}

#[tokio::test]
async fn a_resumed_run_acquires_over_its_own_claim() {
    let it = leased();
    it.setup.course.holder.learn(&earlier());
    *it.server.claims.lock().unwrap() = vec![of_before("t-before")];
    it.setup.course.take_up_lease(false).await.unwrap();
    let request = it.server.acquires.lock().unwrap()[0].clone();
    let tokens = vec![Token("t-before".to_owned())];
    assert_eq!(request.right, Right::Resume { tokens });
    assert_eq!(request.over, Some(Token("t-before".to_owned())));
    // The record of the request itself makes up for nothing that is missing.
    assert_eq!(request.claim.journal, JournalMark::default());
    it.called(SET_POWER).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_resumed_run_whose_host_another_run_has_changes_nothing() {
    for claims in [vec![foreign("B", false)], Vec::new()] {
        let it = leased();
        it.setup.course.holder.learn(&earlier());
        *it.server.claims.lock().unwrap() = claims;
        let stopped = it.setup.course.take_up_lease(false).await;
        it.paused(stopped, "wreimage cleanup r");
        assert!(it.server.acquires.lock().unwrap().is_empty());
        // Its cleanup acquires nothing either.
        it.setup.course.take_up_lease(true).await.unwrap();
        assert!(matches!(
            it.setup.course.holder.standing(),
            Standing::Lost(_)
        ));
        assert!(it.server.acquires.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_request_that_never_arrived_begins_again_with_a_new_consent() {
    let it = leased_with(&[], |course| {
        course.state.get_mut().unwrap().allowed = false;
    });
    let requested = earlier().remove(0);
    it.setup.course.holder.learn(&[requested]);
    it.setup.course.take_up_lease(false).await.unwrap();
    let consented = Record::Consented {
        first: "dhcp.publish".to_owned(),
        known: Vec::new(),
        shown: Vec::new(),
    };
    it.setup.course.state().relearn(&consented, from_millis(0));
    assert!(!it.setup.course.state().allowed);
}

struct One(&'static str, Mutex<Vec<bool>>);

impl Renewed for One {
    fn claim(&self) -> Option<HeldClaim> {
        Some(HeldClaim {
            host: ClaimedHost::default(),
            run: "r".to_owned(),
            token: Token(self.0.to_owned()),
            phase: String::new(),
            journal: JournalMark::default(),
        })
    }

    fn renewed(&self, _sent: Duration, answer: LeaseResult<Confirmed>) {
        self.1.lock().unwrap().push(answer.is_ok());
    }
}

/// The next renewal of the server, however slow this machine is.
async fn next_renewal(server: &Server) -> String {
    server.asked();
    loop {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let asked = server.asked.lock().unwrap().clone();
        if let Some(renewal) = asked.iter().find(|it| it.starts_with("renew")) {
            return renewal.clone();
        }
    }
}

#[tokio::test]
async fn one_renewal_serves_all_hosts_of_a_process() {
    let server = Arc::new(Server {
        ttl: 60,
        ..Server::default()
    });
    let time = Arc::new(Time::default());
    let renewer = crate::lease::Renewer::new(server.clone(), time);
    let one = Arc::new(One("one", Mutex::default()));
    let other = Arc::new(One("other", Mutex::default()));
    let lives = Duration::from_millis(60);
    server.will([Does::Confirms, Does::Loses("broken")]);
    let (held, also): (Arc<dyn Renewed>, Arc<dyn Renewed>) = (one.clone(), other.clone());
    let first = renewer.keep(Arc::downgrade(&held), lives);
    let second = renewer.keep(Arc::downgrade(&also), lives);
    let within = Duration::from_secs(20);
    let renewed = tokio::time::timeout(within, next_renewal(&server)).await;
    assert_eq!(renewed.unwrap(), "renew one other");
    tokio::time::timeout(within, next_renewal(&server))
        .await
        .unwrap();
    assert!(one.1.lock().unwrap()[0]);
    assert!(!other.1.lock().unwrap()[0]);
    drop(second);
    // One may be under way.
    tokio::time::timeout(within, next_renewal(&server))
        .await
        .unwrap();
    let renewed = tokio::time::timeout(within, next_renewal(&server)).await;
    assert_eq!(renewed.unwrap(), "renew one");
    drop(first);
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.asked();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn the_log_marks_only_what_is_durable() {
    let log = MemoryLog::new();
    let line = || Record::Log {
        severity: "info".to_owned(),
        text: "a line".to_owned(),
    };
    log.append(&entry(1, line()), true).unwrap();
    log.append(&entry(2, line()), false).unwrap();
    assert_eq!(log.mark().length, 1);
    let before = log.mark().sum;
    log.append(&entry(3, line()), true).unwrap();
    assert_eq!(log.mark().length, 3);
    assert_ne!(log.mark().sum, before);
}
