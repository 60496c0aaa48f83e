//! Guests with the bugs of the past: each must make the scenarios fail that were written against its bug.
//!
//! A mutant is a patch in `tests/scenarios/mutants`. Its first lines say what the bug is and which scenarios must fail.

use crate::built::Built;
use crate::toolchain;
use crate::{component, guests, inner, repository};
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use wreimage_kit::{TARGET, Toolchain};

/// Patches of the host are for a build of their own.
const OF_THE_HOST: &str = "host-";

/// Exit code of `wreimage test` when scenarios did not pass. Others say that nothing was shown.
const DID_NOT_PASS: i32 = 1;

/// Builds each mutant of the guest, or those whose names hold one of these texts, and plays its scenarios.
///
/// # Errors
/// Names each mutant that does not apply, does not compile, or that a scenario does not notice.
pub fn run(wanted: &[String]) -> Result<()> {
    let mutants = choose(all()?, wanted)?;
    let toolchain = toolchain::get()?;
    let built = Built::programs()?;
    let wreimage = built.program("wreimage")?;
    let workshop = Workshop::set_up(&toolchain)?;
    workshop.all_pass(&mutants, wreimage)?;
    let began = Instant::now();
    let mut bad = Vec::new();
    for mutant in &mutants {
        let names = mutant.scenarios.join(" ");
        match workshop.try_out(mutant, wreimage) {
            Ok(()) => println!("bites  {}  {names}", mutant.name),
            Err(error) => {
                println!("FAILS  {}  {error:#}", mutant.name);
                bad.push(mutant.name.as_str());
            }
        }
    }
    println!(
        "{} mutants: {} bite; {:.0} s",
        mutants.len(),
        mutants.len() - bad.len(),
        began.elapsed().as_secs_f64()
    );
    if !bad.is_empty() {
        bail!("mutants that do not bite: {}", bad.join(", "));
    }
    Ok(())
}

/// A bug of the past.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mutant {
    /// Name of the patch, without extension.
    name: String,
    patch: PathBuf,
    /// Names of the scenarios that must fail.
    scenarios: Vec<String>,
}

impl Mutant {
    fn read(patch: &Path, text: &str) -> Result<Self> {
        let name = patch.file_stem().context("a patch without a name")?;
        let fails = text
            .lines()
            .take_while(|line| line.starts_with('#'))
            .find_map(|line| line.strip_prefix("# must fail:"))
            .context("no line `# must fail: SCENARIO…`")?;
        let scenarios: Vec<String> = fails.split_whitespace().map(str::to_owned).collect();
        if scenarios.is_empty() {
            bail!("`# must fail:` names no scenario");
        }
        Ok(Mutant {
            name: name.to_string_lossy().into_owned(),
            patch: patch.to_owned(),
            scenarios,
        })
    }
}

fn scenarios() -> PathBuf {
    repository::root().join("tests").join("scenarios")
}

/// All mutants of the guest, by name.
fn all() -> Result<Vec<Mutant>> {
    let folder = scenarios().join("mutants");
    let mut mutants = Vec::new();
    let entries =
        fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let is_patch = path.extension().is_some_and(|it| it == "patch");
        let of_the_host = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(OF_THE_HOST));
        if is_patch && !of_the_host {
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            mutants.push(Mutant::read(&path, &text).with_context(|| path.display().to_string())?);
        }
    }
    mutants.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(mutants)
}

/// Those whose names hold one of the texts; all without any.
fn choose(mut mutants: Vec<Mutant>, wanted: &[String]) -> Result<Vec<Mutant>> {
    if let Some(text) = wanted
        .iter()
        .find(|text| !mutants.iter().any(|it| it.name.contains(*text)))
    {
        bail!("no mutant of the guest is named like `{text}`");
    }
    mutants.retain(|it| wanted.is_empty() || wanted.iter().any(|text| it.name.contains(text)));
    if mutants.is_empty() {
        bail!("there are no mutants");
    }
    Ok(mutants)
}

/// A copy of the guests' sources, to which one patch at a time is applied, and its own target directory.
struct Workshop<'a> {
    toolchain: &'a Toolchain,
    source: PathBuf,
    build: PathBuf,
    made: PathBuf,
}

impl<'a> Workshop<'a> {
    fn set_up(toolchain: &'a Toolchain) -> Result<Self> {
        let folder = repository::root().join("target").join("mutants");
        let workshop = Workshop {
            toolchain,
            source: folder.join("src"),
            build: folder.join("build"),
            made: folder.join("made"),
        };
        if workshop.made.exists() {
            fs::remove_dir_all(&workshop.made).context("the mutants of last time")?;
        }
        fs::create_dir_all(&workshop.made)?;
        fs::create_dir_all(&workshop.source)?;
        for part in ["guests", "wit"] {
            copy(&repository::root().join(part), &workshop.source.join(part))
                .with_context(|| format!("a copy of {part}"))?;
        }
        println!("xtask: compiling the guest without a mutation");
        workshop.compile()?;
        Ok(workshop)
    }

    /// A scenario that fails without any mutation would notice each.
    fn all_pass(&self, mutants: &[Mutant], wreimage: &Path) -> Result<()> {
        let guest = self.component("without-mutation")?;
        let names: BTreeSet<&String> = mutants.iter().flat_map(|it| &it.scenarios).collect();
        for name in names {
            if play(wreimage, &guest, name)? {
                bail!("{name} fails without any mutation: it shows nothing");
            }
        }
        Ok(())
    }

