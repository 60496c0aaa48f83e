//! One renewal for all claims of a process, and what a claim reports of the journal.

use super::*;

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
