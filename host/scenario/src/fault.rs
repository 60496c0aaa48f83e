//! What goes wrong in a scenario, and when.

use crate::error::suggestion;
use crate::expression::Expression;
use crate::file::{FaultFile, MeanwhileFile};
use jiff::SignedDuration;
use serde_json::Value;
use std::fmt;
use wreimage_capability::{ALL, Fault, FaultKind, Function, Returns, Server, capability, function};

/// Faults of one function.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Whose calls.
    pub function: &'static Function,
    /// Which of them.
    pub trigger: Trigger,
    /// At how many looks or tries it happens at most; at all without.
    pub times: Option<u64>,
    /// What happens to them.
    pub deed: Deed,
}

/// Which calls of a function. All looks of a wait are one call, and so is what a resumed run repeats; calls are counted
/// whoever makes them, the guest or the host.
#[derive(Debug, Clone)]
pub enum Trigger {
    /// Each.
    Each,
    /// The nth, from 1.
    Nth(u64),
    /// The nth and all later ones.
    From(u64),
    /// From the nth on, it and all calls of its capability.
    Gone(u64),
    /// All that are made so long after the run began, by its clock.
    After(SignedDuration),
    /// All at which this is so.
    When(Expression),
}

/// What happens to a call.
#[derive(Debug, Clone)]
pub enum Deed {
    /// It is answered by a fault, whether or not it has its effect.
    Fail {
        /// What the guest is told.
        fault: Fault,
        /// Whether the effect comes about all the same: the answer is lost.
        happens: bool,
    },
    /// A wait sees nothing, until its deadline.
    Never,
    /// It takes longer.
    Delay(SignedDuration),
    /// It answers this and does nothing.
    Lie(Value),
    /// It is made, and this text stands before the text of its answer.
    Noise(String),
    /// It is made, and answers this.
    Answer(Value),
    /// The host dies before the call is made, and the run is resumed.
    CrashBefore,
    /// The host dies after the call was made and before its outcome is recorded, and the run is resumed.
    CrashAfter,
    /// The operator cancels the run while the call is being made.
    Cancel,
    /// It has half of its effect, and fails.
    Half,
    /// Somebody else does something just before.
    Meanwhile(&'static Function, Value),
}

/// Longer than anything that a scenario is about.
const LONGEST: SignedDuration = SignedDuration::from_hours(366 * 24);

/// The kinds that a file can name.
const KINDS: [&str; 9] = [
    "unreachable",
    "timeout",
    "denied",
    "not-found",
    "conflict",
    "rejected",
    "unsupported",
    "in-doubt",
    "other",
];

impl Rule {
    /// Checks what a file says.
    pub(crate) fn check(file: &FaultFile) -> Result<Rule, String> {
        let function = provided(&file.call)?;
        let at = |what: String| format!("[[fault]] of {}: {what}", file.call);
        Ok(Rule {
            function,
            trigger: trigger(file).map_err(at)?,
            times: match file.times {
                Some(0) => return Err(at("times = 0: it would never happen".to_owned())),
                times => times,
            },
            deed: deed(file, function).map_err(at)?,
        })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let deed = match &self.deed {
            Deed::Fail { fault, happens } => {
                let after = if *happens { ", after its effect" } else { "" };
                format!("{}{after}", fault.kind.word())
            }
            Deed::Never => "timeout".to_owned(),
            Deed::Delay(_) => "delay".to_owned(),
            Deed::Lie(_) => "lie".to_owned(),
            Deed::Noise(_) => "noise".to_owned(),
            Deed::Answer(_) => "value".to_owned(),
            Deed::CrashBefore => "crash before".to_owned(),
            Deed::CrashAfter => "crash after".to_owned(),
            Deed::Cancel => "cancel".to_owned(),
            Deed::Half => "half".to_owned(),
            Deed::Meanwhile(function, _) => format!("meanwhile {function}"),
        };
        match &self.trigger {
            Trigger::Each => write!(f, "{} {deed}", self.function),
            Trigger::Nth(nth) => write!(f, "{}#{nth} {deed}", self.function),
            Trigger::Gone(nth) => write!(
                f,
                "{}#{nth} and all calls of {} from then on {deed}",
                self.function, self.function.capability
            ),
            Trigger::From(nth) => write!(f, "{}#{nth} and later {deed}", self.function),
            Trigger::After(span) => write!(f, "{} after {span:#} {deed}", self.function),
            Trigger::When(when) => write!(f, "{} when {when} {deed}", self.function),
        }
    }
}

/// A function by name.
pub(crate) fn known(name: &str) -> Result<&'static Function, String> {
    function(name).ok_or_else(|| {
        let names: Vec<String> = ALL
            .iter()
            .flat_map(|it| it.functions.iter().map(ToString::to_string))
            .collect();
        let capabilities = ALL.iter().map(|it| it.name);
        let near = suggestion(name, names.iter().map(String::as_str));
        let near = if near.starts_with("did") {
            near
        } else {
            format!(
                "functions are named as in `ipmi.set-power`; capabilities: {}",
                capabilities.collect::<Vec<_>>().join(", ")
            )
        };
        format!("there is no function `{name}`; {near}")
    })
}

