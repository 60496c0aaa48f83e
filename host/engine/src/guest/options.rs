//! Values for the options that a guest declares.

use std::collections::BTreeMap;
use wreimage_capability::guest::{Description, OptionKind, OptionSpec};

/// Values by option name, checked against the guest's description.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OptionValues {
    values: BTreeMap<String, String>,
}

/// An option that cannot be used as given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// The guest has no such option.
    #[error("the guest `{guest}` has no option `--{name}`")]
    Unknown {
        /// The guest.
        guest: String,
        /// The option.
        name: String,
    },
    /// It must be given.
    #[error("the guest `{guest}` needs the option `--{name}`: {help}")]
    Missing {
        /// The guest.
        guest: String,
        /// The option.
        name: String,
        /// What it is for.
        help: String,
    },
    /// The value does not fit.
    #[error("`{value}` does not fit the option `--{name}`: {why}")]
    Value {
        /// The option.
        name: String,
        /// What was given.
        value: String,
        /// What is wrong with it.
        why: String,
    },
    /// The option needs a capability that the site does not have.
    #[error("the option `--{name}` needs `{capability}`, which this site marks as absent")]
    Absent {
        /// The option.
        name: String,
        /// The capability.
        capability: String,
    },
}

/// The value of the option that the guest marks with this `role`.
fn with_role<'a>(
    role: &str,
    description: &Description,
    options: &'a [(String, String)],
) -> Option<&'a str> {
    let marked = |spec: &&OptionSpec| {
        let mut extra = spec.extra.iter();
        extra.any(|(name, value)| name == "role" && value == role)
    };
    let spec = description.options.iter().find(marked)?;
    let (_, value) = options.iter().find(|(name, _)| *name == spec.name)?;
    Some(value)
}

/// The release that is to be installed: the value of the option that the guest marks with the `role` `target-release`.
pub(crate) fn target_release(
    description: &Description,
    options: &[(String, String)],
) -> Option<String> {
    with_role("target-release", description, options).map(str::to_owned)
}

/// Whether the guest will take the host out of its services, by the toggle that it marks with the `role` `depools`. What it is
/// told to be a new host, by the toggle with the `role` `new-host`, is in no service and not depooled.
pub(crate) fn depools(description: &Description, options: &[(String, String)]) -> bool {
    with_role("depools", description, options) == Some("true")
        && with_role("new-host", description, options) != Some("true")
}

/// Whether the guest may continue with the system that is there: unless it marks a toggle with the `role` `keeps-system`, and
/// that is not set.
pub(crate) fn keeps_system(description: &Description, options: &[(String, String)]) -> bool {
    with_role("keeps-system", description, options) != Some("false")
}

impl OptionValues {
    /// As they stand in a journal: they were checked when the run was started.
    pub fn recorded(pairs: Vec<(String, String)>) -> Self {
        OptionValues {
            values: pairs.into_iter().collect(),
        }
    }

    /// Checks given values against what the guest declares, and adds defaults.
    ///
    /// # Errors
    /// The first option that cannot be used.
    pub fn check<'a>(
        description: &Description,
        given: impl IntoIterator<Item = (&'a str, String)>,
        absent: &crate::Absent,
    ) -> Result<Self, OptionError> {
        let mut values = BTreeMap::new();
        for (name, value) in given {
            let spec = description
                .options
                .iter()
                .find(|spec| spec.name == name)
                .ok_or_else(|| OptionError::Unknown {
                    guest: description.name.clone(),
                    name: name.to_owned(),
                })?;
            fits(spec, &value)?;
            if let Some(capability) = spec.needs.iter().find(|need| absent.contains(*need)) {
                return Err(OptionError::Absent {
                    name: name.to_owned(),
                    capability: capability.clone(),
                });
            }
            values.insert(name.to_owned(), value);
        }
        for spec in &description.options {
            if values.contains_key(&spec.name) {
                continue;
            }
            if let Some(default) = &spec.default {
                values.insert(spec.name.clone(), default.clone());
            } else if spec.required {
                return Err(OptionError::Missing {
                    guest: description.name.clone(),
                    name: spec.name.clone(),
                    help: spec.help.clone(),
                });
            } else if spec.kind == OptionKind::Toggle {
                values.insert(spec.name.clone(), "false".to_owned());
            }
        }
        Ok(OptionValues { values })
    }

    /// Names and values, sorted by name.
    pub fn pairs(&self) -> Vec<(String, String)> {
        self.values
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
}

fn fits(spec: &OptionSpec, value: &str) -> Result<(), OptionError> {
    let wrong = |why: String| {
        Err(OptionError::Value {
            name: spec.name.clone(),
            value: value.to_owned(),
            why,
        })
    };
    match &spec.kind {
        OptionKind::Toggle if value != "true" && value != "false" => {
            wrong("it is `true` or `false`".to_owned())
        }
        OptionKind::Choice(words) if !words.iter().any(|word| word == value) => {
            wrong(format!("it is one of {}", words.join(", ")))
        }
        OptionKind::Integer if value.parse::<i64>().is_err() => {
            wrong("it is a whole number".to_owned())
        }
        OptionKind::Text | OptionKind::Words | OptionKind::Choice(_) if value.is_empty() => {
            wrong("it is empty".to_owned())
        }
        _ if value.chars().any(char::is_control) => {
            wrong("it contains a control character".to_owned())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeSet;

    fn spec(name: &str, kind: OptionKind, required: bool, default: Option<&str>) -> OptionSpec {
        OptionSpec {
            name: name.to_owned(),
            short: None,
            help: "help".to_owned(),
            value_name: None,
            kind,
            default: default.map(str::to_owned),
            required,
            needs: vec![],
            extra: vec![],
        }
    }

    fn guest() -> Description {
        let mut task = spec("task", OptionKind::Text, false, None);
        task.needs.push("ticket".to_owned());
        Description {
            name: "g".to_owned(),
            version: "1".to_owned(),
            summary: String::new(),
            mutates: true,
            options: vec![
                spec("os", OptionKind::Text, true, None),
                spec(
                    "media",
                    OptionKind::Choice(vec!["a".into(), "b".into()]),
                    false,
                    Some("a"),
                ),
                spec("force", OptionKind::Toggle, false, None),
                task,
            ],
            extra: vec![],
        }
    }

    fn check(given: &[(&str, &str)], absent: &[&str]) -> Result<OptionValues, OptionError> {
        let absent: BTreeSet<String> = absent.iter().map(|s| (*s).to_owned()).collect();
        let given = given
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        OptionValues::check(&guest(), given, &absent)
    }

    #[test]
    fn defaults_are_added() {
        let pairs = check(&[("os", "bullseye")], &[]).unwrap().pairs();
        let want = [("force", "false"), ("media", "a"), ("os", "bullseye")];
        let want = want.map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert_eq!(pairs, want);
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        let message =
            |given: &[(&str, &str)], absent: &[&str]| check(given, absent).unwrap_err().to_string();
        assert!(message(&[], &[]).contains("needs the option `--os`"));
        assert!(message(&[("os", "x"), ("oss", "y")], &[]).contains("no option `--oss`"));
        assert!(message(&[("os", "x"), ("media", "c")], &[]).contains("one of a, b"));
        assert!(message(&[("os", "x\ny")], &[]).contains("control character"));
        assert!(message(&[("os", "")], &[]).contains("empty"));
        assert!(message(&[("os", "x"), ("task", "T1")], &["ticket"]).contains("marks as absent"));
    }
}
