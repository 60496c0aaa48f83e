//! What a journal pins of the effect tables: what a crash leaves in doubt depends on them.

use crate::guest::imports::Import;
use sha2::{Digest, Sha256};
use wreimage_capability::{Catalogue, Doubt, Function};
use wreimage_journal::RecordedEffects;

/// A function of which a journal records another effect than it has here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedEffect {
    /// Its full name; `None` in a journal that pins all tables by one digest.
    pub function: Option<String>,
    /// Its effect in the journal.
    pub recorded: String,
    /// Its effect here; `None` when it does not exist any more.
    pub present: Option<String>,
}

/// The row of a function in its effect table, in a few words.
fn row(function: &Function) -> String {
    let mut row = function.effect.to_string();
    if let Some(inverse) = &function.inverse {
        row.push_str(", undone by ");
        row.push_str(inverse.function);
    }
    if function.doubt == Doubt::Told {
        row.push_str(", doubt is reported");
    }
    row
}

/// The functions that the components of a guest import, with their effects. No others are pinned: a run that is paused survives
/// an upgrade of the host that adds functions.
pub(crate) fn pinned<'a>(imports: impl Iterator<Item = &'a Import>) -> RecordedEffects {
    let functions = imports.flat_map(|import| &import.functions);
    RecordedEffects::Functions(
        functions
            .map(|function| (function.to_string(), row(function)))
            .collect(),
    )
}

/// Whether the functions that a journal pins have the same effects here.
///
/// # Errors
/// The first one that has not.
pub(crate) fn compare(
    catalogue: Catalogue,
    recorded: &RecordedEffects,
) -> Result<(), ChangedEffect> {
    match recorded {
        RecordedEffects::Functions(functions) => {
            for (name, recorded) in functions {
                let present = catalogue.function(name).map(row);
                if present.as_ref() != Some(recorded) {
                    return Err(ChangedEffect {
                        function: Some(name.clone()),
                        recorded: recorded.clone(),
                        present,
                    });
                }
            }
            Ok(())
        }
        RecordedEffects::Digest(recorded) => {
            let present = digest(catalogue);
            (present == *recorded)
                .then_some(())
                .ok_or_else(|| ChangedEffect {
                    function: None,
                    recorded: recorded.clone(),
                    present: Some(present),
                })
        }
    }
}

/// SHA-256 of all effect tables, by which earlier versions pinned them.
fn digest(catalogue: Catalogue) -> String {
    let mut hash = Sha256::new();
    for function in catalogue.iter().flat_map(|it| it.functions) {
        let inverse = function.inverse.as_ref().map(|it| it.function);
        hash.update(format!(
            "{function} {:?} {inverse:?} {:?}\n",
            function.effect, function.doubt
        ));
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use wreimage_capability::{Caller, Capability};

    fn import(capability: &'static Capability) -> Import {
        Import {
            caller: Caller::Guest,
            capability,
            interface: capability.interface.to_owned(),
            linked: capability.interface.to_owned(),
            functions: capability.functions.to_vec(),
        }
    }

    fn clock() -> &'static Capability {
        wreimage_capability::ALL.capability("clock").unwrap()
    }

    #[test]
    fn a_run_survives_an_upgrade_that_adds_a_function_and_no_other() {
        let recorded = pinned([import(clock())].iter());
        assert_eq!(compare(Catalogue::default(), &recorded), Ok(()));
        // An earlier version had one function less.
        let RecordedEffects::Functions(mut fewer) = recorded.clone() else {
            unreachable!()
        };
        assert!(fewer.remove("clock.now").is_some());
        let fewer = RecordedEffects::Functions(fewer);
        assert_eq!(compare(Catalogue::default(), &fewer), Ok(()));
        // One with another effect, and one that is gone.
        let RecordedEffects::Functions(mut other) = recorded else {
            unreachable!()
        };
        other.insert("clock.now".to_owned(), "once".to_owned());
        let changed = compare(Catalogue::default(), &RecordedEffects::Functions(other));
        assert_eq!(
            changed.unwrap_err(),
            ChangedEffect {
                function: Some("clock.now".to_owned()),
                recorded: "once".to_owned(),
                present: Some("read".to_owned()),
            }
        );
        let gone = [("clock.stop".to_owned(), "write".to_owned())];
        let gone = RecordedEffects::Functions(gone.into());
        assert_eq!(
            compare(Catalogue::default(), &gone).unwrap_err().present,
            None
        );
    }

    #[test]
    fn the_digest_of_an_earlier_version_is_compared_with_all_tables() {
        let same = RecordedEffects::Digest(digest(Catalogue::default()));
        assert_eq!(compare(Catalogue::default(), &same), Ok(()));
        let other = RecordedEffects::Digest("e1".to_owned());
        assert!(compare(Catalogue::default(), &other).is_err());
    }
}
