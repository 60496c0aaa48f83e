//! What must hold at the end of a scenario.

use crate::context::{CaseFacts, Context};
use crate::error::suggestion;
use crate::exit_code::word;
use crate::expression::Expression;
use crate::fault::{known, span};
use crate::play::Played;
use crate::scenario::outcome;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use wreimage_journal::{Origin, Record};
use wreimage_lab::Situation;

/// Expectations. What is left out is not looked at.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Expect {
    outcome: Option<String>,
    exit_code: Option<u8>,
    touched: Option<bool>,
    summary: Vec<String>,
    left: Option<Vec<String>>,
    steps: BTreeMap<String, String>,
    says: Vec<String>,
    not_says: Vec<String>,
    questions: Option<Vec<String>>,
    commands: Option<Vec<String>>,
    calls: BTreeMap<String, Count>,
    order: Vec<String>,
    max_time: Option<String>,
    max_power_cycles: Option<u64>,
    must: Vec<String>,
    world: toml::Table,
}

/// How often: `2`, or from `"1.."`, up to `"..3"`, or `"1..3"`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "CountFile")]
struct Count {
    least: u64,
    most: u64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum CountFile {
    Exactly(u64),
    Range(String),
}

impl TryFrom<CountFile> for Count {
    type Error = String;

    fn try_from(file: CountFile) -> Result<Self, String> {
        let text = match file {
            CountFile::Exactly(number) => {
                return Ok(Count {
                    least: number,
                    most: number,
                });
            }
            CountFile::Range(text) => text,
        };
        let wrong = || format!("`{text}` is not a count such as 2, \"1..\", \"..3\" or \"1..3\"");
        let (least, most) = text.split_once("..").ok_or_else(wrong)?;
        let bound = |bound: &str, open: u64| match bound {
            "" => Ok(open),
            number => number.parse().map_err(|_| wrong()),
        };
        let count = Count {
            least: bound(least, 0)?,
            most: bound(most, u64::MAX)?,
        };
        if count.least > count.most {
            return Err(wrong());
        }
        if (count.least, count.most) == (0, u64::MAX) {
            return Err(format!("`{text}` expects nothing: any count is one of it"));
        }
        Ok(count)
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.least, self.most) {
            (least, most) if least == most => write!(f, "{least}"),
            (least, u64::MAX) => write!(f, "at least {least}"),
            (0, most) => write!(f, "at most {most}"),
            (least, most) => write!(f, "{least} to {most}"),
        }
    }
}

/// How a step can end, by word.
const LEVELS: [&str; 5] = ["success", "warning", "failure", "skipped", "unfinished"];

impl Expect {
    /// Whether nothing is expected.
    pub fn is_empty(&self) -> bool {
        let Expect {
            outcome,
            exit_code,
            touched,
            summary,
            left,
            steps,
            says,
            not_says,
            questions,
            commands,
            calls,
            order,
            max_time,
            max_power_cycles,
            must,
            world,
        } = self;
        outcome.is_none()
            && exit_code.is_none()
            && touched.is_none()
            && summary.is_empty()
            && left.is_none()
            && steps.is_empty()
            && says.is_empty()
            && not_says.is_empty()
            && questions.is_none()
            && commands.is_none()
            && calls.is_empty()
            && order.is_empty()
            && max_time.is_none()
            && max_power_cycles.is_none()
            && must.is_empty()
            && flat(world).is_empty()
    }

    /// Finds what could never be judged.
    pub(crate) fn check(&self, world: &Situation) -> Result<(), String> {
        if let Some(word) = &self.outcome {
            outcome(word).map_err(|what| format!("expect.outcome: {what}"))?;
        }
        for level in self.steps.values() {
            if !LEVELS.contains(&level.as_str()) {
                return Err(format!(
                    "expect.steps: no step ends as `{level}`; {}",
                    suggestion(level, LEVELS)
                ));
            }
        }
        let texts = self.summary.iter().chain(&self.says);
        if texts.chain(&self.not_says).any(String::is_empty) {
            return Err("expect: an empty text is in every line".to_owned());
        }
        for name in self.calls.keys().chain(&self.order) {
            known(name).map_err(|what| format!("expect: {what}"))?;
        }
        if let Some(text) = &self.max_time {
            span(text).map_err(|what| format!("expect.max-time: {what}"))?;
        }
        for text in &self.must {
            Expression::parse(text).map_err(|what| format!("expect.must: {what}"))?;
        }
        let facts = facts(world);
        for (path, _) in flat(&self.world) {
            if fact(&facts, &path).is_none() {
                let known = names(&facts);
                return Err(format!(
                    "expect.world: the world has no fact `{path}`; {}",
                    suggestion(&path, known.iter().map(String::as_str))
                ));
            }
        }
        Ok(())
    }
}

