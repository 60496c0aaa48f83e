//! Where a process dies, or what else happens to it: at a record of its journal, or in a call of a provider.

use serde_json::{Value, json};
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use wreimage_capability::{Answer, BoxFuture, Call, Dispatch, Fault, Function, Reconciled};
use wreimage_engine::Cancel;
use wreimage_journal::{Entry, Log, LogError, RunDatabase};
use wreimage_lab::Lab;

/// What happens, and where.
#[derive(Clone, Copy, PartialEq)]
pub enum Death {
    Never,
    Before(u64),
    After(u64),
    During(u64),
    /// It does not die: from this record on the disk is full.
    Full(u64),
    /// It does not die: the operator cancels after this record.
    Cancel(u64),
    /// It dies in this call, of whose effect half is there.
    Half(u64),
}

impl Death {
    pub fn parse(word: &str) -> Option<Death> {
        let (when, number) = word.split_once(':')?;
        let number = number.parse().ok()?;
        match when {
            "before" => Some(Death::Before(number)),
            "after" => Some(Death::After(number)),
            "during" => Some(Death::During(number)),
            "full" => Some(Death::Full(number)),
            "cancel" => Some(Death::Cancel(number)),
            "half" => Some(Death::Half(number)),
            _ => None,
        }
    }

    fn at(self, here: Death) {
        if self == here {
            die();
        }
    }
}

fn die() {
    let own = rustix::process::getpid();
    rustix::process::kill_process(own, rustix::process::Signal::KILL).unwrap();
    // The signal is on its way; nothing more may be done.
    loop {
        std::thread::park();
    }
}

/// The journal, with an event at one of its records.
pub struct Mortal {
    pub inner: RunDatabase,
    pub death: Death,
    pub cancel: Cancel,
}

impl Log for Mortal {
    fn append(&self, entry: &Entry, durable: bool) -> Result<(), LogError> {
        self.death.at(Death::Before(entry.number));
        if let Death::Full(first) = self.death
            && entry.number >= first
        {
            return Err(LogError {
                path: self.inner.path().to_owned(),
                source: std::io::Error::from(std::io::ErrorKind::StorageFull),
            });
        }
        self.inner.append(entry, durable)?;
        self.death.at(Death::After(entry.number));
        if self.death == Death::Cancel(entry.number) {
            self.cancel.cancel();
        }
        Ok(())
    }

    fn mark(&self) -> wreimage_capability::lease::JournalMark {
        self.inner.mark()
    }

    fn keep(&self, bytes: &[u8]) -> Result<String, LogError> {
        self.inner.keep(bytes)
    }
}

/// A provider, with a death in one of its calls.
pub struct Killer {
    pub inner: Arc<dyn Dispatch>,
    pub lab: Lab,
    pub host: String,
    pub death: Death,
    pub calls: Arc<AtomicU64>,
    pub performed: Arc<Mutex<Vec<Value>>>,
}

impl Killer {
    /// Half of the effect, where a call can have that, and the death.
    fn die_half_way(&self, function: &Function, arguments: &Value) {
        self.lab
            .change(|world| match function.to_string().as_str() {
                "conftool.set-pooled" => {
                    let value = arguments["value"].as_str().unwrap_or_default();
                    world.pool_first(&self.host, value);
                }
                "puppet.first-run" => world.first_run_stops_half_way(&self.host),
                other => panic!("{other} has no half effect"),
            });
        self.lab.write_down().unwrap();
        die();
    }
}

impl Dispatch for Killer {
    fn perform<'a>(
        &'a self,
        call: &'a Call,
        function: &'static Function,
        arguments: &'a Value,
    ) -> BoxFuture<'a, Result<Answer, Fault>> {
        Box::pin(async move {
            let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
            self.performed
                .lock()
                .unwrap()
                .push(json!([function.to_string(), call.sequence]));
            if self.death == Death::Half(number) {
                self.die_half_way(function, arguments);
            }
            let mut work = self.inner.perform(call, function, arguments);
            let mut first = None;
            poll_fn(|context| {
                if let Poll::Ready(answer) = work.as_mut().poll(context) {
                    first = Some(answer);
                }
                Poll::Ready(())
            })
            .await;
            // What takes no time has had its effect by now, and has reported it to no one.
            self.death.at(Death::During(number));
            match first {
                Some(answer) => answer,
                None => work.await,
            }
        })
    }

    fn witness<'a>(
        &'a self,
        call: &'a Call,
        function: &'static Function,
        arguments: &'a Value,
    ) -> BoxFuture<'a, Result<Value, Fault>> {
        self.inner.witness(call, function, arguments)
    }

    fn reconcile<'a>(
        &'a self,
        call: &'a Call,
        function: &'static Function,
        arguments: &'a Value,
        witness: &'a Value,
    ) -> BoxFuture<'a, Result<Reconciled, Fault>> {
        self.inner.reconcile(call, function, arguments, witness)
    }
}
