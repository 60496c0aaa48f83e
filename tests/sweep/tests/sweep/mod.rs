//! What the kill sweeps share: the option sets, the sample of points, and the comparison of worlds.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

#[path = "../../src/agreed.rs"]
mod agreed;

pub use agreed::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Option sets that together reach every capability and every step.
pub const CASES: [(&str, &[&str]); 6] = [
    (
        "host1001",
        &[
            "os=bullseye",
            "task=T12345",
            "conftool",
            "httpbb",
            "mask=nginx",
        ],
    ),
    ("host1002", &["os=bookworm", "new", "no-check-icinga"]),
    ("host1005", &["os=bullseye", "no-downtime"]),
    ("host1008", &["os=bullseye", "task=T12345"]),
    (
        "host1001",
        &[
            "os=bullseye",
            "force",
            "pxe-media=rescue",
            "conftool",
            "conftool-value=no",
        ],
    ),
    ("host1001", &["os=buster", "no-pxe"]),
];

/// Which of the points are tried: about every n-th, by a seed.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    stride: usize,
    seed: u64,
}

impl Sample {
    /// As the environment has it: `SWEEP_STRIDE`, by default 6, and `SWEEP_SEED`, by default the number of the day, so that
    /// another day tries other points.
    pub fn of_today() -> Self {
        let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let day = now.map_or(0, |now| now.as_secs() / 86_400);
        let stride = number("SWEEP_STRIDE").unwrap_or(6).max(1);
        Sample {
            stride: usize::try_from(stride).unwrap(),
            seed: number("SWEEP_SEED").unwrap_or(day),
        }
    }

    /// So many times fewer, but for a sweep of all points.
    #[must_use]
    pub fn rarer(self, times: usize) -> Self {
        let stride = if self.is_all() {
            1
        } else {
            self.stride * times
        };
        Sample { stride, ..self }
    }

    /// Whether every point is one of them.
    pub fn is_all(self) -> bool {
        self.stride == 1
    }

    /// A number that follows from the seed.
    pub fn offset(self) -> usize {
        usize::try_from(self.seed % 1_000).unwrap()
    }

    /// Whether a point of an option set is one of them.
    fn has(self, number: usize, index: usize) -> bool {
        // SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
        let mut mixed = self
            .seed
            .wrapping_add((number as u64) << 32)
            .wrapping_add(index as u64)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        mixed.is_multiple_of(self.stride as u64)
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.stride {
            1 => f.write_str("every point"),
            stride => write!(f, "one of {stride} points, seed {}", self.seed),
        }
    }
}

/// The points of an option set that are tried.
pub fn every(sample: &Sample, number: usize, points: Vec<String>) -> Vec<String> {
    let numbered = points.into_iter().enumerate();
    numbered
        .filter(|(index, _)| sample.has(number, *index))
        .map(|(_, point)| point)
        .collect()
}

/// The program that dies.
pub fn program() -> &'static str {
    env!("CARGO_BIN_EXE_wreimage-sweep")
}

pub fn drive(
    folder: &Path,
    mode: &str,
    death: Option<&str>,
    host: &str,
    options: &[&str],
) -> Output {
    let mut command = Command::new(program());
    command.arg(folder).arg(mode).args(death).arg(host);
    command.args(options).output().unwrap()
}

/// A run dies there.
pub fn dies(folder: &Path, death: &str, host: &str, options: &[&str]) -> Result<(), String> {
    let dead = drive(folder, "run", Some(death), host, options);
    match dead.status.code() {
        None => Ok(()),
        Some(_) => Err(format!("it was not stopped: {dead:?}")),
    }
}

/// Time passes until every claim is stale.
pub fn passes(folder: &Path, host: &str) -> Result<(), String> {
    let passed = drive(folder, "pass", None, host, &[]);
    match passed.status.code() {
        Some(0) => Ok(()),
        _ => Err(format!("the time did not pass: {passed:?}")),
    }
}

/// What a process has printed.
pub fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The outcome, the summary and what is left: all that a report says before its steps and notes.
pub fn conclusion(said: &str) -> &str {
    let ends = ["\nstep: ", "\nnote: "].map(|begin| said.find(begin));
    let end = ends.into_iter().flatten().min();
    &said[..end.unwrap_or(said.len())]
}

/// Deaths after each of these records but the last: with that a run is over.
pub fn deaths_at_records(first: usize, last: usize) -> Vec<String> {
    (first..last)
        .map(|number| format!("after:{number}"))
        .collect()
}

/// Ends a run; what is wrong with that, if anything is.
pub fn ends_well(folder: &Path, host: &str) -> Result<(), String> {
    let ended = drive(folder, "cleanup", None, host, &[]);
    match ended.status.code() {
        Some(0 | 20 | 21 | 30) => {}
        // Nothing was recorded: nothing has happened.
        Some(NO_RECORD) => return Ok(()),
        _ => return Err(format!("ended otherwise: {ended:?}")),
    }
    leaves_nothing_unsaid(folder, host, &ended)
}

