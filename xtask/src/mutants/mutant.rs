//! A mutant: a patch with a bug, and what must notice it.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// Name of a patch of the host begins with it; the others are of the guest.
const OF_THE_HOST: &str = "host-";

/// Stands before the kind of which any case may break an invariant.
pub const OF_KIND: &str = "kind ";

/// A bug of the past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutant {
    /// Name of the patch, without extension.
    pub name: String,
    /// The patch.
    pub patch: PathBuf,
    /// Names of the scenarios that must fail.
    pub scenarios: Vec<String>,
    /// Invariants that must be broken.
    pub broken: Vec<Broken>,
}

/// An invariant that must be broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Its name.
    pub invariant: String,
    /// What breaks it.
    pub by: By,
}

/// What breaks an invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// A scenario by name.
    Scenario(String),
    /// A case such as `ipmi.set-power#1 lie`, or any case of a kind as in `kind power`, of the sweep of a scenario in
    /// `tests/sweeps`, or of the one that the invariants name.
    Case {
        /// The scenario.
        scenario: Option<String>,
        /// The case.
        case: String,
    },
}

impl Mutant {
    /// Reads the lines at the top of a patch: `# must fail: SCENARIO…` and any number of
    /// `# must break: INVARIANT by CASE`, `by SCENARIO: CASE` or `by SCENARIO`.
    ///
    /// # Errors
    /// When they name nothing.
    pub fn read(patch: &Path, text: &str) -> Result<Self> {
        let name = patch.file_stem().context("a patch without a name")?;
        let top = || text.lines().take_while(|line| line.starts_with('#'));
        let mut scenarios = Vec::new();
        for names in top().filter_map(|line| line.strip_prefix("# must fail:")) {
            scenarios.extend(names.split_whitespace().map(str::to_owned));
        }
        let broken = top()
            .filter_map(|line| line.strip_prefix("# must break:"))
            .map(Broken::read)
            .collect::<Result<Vec<_>>>()?;
        if scenarios.is_empty() && broken.is_empty() {
            bail!(
                "neither `# must fail: SCENARIO…` nor `# must break: INVARIANT by CASE` at its top"
            );
        }
        Ok(Mutant {
            name: name.to_string_lossy().into_owned(),
            patch: patch.to_owned(),
            scenarios,
            broken,
        })
    }

    /// Whether it is a patch of the host.
    pub fn is_of_the_host(&self) -> bool {
        self.name.starts_with(OF_THE_HOST)
    }
}

impl Broken {
    fn read(text: &str) -> Result<Self> {
        let (invariant, by) = text
            .rsplit_once(" by ")
            .with_context(|| format!("no `INVARIANT by CASE`: {text}"))?;
        let by = by.trim();
        let by = match by.split_once(": ") {
            Some((scenario, case)) => By::Case {
                scenario: Some(scenario.to_owned()),
                case: case.to_owned(),
            },
            None if by.contains('#') || by.starts_with(OF_KIND) => By::Case {
                scenario: None,
                case: by.to_owned(),
            },
            None => By::Scenario(by.to_owned()),
        };
        Ok(Broken {
            invariant: invariant.trim().to_owned(),
            by,
        })
    }
}

/// The mutants in a folder, by name.
///
/// # Errors
/// When one does not say what must notice it.
pub fn all(folder: &Path) -> Result<Vec<Mutant>> {
    let mut mutants = Vec::new();
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "patch") {
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            mutants.push(Mutant::read(&path, &text).with_context(|| path.display().to_string())?);
        }
    }
    mutants.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(mutants)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutant_says_what_must_notice_it() {
        let text = "# The bug.\n# must fail: F01-a F02-b\n# must break: gone by us by ipmi.set-power#1 lie\n\
                    # must break: gone by all: dhcp.publish#1 gone\n# must break: gone by F01-a\n\
                    # must break: gone by kind power\ndiff --git a/x b/x\n";
        let mutant = Mutant::read(Path::new("mutants/F01-bug.patch"), text).unwrap();
        assert_eq!(mutant.name, "F01-bug");
        assert!(!mutant.is_of_the_host());
        assert_eq!(mutant.scenarios, ["F01-a", "F02-b"]);
        let broken = |invariant: &str, by| Broken {
            invariant: invariant.to_owned(),
            by,
        };
        let case = |scenario: Option<&str>, case: &str| By::Case {
            scenario: scenario.map(str::to_owned),
            case: case.to_owned(),
        };
        assert_eq!(
            mutant.broken,
            [
                broken("gone by us", case(None, "ipmi.set-power#1 lie")),
                broken("gone", case(Some("all"), "dhcp.publish#1 gone")),
                broken("gone", By::Scenario("F01-a".to_owned())),
                broken("gone", case(None, "kind power")),
            ]
        );
        for wrong in [
            "",
            "# The bug.\n",
            "# must fail:\n",
            "# must break: gone\n",
            "diff\n# must fail: F01\n",
        ] {
            assert!(
                Mutant::read(Path::new("a.patch"), wrong).is_err(),
                "{wrong:?}"
            );
        }
    }
}
