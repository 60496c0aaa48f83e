//! Whether the values of a call are within the bounds of the site.

use crate::gate::run_gate::RunGate;
use crate::guest::limits::{Exceeded, Limits};
use serde_json::Value;
use wreimage_capability::Function;

impl RunGate {
    /// What stands before every call of a guest: other runs, timers and signals get their turn, and the call must be within
    /// the bounds of the site. A recorded call was within them when it was made.
    pub(crate) async fn admit(
        &self,
        function: &'static Function,
        arguments: &Value,
    ) -> Result<(), Exceeded> {
        tokio::task::yield_now().await;
        if self.is_replaying() {
            return Ok(());
        }
        let limits = *self.recorder.limits();
        check_call(&limits, function, arguments)?;
        self.recorder
            .check_room(&if self.state().mode().is_closing() {
                limits.for_closing_words()
            } else {
                limits
            })
    }
}

/// Checks every text and list of a call's arguments.
pub(crate) fn check_call(
    limits: &Limits,
    function: &Function,
    arguments: &Value,
) -> Result<(), Exceeded> {
    for (name, value) in arguments.as_object().into_iter().flatten() {
        check(limits, value, &|| {
            format!("the argument `{name}` of {function}")
        })?;
    }
    Ok(())
}

/// Checks every text and list of a value. `what` names it.
pub(crate) fn check(
    limits: &Limits,
    value: &Value,
    what: &dyn Fn() -> String,
) -> Result<(), Exceeded> {
    match value {
        Value::String(text) if text.len() > limits.text => Err(Exceeded::Text {
            what: what(),
            length: text.len(),
            limit: limits.text,
        }),
        Value::Array(list) if list.len() > limits.list => Err(Exceeded::List {
            what: what(),
            length: list.len(),
            limit: limits.list,
        }),
        Value::Array(list) => list.iter().try_for_each(|one| check(limits, one, what)),
        Value::Object(fields) => fields
            .iter()
            .try_for_each(|(_, one)| check(limits, one, what)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;
    use wreimage_capability::run::functions::note;

    #[test]
    fn texts_and_lists_are_measured_wherever_they_are() {
        let limits = Limits {
            text: 3,
            list: 2,
            ..Limits::default()
        };
        let told = |value: Value| match check_call(&limits, &note, &json!({ "text": value })) {
            Ok(()) => String::new(),
            Err(exceeded) => exceeded.to_string(),
        };
        for fits in [
            json!("abc"),
            json!(["abc", "d"]),
            json!({ "a": ["b", 1_000_000] }),
            json!(null),
        ] {
            assert_eq!(told(fits), "");
        }
        for (long, key) in [
            (json!("abcd"), "limits.text"),
            (json!({ "a": [["abcd"]] }), "limits.text"),
            (json!([1, 2, 3]), "limits.list"),
            (json!([[1], [1, 2, 3]]), "limits.list"),
        ] {
            let told = told(long);
            assert!(told.contains(key), "{told}");
            assert!(told.contains("the argument `text` of run.note"), "{told}");
        }
    }
}