/// Whether a run that has ended names what it leaves, and is over.
pub fn leaves_nothing_unsaid(folder: &Path, host: &str, ended: &Output) -> Result<(), String> {
    let said = printed(ended);
    // What a step says of a DHCP entry or an override does not tell anyone that it is still there.
    let named = conclusion(&said);
    let text = std::fs::read_to_string(folder.join("world/world.json")).unwrap();
    let world: Value = serde_json::from_str(&text).unwrap();
    let entries = world["server"]["entries"].as_object().unwrap();
    if !entries.is_empty() && !named.contains("left: the DHCP entry") {
        return Err(format!(
            "the DHCP entry is still there, and the report does not name it: {said}"
        ));
    }
    let set = &world["machines"][host]["bmc"]["boot_override"]["device"];
    if set != "None" && !named.contains("boot override") {
        return Err(format!(
            "the boot override is {set}, and the report does not name it: {said}"
        ));
    }
    // It is over: it can neither be continued nor ended again, and both are reported.
    let again = drive(folder, "resume", None, host, &[]);
    if again.status.code() != Some(0) {
        return Err(format!("it is not over: {again:?}"));
    }
    Ok(())
}

/// The world at the end, without its diary and the numbers of calls: a resumed run looks more often.
pub fn world(folder: &Path) -> BTreeMap<String, Value> {
    let text = std::fs::read_to_string(folder.join("world/world.json")).unwrap();
    let key = format!("{RUN}/");
    let mut parts = text.split(&key);
    let mut text = parts.next().unwrap().to_owned();
    for part in parts {
        text.push_str(RUN);
        text.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    let mut world: BTreeMap<String, Value> = serde_json::from_str(&text).unwrap();
    world.remove("history");
    for (name, part) in &mut world {
        forget_repeats(name, part);
    }
    world
}

/// A write may be made twice: that is its class. What counts writes is left out, and the guest's words about
/// their answers; what they bring about is compared, and so is everything that a `once` call brings about.
fn forget_repeats(at: &str, value: &mut Value) {
    // Of a claim, what each process and each request counts on is left out as well.
    const COUNTS: [&str; 10] = [
        "publications",
        "made",
        "override_generation",
        "generation",
        "acquisition",
        "journal",
        "token",
        "tokens",
        "uptime",
        "phase",
    ];
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let words =
                    (at == "comments" && key == "text") || (at == "silences" && key == "id");
                if words || COUNTS.contains(&key.as_str()) {
                    *value = Value::Null;
                }
                forget_repeats(key, value);
            }
        }
        Value::Array(list) => {
            // An entry that was published twice expires once, and a host that was taken out of Debmonitor twice is fed to it
            // once; the other events find nothing to do.
            if at == "pending" {
                let counts = |event: &Value| {
                    ["entry-expires", "debmonitor-fed"]
                        .iter()
                        .any(|kind| event["event"].get(*kind).is_some())
                };
                list.retain(|event| !counts(event));
            }
            list.iter_mut().for_each(|value| forget_repeats(at, value));
        }
        _ => {}
    }
}

/// The world without the times of day: a run that was resumed later, or begins a pause anew, does the same at another time.
pub fn timeless(mut world: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    world.values_mut().for_each(forget_times);
    world
}

fn forget_times(value: &mut Value) {
    /// Milliseconds since 1970 of a day before that of every lab.
    const BEFORE: u64 = 1_700_000_000_000;
    match value {
        Value::Number(number) if number.as_u64().is_some_and(|it| it > BEFORE) => {
            *value = Value::Null;
        }
        Value::Object(map) => map.values_mut().for_each(forget_times),
        Value::Array(list) => list.iter_mut().for_each(forget_times),
        _ => {}
    }
}

/// What differs between two worlds, if anything does.
pub fn compare(
    undisturbed: &BTreeMap<String, Value>,
    now: &BTreeMap<String, Value>,
) -> Result<(), String> {
    let differ: Vec<String> = undisturbed
        .iter()
        .filter(|(key, value)| now.get(*key) != Some(value))
        .map(|(key, value)| first_difference(key, value, &now[key]))
        .collect();
    if differ.is_empty() {
        Ok(())
    } else {
        Err(differ.join("; "))
    }
}

fn first_difference(at: &str, one: &Value, other: &Value) -> String {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let mut keys: Vec<&String> = one.keys().chain(other.keys()).collect();
            keys.sort();
            let key = keys
                .into_iter()
                .find(|key| one.get(*key) != other.get(*key))
                .unwrap();
            let null = Value::Null;
            let (one, other) = (
                one.get(key).unwrap_or(&null),
                other.get(key).unwrap_or(&null),
            );
            first_difference(&format!("{at}.{key}"), one, other)
        }
        (one, other) => {
            let (one, other) = (one.to_string(), other.to_string());
            let same = one
                .bytes()
                .zip(other.bytes())
                .take_while(|(a, b)| a == b)
                .count();
            let from = |text: &str| {
                let text = String::from_utf8_lossy(&text.as_bytes()[same.saturating_sub(60)..]);
                text.chars().take(250).collect::<String>()
            };
            format!("{at}: …{} became …{}", from(&one), from(&other))
        }
    }
}

/// Tries each of these points, two at a time, and says which went wrong.
pub fn try_all(points: &[String], try_one: impl Fn(usize, &str) -> Result<(), String> + Sync) {
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::SeqCst);
                    let Some(death) = points.get(index) else {
                        return;
                    };
                    if let Err(why) = try_one(index, death) {
                        wrong.lock().unwrap().push(format!("{death}: {why}"));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(
        wrong.is_empty(),
        "{} of {} points:\n{}",
        wrong.len(),
        points.len(),
        wrong.join("\n")
    );
}
