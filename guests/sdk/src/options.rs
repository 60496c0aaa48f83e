//! The guest's own options, as given or by default.

use crate::{Fault, FaultKind, OptionValue, Request};
use std::collections::BTreeMap;

/// Code of the fault by which a guest refuses an option that is missing. As for every code that begins with `guest.option-`, the
/// host then ends as it does for wrong options of its own, with exit code 64, when nothing was touched.
pub const OPTION_MISSING: &str = "guest.option-missing";

/// Code of the fault by which a guest refuses the value of an option, or options that contradict each other.
pub const OPTION_WRONG: &str = "guest.option-wrong";

/// The options of a request, by name without the dashes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options(BTreeMap<String, String>);

impl From<&Request> for Options {
    fn from(request: &Request) -> Self {
        request.options.iter().cloned().collect()
    }
}

impl FromIterator<OptionValue> for Options {
    fn from_iter<I: IntoIterator<Item = OptionValue>>(options: I) -> Self {
        Options(options.into_iter().map(|o| (o.name, o.value)).collect())
    }
}

impl Options {
    /// Whether a toggle was given.
    pub fn toggle(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }

    /// The text of an option that has one.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The text of an option without which there is nothing to do.
    ///
    /// # Errors
    /// `rejected` (code `guest.option-missing`).
    pub fn required(&self, name: &str) -> Result<&str, Fault> {
        match self.text(name) {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(wrong(OPTION_MISSING, format!("--{name} is missing"))),
        }
    }

    /// The number of an option that has one.
    ///
    /// # Errors
    /// `rejected` (code `guest.option-wrong`) when it is no decimal integer.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, Fault> {
        self.text(name)
            .map(|text| {
                text.parse().map_err(|_| {
                    wrong(
                        OPTION_WRONG,
                        format!("--{name} wants a decimal integer, not `{text}`"),
                    )
                })
            })
            .transpose()
    }

    /// The words of a list; none when it was not given.
    pub fn words(&self, name: &str) -> Vec<&str> {
        self.text(name)
            .into_iter()
            .flat_map(|text| text.split(','))
            .filter(|word| !word.is_empty())
            .collect()
    }
}

fn wrong(code: &str, message: String) -> Fault {
    Fault::new(FaultKind::Rejected, code, "options", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(given: &[(&str, &str)]) -> Options {
        given
            .iter()
            .map(|(name, value)| OptionValue {
                name: (*name).to_owned(),
                value: (*value).to_owned(),
            })
            .collect()
    }

    #[test]
    fn each_kind_is_read_as_what_it_is() {
        let given = options(&[("force", "true"), ("mask", "a,,b"), ("n", "-3"), ("os", "")]);
        assert!(given.toggle("force"));
        assert!(!given.toggle("no-pxe"));
        assert_eq!(given.words("mask"), ["a", "b"]);
        assert_eq!(given.integer("n").unwrap(), Some(-3));
        assert_eq!(given.integer("absent").unwrap(), None);
        assert_eq!(
            given.required("os").unwrap_err().code,
            "guest.option-missing"
        );
        assert_eq!(
            given.integer("force").unwrap_err().code,
            "guest.option-wrong"
        );
    }
}
