//! Renewing the entries of all runs of a process: what waits is renewed in one execution.

use super::automation::{AUTOMATION, Automation, Entry};
use crate::install_server::{Answer, InstallServer, LIBRARY, Lane, Script};
use crate::ssh::quote;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use wreimage_capability::Fault;

const RENEW: &str = include_str!("renew.sh");
/// For all entries together; each may start a timer.
const TIMEOUT: Duration = Duration::from_secs(60);
/// In one execution; the others go with the next one.
const MOST: usize = 200;

/// What became of a renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Renewed {
    /// How long the entry is served without another renewal; `None` for ever.
    Until(Option<Duration>),
    /// The run has none.
    None,
    /// It had one, which has been replaced, taken out or changed; by which run, where that is known.
    Lost {
        how: String,
        by: Option<String>,
    },
    Failed(String),
}

type Result = std::result::Result<Renewed, Fault>;

/// All renewals of one install server.
#[derive(Default)]
pub(crate) struct Renewals {
    pending: Mutex<Vec<(Entry, oneshot::Sender<Result>)>>,
    turn: tokio::sync::Mutex<()>,
}

impl Renewals {
    fn pending(&self) -> std::sync::MutexGuard<'_, Vec<(Entry, oneshot::Sender<Result>)>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Renews an entry. The first caller sends what all have asked for until then.
    pub(super) async fn renew(&self, server: &InstallServer, state: &str, entry: Entry) -> Result {
        loop {
            let (sender, mut answer) = oneshot::channel();
            self.pending().push((entry.clone(), sender));
            let _turn = self.turn.lock().await;
            if let Ok(answer) = answer.try_recv() {
                return answer;
            }
            let batch = {
                let mut pending = self.pending();
                // The caller may have gone.
                pending.retain(|(_, sender)| !sender.is_closed());
                let kept = pending.len().saturating_sub(MOST);
                pending.split_off(kept)
            };
            renew_all(server, state, batch).await;
            if let Ok(answer) = answer.try_recv() {
                return answer;
            }
        }
    }
}

fn script(state: &str, entries: &[&Entry]) -> Script {
    let mut calls = String::new();
    let cases = |command: fn(&Entry) -> &str| {
        let mut seen = BTreeSet::new();
        let mut body = "case $host in\n".to_owned();
        for entry in entries.iter().filter(|entry| seen.insert(&entry.host)) {
            let host = quote(&[&entry.host]);
            body.push_str(&format!("    {host}) {} ;;\n", command(entry)));
        }
        body + "esac"
    };
    for entry in entries {
        let words = ["renew_entry", &entry.host, &entry.run, &entry.path];
        calls.push_str(&format!("{}\n", quote(&words)));
    }
    Script::new(&[LIBRARY, AUTOMATION, RENEW])
        .set("state", state)
        .function("schedule", &cases(|entry| &entry.schedule))
        .function("scheduled", &cases(|entry| &entry.scheduled))
        .function("each_entry", calls.trim_end())
}

async fn renew_all(
    server: &InstallServer,
    state: &str,
    batch: Vec<(Entry, oneshot::Sender<Result>)>,
) {
    let entries: Vec<&Entry> = batch.iter().map(|it| &it.0).collect();
    let script = script(state, &entries);
    let answer = server.run(Lane::Quick, &script, TIMEOUT, |_| {}).await;
    let results = answer.and_then(|answer| {
        let runs: Vec<&str> = entries.iter().map(|it| it.run.as_str()).collect();
        results(&answer, &runs).map_err(|why| {
            let message = format!("{}: {why}", server.system());
            Fault::rejected("dhcp.not-renewed", server.system(), message)
        })
    });
    match results {
        Ok(results) => {
            for ((_, sender), result) in batch.into_iter().zip(results) {
                let _ = sender.send(Ok(result));
            }
        }
        Err(fault) => {
            for (_, sender) in batch {
                let _ = sender.send(Err(fault.clone()));
            }
        }
    }
}

/// A result for each of these runs, in their order.
fn results(answer: &Answer, runs: &[&str]) -> std::result::Result<Vec<Renewed>, String> {
    if answer.status != "ok" {
        return Err(answer.text("why").unwrap_or_else(|| answer.status.clone()));
    }
    let mut groups: Vec<Answer> = Vec::new();
    for (key, value) in &answer.fields {
        if key == "run" {
            groups.push(Answer {
                status: value.clone(),
                fields: Vec::new(),
            });
        } else if let Some(group) = groups.last_mut() {
            group.fields.push((key.clone(), value.clone()));
        }
    }
    let names: Vec<&str> = groups.iter().map(|group| group.status.as_str()).collect();
    if names != runs {
        return Err("the answer is not about the entries of the request".to_owned());
    }
    Ok(groups.iter().map(result).collect())
}

/// Reads an answer about entries that are renewed.
pub(super) fn read_answer(answer: &Answer) {
    let runs = answer.fields.iter().filter(|field| field.0 == "run");
    let runs: Vec<&str> = runs.map(|field| field.1.as_str()).collect();
    let _ = results(answer, &runs);
}

fn result(group: &Answer) -> Renewed {
    match group.word("result") {
        "renewed" => Renewed::Until(group.number("remaining-ms").map(Duration::from_millis)),
        "none" => Renewed::None,
        "lost" => Renewed::Lost {
            how: group.word("lost").to_owned(),
            by: group.get("by").filter(|it| *it != "-").map(str::to_owned),
        },
        other => Renewed::Failed(group.text("why").unwrap_or_else(|| other.to_owned())),
    }
}

impl Automation {
    /// Renews the entry of that run.
    pub(super) async fn renew(&self, renewals: &Renewals, run: &str) -> Result {
        let entry = self.renewal(run);
        renewals.renew(&self.server, &self.state(), entry).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_only_when_it_is_about_the_request() {
        let text = b"run=r1\nresult=renewed\nremaining-ms=5000\nrun=r2\nresult=lost\nlost=replaced\nby=r3\nrun=r4\n\
                     result=none\nstatus=ok\nend=1\n";
        let answer = Answer::parse(text).unwrap();
        assert_eq!(
            results(&answer, &["r1", "r2", "r4"]).unwrap(),
            [
                Renewed::Until(Some(Duration::from_secs(5))),
                Renewed::Lost {
                    how: "replaced".to_owned(),
                    by: Some("r3".to_owned())
                },
                Renewed::None
            ]
        );
        assert!(results(&answer, &["r1", "r2"]).is_err());
        assert!(results(&answer, &["r2", "r1", "r4"]).is_err());
    }
}