    /// Makes a component of what was compiled last.
    fn component(&self, name: &str) -> Result<PathBuf> {
        let wrapped = |package: &str, file: &str| {
            let module = self.build.join(TARGET).join("release").join(file);
            let module =
                fs::read(&module).with_context(|| format!("cannot read {}", module.display()))?;
            component::wrap(&module, package, "mutant")
        };
        let open = wrapped("reimage", "reimage.wasm")?;
        let defaults = wrapped("default-hooks", "default_hooks.wasm")?;
        let guest = self.made.join(format!("{name}.wasm"));
        fs::write(&guest, wreimage_composition::complete(&open, &defaults)?)?;
        Ok(guest)
    }

    /// Applies the patch, builds, takes the patch out again, and plays each scenario.
    fn try_out(&self, mutant: &Mutant, wreimage: &Path) -> Result<()> {
        self.patch(&mutant.patch, &["--check"])
            .context("the patch does not apply")?;
        self.patch(&mutant.patch, &[])?;
        let compiled = self.compile();
        self.patch(&mutant.patch, &["--reverse"])?;
        compiled?;
        let guest = self.component(&mutant.name)?;
        let unnoticed: Vec<&str> = mutant
            .scenarios
            .iter()
            .map(|name| Ok((name, play(wreimage, &guest, name)?)))
            .filter_map(|played: Result<(&String, bool)>| match played {
                Ok((name, failed)) => (!failed).then(|| Ok(name.as_str())),
                Err(error) => Some(Err(error)),
            })
            .collect::<Result<_>>()?;
        if !unnoticed.is_empty() {
            bail!("these pass with it: {}", unnoticed.join(", "));
        }
        Ok(())
    }

    /// git works on a copy that is no repository, whatever stands above it.
    fn patch(&self, patch: &Path, arguments: &[&str]) -> Result<()> {
        let above = self.source.parent().unwrap_or(&self.source);
        inner::output(
            Command::new("git")
                .args(["apply", "--whitespace=nowarn"])
                .args(arguments)
                .arg(patch)
                .current_dir(&self.source)
                .env("GIT_CEILING_DIRECTORIES", above),
        )
        .map(|_| ())
    }

    fn compile(&self) -> Result<()> {
        let output = guests::cargo(self.toolchain)
            .arg("build")
            .args(self.toolchain.build_arguments())
            .args(["--package=reimage", "--package=default-hooks", "--quiet"])
            .current_dir(self.source.join("guests"))
            .env("CARGO_TARGET_DIR", &self.build)
            // Speed of compiling is all that counts here.
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env("CARGO_INCREMENTAL", "1")
            .stdin(Stdio::null())
            .output()?;
        if !output.status.success() {
            bail!(
                "it does not compile: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(())
    }
}

/// Plays a scenario; whether it failed.
fn play(wreimage: &Path, guest: &Path, name: &str) -> Result<bool> {
    let scenario = scenarios().join(format!("{name}.toml"));
    let output = Command::new(wreimage)
        .arg("test")
        .args([guest, &scenario])
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", wreimage.display()))?;
    match output.status.code() {
        Some(0) => Ok(false),
        Some(DID_NOT_PASS) => Ok(true),
        _ => bail!(
            "{name} could not be played: {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        ),
    }
}

/// Copies a folder; files that are the same already keep their times, so that only what differs is compiled again.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    let mut there = Vec::new();
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        there.push(entry.file_name());
        if from.is_dir() {
            copy(&from, &to)?;
        } else {
            let contents = fs::read(&from)?;
            if fs::read(&to).ok().as_ref() != Some(&contents) {
                fs::write(&to, contents)?;
            }
        }
    }
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        if !there.contains(&entry.file_name()) {
            let path = entry.path();
            if path.is_dir() {
                fs::remove_dir_all(path)?;
            } else {
                fs::remove_file(path)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutant_says_which_scenarios_must_fail() {
        let text = "# The bug.\n# must fail: F01-a F02-b\ndiff --git a/x b/x\n";
        let mutant = Mutant::read(Path::new("mutants/F01-bug.patch"), text).unwrap();
        assert_eq!(mutant.name, "F01-bug");
        assert_eq!(mutant.scenarios, ["F01-a", "F02-b"]);
        for wrong in [
            "",
            "# The bug.\n",
            "# must fail:\n",
            "diff\n# must fail: F01\n",
        ] {
            assert!(
                Mutant::read(Path::new("a.patch"), wrong).is_err(),
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn every_mutant_names_scenarios_that_exist() {
        let mutants = all().unwrap();
        assert!(!mutants.is_empty());
        for mutant in mutants {
            for name in mutant.scenarios {
                let file = scenarios().join(format!("{name}.toml"));
                assert!(file.exists(), "{}: {name}", mutant.name);
            }
        }
    }

    #[test]
    fn mutants_are_chosen_by_a_part_of_their_names() {
        let mutant = |name: &str| Mutant {
            name: name.to_owned(),
            patch: PathBuf::new(),
            scenarios: Vec::new(),
        };
        let both = vec![mutant("F01-a"), mutant("F02-b")];
        assert_eq!(choose(both.clone(), &[]).unwrap(), both);
        assert_eq!(
            choose(both.clone(), &["F02".to_owned()]).unwrap(),
            [mutant("F02-b")]
        );
        assert!(choose(both, &["F03".to_owned()]).is_err());
    }
}