/// A function that a provider serves.
pub(crate) fn provided(name: &str) -> Result<&'static Function, String> {
    let function = known(name)?;
    if capability(function.capability).is_some_and(|it| it.server == Server::Engine) {
        return Err(format!(
            "{name} is answered by the host itself: nothing can go wrong with it here (questions are answered by [[answer]])"
        ));
    }
    Ok(function)
}

fn trigger(file: &FaultFile) -> Result<Trigger, String> {
    let number = |nth: u64| {
        (nth > 0)
            .then_some(nth)
            .ok_or_else(|| "calls are counted from 1".to_owned())
    };
    match (file.nth, file.from, &file.after, &file.when) {
        (None, None, None, None) => Ok(Trigger::Each),
        (Some(nth), None, None, None) => Ok(Trigger::Nth(number(nth)?)),
        (None, Some(nth), None, None) => Ok(Trigger::From(number(nth)?)),
        (None, None, Some(after), None) => Ok(Trigger::After(span(after)?)),
        (None, None, None, Some(when)) => Ok(Trigger::When(Expression::parse(when)?)),
        _ => Err("only one of nth, from, after and when can be given".to_owned()),
    }
}

/// `90s`, `12min`, `2h`.
pub(crate) fn span(text: &str) -> Result<SignedDuration, String> {
    match text.parse::<SignedDuration>() {
        Ok(span) if span > LONGEST => Err(format!("`{text}` is longer than a year")),
        Ok(span) if span >= SignedDuration::ZERO => Ok(span),
        _ => Err(format!(
            "`{text}` is not a span of time such as `90s`, `12min` or `2h`"
        )),
    }
}

fn deed(file: &FaultFile, function: &'static Function) -> Result<Deed, String> {
    let mut deeds = Vec::new();
    if let Some(kind) = &file.fault {
        deeds.push(fail(file, kind, function)?);
    } else if file.code.is_some()
        || file.message.is_some()
        || file.retryable.is_some()
        || file.happens.is_some()
    {
        return Err("code, message, retryable and happens belong to a `fault`".to_owned());
    }
    if let Some(delay) = &file.delay {
        deeds.push(Deed::Delay(span(delay)?));
    }
    match &file.lie {
        None => {}
        Some(Value::Bool(false)) if function.returns == Returns::Nothing => {}
        Some(_) if !function.effect.mutates() => {
            return Err("only a call that changes something can lie; give a `value`".to_owned());
        }
        Some(Value::Bool(true)) if function.returns == Returns::Nothing => {
            deeds.push(Deed::Lie(Value::Null));
        }
        Some(Value::Bool(_)) if function.returns == Returns::Other => {
            return Err("it answers something: write the answer, as in `lie = { … }`".to_owned());
        }
        Some(answer) => deeds.push(Deed::Lie(answered(function, answer)?)),
    }
    if let Some(noise) = &file.noise {
        deeds.push(Deed::Noise(noise.clone()));
    }
    if let Some(value) = &file.value {
        deeds.push(Deed::Answer(answered(function, value)?));
    }
    match file.crash.as_deref() {
        None => {}
        Some("before") => deeds.push(Deed::CrashBefore),
        Some("after") => deeds.push(Deed::CrashAfter),
        Some(other) => return Err(format!("crash is `before` or `after`, not `{other}`")),
    }
    if file.cancel == Some(true) {
        deeds.push(Deed::Cancel);
    }
    if let Some(MeanwhileFile { call, arguments }) = &file.meanwhile {
        let arguments = match arguments {
            Value::Null => Value::Object(serde_json::Map::new()),
            given => given.clone(),
        };
        deeds.push(Deed::Meanwhile(provided(call)?, arguments));
    }
    let one = deeds.pop();
    match (one, deeds.is_empty()) {
        (Some(deed), true) => Ok(deed),
        (None, _) => Err(
            "nothing happens: give one of fault, delay, lie, noise, value, crash, cancel, meanwhile"
                .to_owned(),
        ),
        (Some(_), false) => {
            Err("only one thing can happen; write a second [[fault]] for the other".to_owned())
        }
    }
}

