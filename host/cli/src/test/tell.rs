//! How the results of tests are told: a line a scenario, the details of those that failed, and a count.

use super::Tried;
use crate::arguments::Output;
use crate::exit::Failure;
use crate::tell::plain;
use serde_json::json;
use std::time::Duration;

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
        cases: usize,
        invariants: usize,
    ) -> Result<(), Failure> {
        self.sweeps = true;
        match self.output {
            Output::Text => print(&format!(
                "sweep of {scenario}: {cases} cases, {invariants} invariants\n"
            )),
            Output::Json => print(&format!(
                "{}\n",
                json!({ "event": "sweep", "scenario": scenario, "cases": cases, "invariants": invariants })
            )),
        }
    }

    /// One result. In a sweep, a case that passed is not worth a line to a person.
    pub fn tell(&mut self, tried: Tried) -> Result<(), Failure> {
        let passed = tried.wrong.is_empty();
        match self.output {
            Output::Text if passed && self.sweeps => {}
            Output::Text => print(&text(&tried))?,
            Output::Json => print(&format!(
                "{}\n",
                json!({
                    "event": if self.sweeps { "case" } else { "scenario" },
                    "scenario": tried.of,
                    "name": tried.name,
                    "passed": passed,
                    "outcome": tried.outcome,
                    "wrong": tried.wrong,
                    "took_ms": millis(tried.took),
                    "again": tried.again,
                })
            ))?,
        }
        self.results.push(tried);
        Ok(())
    }

    /// Invariants that nothing was shown of.
    pub fn never_judged(&self, names: &[&str]) -> Result<(), Failure> {
        match self.output {
            _ if names.is_empty() => Ok(()),
            Output::Text => print(&format!("never judged: {}\n", names.join("; "))),
            Output::Json => print(&format!(
                "{}\n",
                json!({ "event": "never-judged", "invariants": names })
            )),
        }
    }

    /// The count. Whether all have passed.
    pub fn end(&self, took: Duration) -> Result<bool, Failure> {
        let all = self.results.len();
        let failed = self.results.iter().filter(|it| !it.wrong.is_empty());
        let failed = failed.count();
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
                print(&format!(
                    "{all} {what}: {} passed, {failed} failed; {seconds:.2} s{rate}\n",
                    all - failed
                ))?;
            }
            Output::Json => print(&format!(
                "{}\n",
                json!({ "event": "summary", "all": all, "passed": all - failed, "failed": failed, "took_ms": millis(took) })
            ))?,
        }
        Ok(failed == 0)
    }
}

fn text(tried: &Tried) -> String {
    let word = if tried.wrong.is_empty() {
        "PASS"
    } else {
        "FAIL"
    };
    let mut text = format!(
        "{word} [{:>7.3}s] {} ({})\n",
        tried.took.as_secs_f64(),
        tried.full_name(),
        if tried.outcome.is_empty() {
            "no end"
        } else {
            &tried.outcome
        }
    );
    for wrong in &tried.wrong {
        text.push_str(&format!(
            "       {}\n",
            wrong.trim_end().replace('\n', "\n       ")
        ));
    }
    if let (Some(again), false) = (&tried.again, tried.wrong.is_empty()) {
        text.push_str(&format!("       again: {again}\n"));
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

/// What a guest says stands in it: no control characters for the terminal.
fn print(text: &str) -> Result<(), Failure> {
    crate::print(&plain(text))
}
