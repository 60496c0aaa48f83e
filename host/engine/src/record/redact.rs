//! Takes secrets out of what providers say, before a guest, a record or a person sees it.

use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;
use wreimage_capability::{Answer, BoxFuture, Call, Dispatch, Fault, Function, Polled, Reconciled};

/// Gives a text without the secrets that it holds; `None` when it holds none.
pub type Redactor = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What a run does with its redactor; without one, nothing.
#[derive(Clone, Default)]
pub(crate) struct Redaction(pub(crate) Option<Redactor>);

impl Redaction {
    pub(crate) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.0.as_ref().and_then(|redact| redact(text)) {
            Some(clean) => Cow::Owned(clean),
            None => Cow::Borrowed(text),
        }
    }

    pub(crate) fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let text = match &self.0 {
            Some(_) => String::from_utf8_lossy(bytes),
            None => return Cow::Borrowed(bytes),
        };
        match self.0.as_ref().and_then(|redact| redact(&text)) {
            Some(clean) => Cow::Owned(clean.into_bytes()),
            None => Cow::Borrowed(bytes),
        }
    }

    fn mend(&self, text: &mut String) {
        if let Cow::Owned(clean) = self.text(text) {
            *text = clean;
        }
    }

    fn value(&self, value: Value) -> Value {
        match value {
            Value::String(mut text) => {
                self.mend(&mut text);
                Value::String(text)
            }
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(entries) => entries
                .into_iter()
                .map(|(key, value)| (self.text(&key).into_owned(), self.value(value)))
                .collect(),
            plain => plain,
        }
    }

    fn fault(&self, mut fault: Fault) -> Fault {
        self.mend(&mut fault.code);
        self.mend(&mut fault.system);
        self.mend(&mut fault.message);
        for (name, value) in &mut fault.extra {
            self.mend(name);
            self.mend(value);
        }
        fault
    }
}

/// A provider whose words are redacted.
pub(crate) struct Redacted {
    pub(crate) provider: Arc<dyn Dispatch>,
    pub(crate) redaction: Redaction,
}

impl Dispatch for Redacted {
    fn perform<'a>(
        &'a self,
        call: &'a Call,
        function: &'static Function,
        arguments: &'a Value,
    ) -> BoxFuture<'a, Result<Answer, Fault>> {
        Box::pin(async move {
            let answer = self.provider.perform(call, function, arguments).await;
            answer
                .map(|answer| match answer {
                    Polled::Ready(value) => Polled::Ready(self.redaction.value(value)),
                    Polled::Pending { why, again } => Polled::Pending {
                        why: self.redaction.text(&why).into_owned(),
                        again,
                    },
                })
                .map_err(|fault| self.redaction.fault(fault))
        })
    }

    fn witness<'a>(
        &'a self,
        call: &'a Call,
        function: &'static Function,
        arguments: &'a Value,
    ) -> BoxFuture<'a, Result<Value, Fault>> {
        Box::pin(async move {
            let witness = self.provider.witness(call, function, arguments).await;
            witness
                .map(|witness| self.redaction.value(witness))
                .map_err(|fault| self.redaction.fault(fault))
        })
    }

    fn reconcile<'a>(
        &'a self,
        call: &'a Call,
        function: &'static Function,
        arguments: &'a Value,
        witness: &'a Value,
    ) -> BoxFuture<'a, Result<Reconciled, Fault>> {
        Box::pin(async move {
            let verdict = self
                .provider
                .reconcile(call, function, arguments, witness)
                .await;
            verdict
                .map(|verdict| match verdict {
                    Reconciled::Happened(outcome) => {
                        Reconciled::Happened(self.redaction.value(outcome))
                    }
                    Reconciled::DidNot => Reconciled::DidNot,
                    Reconciled::Unknown(seen) => {
                        Reconciled::Unknown(self.redaction.text(&seen).into_owned())
                    }
                })
                .map_err(|fault| self.redaction.fault(fault))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_taken_out_wherever_they_stand() {
        let redaction = Redaction(Some(Arc::new(|text| {
            text.contains("hunter2")
                .then(|| text.replace("hunter2", "[redacted]"))
        })));
        assert_eq!(
            redaction.value(json!({ "hunter2": ["x hunter2", 1, null] })),
            json!({ "[redacted]": ["x [redacted]", 1, null] })
        );
        let fault = redaction.fault(Fault::denied("c", "BMC hunter2", "no: hunter2"));
        assert!(!format!("{fault:?}").contains("hunter2"));
        assert_eq!(
            &*redaction.bytes(b"\xffhunter2"),
            "\u{fffd}[redacted]".as_bytes()
        );
        assert_eq!(&*redaction.bytes(b"\xff"), b"\xff");
        assert_eq!(&*Redaction::default().bytes(b"hunter2"), b"hunter2");
    }
}