/// What is not as expected, a line a thing. Nothing is what one hopes for.
pub fn check(expect: &Expect, played: &Played) -> Vec<String> {
    let mut wrong = Wrong::default();
    let run = &played.end.run;
    if let Some(expected) = &expect.outcome
        && outcome(expected).ok() != run.outcome
    {
        wrong.say(format!(
            "outcome: expected {expected}, found {}: {}",
            word(run.outcome),
            run.summary
        ));
    }
    wrong.differ("exit-code", expect.exit_code, run.exit_code);
    wrong.differ("touched", expect.touched, run.touched);
    wrong.hold(
        "summary",
        &expect.summary,
        std::slice::from_ref(&run.summary),
    );
    if let Some(left) = &expect.left {
        wrong.all("left", left, &run.left);
    }
    wrong.hold("says", &expect.says, &run.said);
    for text in &expect.not_says {
        if let Some(said) = run.said.iter().find(|said| said.contains(text)) {
            wrong.say(format!("not-says: `{text}` is in: {said}"));
        }
    }
    if let Some(questions) = &expect.questions {
        wrong.all("questions", questions, &run.questions);
    }
    if let Some(commands) = &expect.commands {
        wrong.all("commands", commands, &run.commands);
    }
    steps(expect, played, &mut wrong);
    calls(expect, played, &mut wrong);
    limits(expect, played, &mut wrong);
    for text in &expect.must {
        let context = Context {
            world: &played.end.world,
            before: &played.before,
            run,
            call: None,
            case: &CaseFacts::default(),
            undisturbed: None,
            since: None,
            rival: None,
        };
        match Expression::parse(text).and_then(|it| it.holds(&context)) {
            Ok(true) => {}
            Ok(false) => wrong.say(format!("must: it does not hold: {text}")),
            Err(error) => wrong.say(format!("must: {error}")),
        }
    }
    let facts = facts(&played.end.world);
    for (path, expected) in flat(&expect.world) {
        let found = fact(&facts, &path).cloned().unwrap_or_default();
        // TOML has no null: an empty text stands for nothing.
        let same = found == expected || (found.is_null() && expected == "");
        if !same {
            wrong.say(format!("world.{path}: expected {expected}, found {found}"));
        }
    }
    wrong.0
}

/// Collects what is wrong.
#[derive(Default)]
struct Wrong(Vec<String>);

impl Wrong {
    fn say(&mut self, text: String) {
        self.0.push(text);
    }

    fn differ<T: PartialEq + fmt::Display>(&mut self, what: &str, expected: Option<T>, found: T) {
        if let Some(expected) = expected
            && expected != found
        {
            self.say(format!("{what}: expected {expected}, found {found}"));
        }
    }

    /// Each text is in one of the lines.
    fn hold(&mut self, what: &str, texts: &[String], lines: &[String]) {
        for text in texts {
            if !lines.iter().any(|line| line.contains(text)) {
                let found = lines.last().map_or("nothing", String::as_str);
                self.say(format!(
                    "{what}: `{text}` is nowhere; the last of {}: {found}",
                    lines.len()
                ));
            }
        }
    }

    /// There are as many lines as texts, and each text is in its line.
    fn all(&mut self, what: &str, texts: &[String], lines: &[String]) {
        let same = texts.len() == lines.len()
            && texts
                .iter()
                .zip(lines)
                .all(|(text, line)| line.contains(text));
        if !same {
            self.say(format!("{what}: expected {texts:?}, found {lines:#?}"));
        }
    }
}

fn steps(expect: &Expect, played: &Played, wrong: &mut Wrong) {
    for (name, level) in &expect.steps {
        let found = played.end.run.steps.iter().rev().find(|step| {
            step.name.starts_with(name)
                || format!("{}: {}", step.phase, step.name).starts_with(name)
        });
        match found {
            None => wrong.say(format!("steps: there was no step `{name}`")),
            Some(step) if step.level != level => wrong.say(format!(
                "steps: `{name}`: expected {level}, found {}: {}",
                step.level, step.text
            )),
            Some(_) => {}
        }
    }
}

fn calls(expect: &Expect, played: &Played, wrong: &mut Wrong) {
    let made: Vec<&str> = played
        .entries
        .iter()
        .filter_map(|entry| match &entry.record {
            Record::Outcome(outcome) if outcome.origin != Origin::Host => {
                Some(outcome.function.as_str())
            }
            _ => None,
        })
        .collect();
    for (name, count) in &expect.calls {
        let found = made.iter().filter(|it| *it == name).count() as u64;
        if found < count.least || found > count.most {
            wrong.say(format!("calls: {name}: expected {count}, found {found}"));
        }
    }
    let mut rest = made.iter();
    for name in &expect.order {
        if !rest.any(|it| it == name) {
            wrong.say(format!(
                "order: after what stands before it in {:?}, there was no {name}",
                expect.order
            ));
            break;
        }
    }
}

fn limits(expect: &Expect, played: &Played, wrong: &mut Wrong) {
    if let Some(Ok(most)) = expect.max_time.as_deref().map(span) {
        let took = jiff::SignedDuration::from_millis(
            i64::try_from(played.report.took_ms).unwrap_or(i64::MAX),
        );
        if took > most {
            wrong.say(format!("max-time: expected {most:#}, it took {took:#}"));
        }
    }
    let cycles = |world: &Situation| world.counters.power_cycles;
    let found = cycles(&played.end.world).saturating_sub(cycles(&played.before));
    if let Some(most) = expect.max_power_cycles
        && found > most
    {
        wrong.say(format!("max-power-cycles: expected {most}, found {found}"));
    }
}

fn facts(world: &Situation) -> Value {
    serde_json::to_value(world).unwrap_or_default()
}

fn fact<'a>(facts: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(facts, |at, name| at.get(name))
}

/// All names of facts, with dots.
fn names(facts: &Value) -> Vec<String> {
    let Value::Object(fields) = facts else {
        return Vec::new();
    };
    fields
        .iter()
        .flat_map(|(name, value)| {
            let inner = names(value);
            if inner.is_empty() {
                vec![name.clone()]
            } else {
                inner.iter().map(|it| format!("{name}.{it}")).collect()
            }
        })
        .collect()
}

/// The leaves of a table, each with its path.
fn flat(table: &toml::Table) -> Vec<(String, Value)> {
    let mut leaves = Vec::new();
    for (name, value) in table {
        match value {
            toml::Value::Table(inner) => leaves.extend(
                flat(inner)
                    .into_iter()
                    .map(|(path, value)| (format!("{name}.{path}"), value)),
            ),
            leaf => leaves.push((name.clone(), serde_json::to_value(leaf).unwrap_or_default())),
        }
    }
    leaves
}