/// What a function answers, as the file has it. One that the guest could not read would be another fault than the file says.
fn answered(function: &'static Function, given: &Value) -> Result<Value, String> {
    let wrong = |what: String| format!("{function} cannot answer this: {what}");
    let understood = (function.understand)(given).map_err(|error| wrong(error.to_string()))?;
    match overlooked(given, &understood) {
        Some(field) => Err(wrong(format!("there is no field `{field}` in it"))),
        None => Ok(understood),
    }
}

/// A field of a value that was not understood.
fn overlooked(given: &Value, understood: &Value) -> Option<String> {
    match (given, understood) {
        (Value::Object(given), Value::Object(understood)) => {
            given
                .iter()
                .find_map(|(name, value)| match understood.get(name) {
                    Some(understood) => overlooked(value, understood),
                    None => Some(name.clone()),
                })
        }
        (Value::Array(given), Value::Array(understood)) => given
            .iter()
            .zip(understood)
            .find_map(|(given, understood)| overlooked(given, understood)),
        _ => None,
    }
}

fn fail(file: &FaultFile, word: &str, function: &'static Function) -> Result<Deed, String> {
    let kind = kind(word).ok_or_else(|| {
        format!(
            "there is no kind of fault `{word}`; {}",
            suggestion(word, KINDS)
        )
    })?;
    let happens = file.happens.unwrap_or(false);
    if happens && !function.effect.mutates() {
        return Err("`happens` is for calls that change something".to_owned());
    }
    let plain = file.code.is_none() && file.message.is_none() && file.retryable.is_none();
    if plain && kind == FaultKind::Timeout && function.effect == wreimage_capability::Effect::Wait {
        return Ok(Deed::Never);
    }
    let mut fault = made(function, kind);
    if let Some(code) = &file.code {
        fault.code.clone_from(code);
    }
    if let Some(message) = &file.message {
        fault.message.clone_from(message);
    }
    if let Some(retryable) = file.retryable {
        fault.retryable = retryable;
    }
    Ok(Deed::Fail { fault, happens })
}

fn kind(word: &str) -> Option<FaultKind> {
    Some(match word {
        "unreachable" => FaultKind::Unreachable,
        "timeout" => FaultKind::Timeout,
        "denied" => FaultKind::Denied,
        "not-found" => FaultKind::NotFound,
        "conflict" => FaultKind::Conflict,
        "rejected" => FaultKind::Rejected,
        "unsupported" => FaultKind::Unsupported,
        "in-doubt" => FaultKind::InDoubt,
        "other" => FaultKind::Other("injected".to_owned()),
        _ => return None,
    })
}

/// A fault of this kind, as a provider would tell it.
pub(crate) fn made(function: &'static Function, kind: FaultKind) -> Fault {
    let word = kind.word().to_owned();
    let retryable = matches!(kind, FaultKind::Unreachable | FaultKind::Timeout);
    let mut fault = Fault::new(
        kind,
        &format!("{}.{word}", function.capability),
        function.capability,
        format!("{function} was made to fail by the scenario: {word}"),
    );
    fault.retryable = retryable;
    fault
}
