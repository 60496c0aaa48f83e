//! How the results of tests are told: a line a scenario, the details of those that failed, and a count.

use super::Tried;
use crate::arguments::Output;
use crate::failure::Failure;
use crate::output::print::{self, Page};
use serde_json::{Map, Value, json};
use std::time::Duration;
use wreimage_journal::RunOutcome;
use wreimage_scenario::Kind;

/// Tells results as they come.
pub struct Teller {
    output: Output,
    sweeps: bool,
    results: Vec<Tried>,
}

impl Teller {
    /// In this format.
    pub fn new(output: Output) -> Self {
        Teller {
            output,
            sweeps: false,
            results: Vec::new(),
        }
    }

    /// What was told so far.
    pub fn results(&self) -> &[Tried] {
        &self.results
    }

    /// A sweep begins.
    pub fn begin_sweep(
        &mut self,
        scenario: &str,
        cases: &[Kind],
        invariants: usize,
    ) -> Result<(), Failure> {
        self.sweeps = true;
        let all = cases.len();
        let kinds = counts(cases.iter().copied());
        match self.output {
            Output::Text => {
                let kinds: Vec<String> = kinds
                    .iter()
                    .map(|(kind, count)| format!("{kind} {count}"))
                    .collect();
                print(&format!(
                    "sweep of {scenario}: {all} cases ({}), {invariants} invariants",
                    kinds.join(", ")
                ))
            }
            Output::Json => print::json(&json!({
                "event": "sweep",
                "scenario": scenario,
                "cases": all,
                "kinds": by_kind(&kinds),
                "invariants": invariants,
            })),
        }
    }

    /// One result. In a sweep, a case that passed is not worth a line to a person.
    pub fn tell(&mut self, tried: Tried) -> Result<(), Failure> {
        let passed = tried.wrong.is_empty();
        match self.output {
            Output::Text if passed && self.sweeps => {}
            Output::Text => print::page(&text(&tried))?,
            Output::Json => print::json(&json!({
                "event": if self.sweeps { "case" } else { "scenario" },
                "scenario": tried.of,
                "name": tried.name,
                "kind": tried.kind.map(Kind::word),
                "passed": passed,
                "outcome": tried.outcome.map_or("", RunOutcome::word),
                "wrong": tried.wrong,
                "took_ms": millis(tried.took),
                "again": tried.again,
            }))?,
        }
        self.results.push(tried);
        Ok(())
    }

    /// Invariants that nothing was shown of.
    pub fn never_judged(&self, names: &[&str]) -> Result<(), Failure> {
        match self.output {
            _ if names.is_empty() => Ok(()),
            Output::Text => print(&format!("never judged: {}", names.join("; "))),
            Output::Json => print::json(&json!({ "event": "never-judged", "invariants": names })),
        }
    }

    /// The count. Whether all have passed.
    pub fn end(&self, took: Duration) -> Result<bool, Failure> {
        let all = self.results.len();
        let failed = self.results.iter().filter(|it| !it.wrong.is_empty());
        let failed = failed.count();
        let kinds = counts(self.results.iter().filter_map(|it| it.kind));
        let seconds = took.as_secs_f64().max(0.001);
        #[allow(clippy::cast_precision_loss)] // a count of tests
        let rate = all as f64 / seconds;
        match self.output {
            Output::Text => {
                let what = match (self.sweeps, all) {
                    (true, 1) => "case",
                    (true, _) => "cases",
                    (false, 1) => "scenario",
                    (false, _) => "scenarios",
                };
                let rate = if self.sweeps {
                    format!(", {rate:.0} cases a second")
                } else {
                    format!(", median {:.1} ms", median(&self.results))
                };
                for (kind, count) in &kinds {
                    let failed = self.failed_of(*kind);
                    print(&format!(
                        "{kind}: {count}, {} passed, {failed} failed",
                        count - failed
                    ))?;
                }
                print(&format!(
                    "{all} {what}: {} passed, {failed} failed; {seconds:.2} s{rate}",
                    all - failed
                ))?;
            }
            Output::Json => print::json(&json!({
                "event": "summary",
                "all": all,
                "passed": all - failed,
                "failed": failed,
                "kinds": by_kind(&kinds),
                "took_ms": millis(took),
            }))?,
        }
        Ok(failed == 0)
    }

    /// How many cases of a kind did not pass.
    fn failed_of(&self, kind: Kind) -> usize {
        let failed = |it: &&Tried| it.kind == Some(kind) && !it.wrong.is_empty();
        self.results.iter().filter(failed).count()
    }
}

/// How many cases there are of each kind, but for kinds of which there are none.
fn counts(cases: impl Iterator<Item = Kind> + Clone) -> Vec<(Kind, usize)> {
    Kind::ALL
        .into_iter()
        .map(|kind| (kind, cases.clone().filter(|it| *it == kind).count()))
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// The same as JSON.
fn by_kind(counts: &[(Kind, usize)]) -> Map<String, Value> {
    let counts = counts.iter();
    counts
        .map(|(kind, count)| (kind.word().to_owned(), json!(count)))
        .collect()
}

fn text(tried: &Tried) -> Page {
    let word = if tried.wrong.is_empty() {
        "PASS"
    } else {
        "FAIL"
    };
    let mut text = Page::default();
    text.line(format!(
        "{word} [{:>7.3}s] {} ({})",
        tried.took.as_secs_f64(),
        tried.full_name(),
        tried.outcome.map_or("no end", RunOutcome::word)
    ));
    for wrong in tried
        .wrong
        .iter()
        .flat_map(|wrong| wrong.trim_end().lines())
    {
        text.line(format!("       {wrong}"));
    }
    if let (Some(again), false) = (&tried.again, tried.wrong.is_empty()) {
        text.line(format!("       again: {again}"));
    }
    text
}

fn median(results: &[Tried]) -> f64 {
    let mut all: Vec<f64> = results
        .iter()
        .map(|it| it.took.as_secs_f64() * 1000.0)
        .collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or_default()
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

/// Prints a line.
fn print(line: &str) -> Result<(), Failure> {
    let mut page = Page::default();
    page.line(line);
    print::page(&page)
}
