//! A folder to begin a guest with.

use crate::files::{FACTS, LOCK_RUST, SDK_JAVASCRIPT, SDK_PYTHON, SDK_RUST};
use crate::{COMPONENTIZE_PY, COMPONENTIZE_QJS, KitError, Language, wit};
use std::path::{Path, PathBuf};

/// The templates. `@NAME@` stands for the guest's name, `@TOOL@` for the version of the language's tool.
mod templates {
    pub const IGNORE: &str = "*.wasm\ntarget/\n.venv/\nnode_modules/\n__pycache__/\ntypings/\n";
    pub const SCENARIO: &str = include_str!("../templates/scenario.toml");
    pub const SCENARIO_BMC_DOWN: &str = include_str!("../templates/bmc-down.toml");
    pub const WORLD: &str = include_str!("../templates/world.wit");
    pub const PLUG_README: &str = include_str!("../templates/plug.md");
    pub const PLUG_SCENARIO: &str = include_str!("../templates/plug-scenario.toml");
    pub const PLUG_WORLD: &str = include_str!("../templates/plug-world.wit");
    pub const PLUG_RUST: &str = include_str!("../templates/rust/plug.rs");
    pub const PLUG_PYTHON: &str = include_str!("../templates/python/plug.py");
    pub const PLUG_JAVASCRIPT: &str = include_str!("../templates/js/plug.js");
    pub const RUST_MANIFEST: &str = include_str!("../templates/rust/manifest.toml");
    pub const RUST: &str = include_str!("../templates/rust/guest.rs");
    pub const RUST_README: &str = include_str!("../templates/rust/README.md");
    pub const PYTHON: &str = include_str!("../templates/python/guest.py");
    pub const PYTHON_README: &str = include_str!("../templates/python/README.md");
    pub const JAVASCRIPT: &str = include_str!("../templates/js/guest.js");
    pub const JAVASCRIPT_MANIFEST: &str = include_str!("../templates/js/package.json");
    pub const JAVASCRIPT_README: &str = include_str!("../templates/js/README.md");
}

/// Words that mean something else in Rust, Python, JavaScript or WIT, or are names of what a guest is built with.
const TAKEN: [&str; 40] = [
    "abstract",
    "as",
    "async",
    "await",
    "bool",
    "borrow",
    "char",
    "class",
    "const",
    "core",
    "def",
    "enum",
    "export",
    "final",
    "flags",
    "fn",
    "from",
    "func",
    "guest",
    "import",
    "include",
    "interface",
    "list",
    "option",
    "own",
    "package",
    "record",
    "resource",
    "result",
    "self",
    "static",
    "std",
    "string",
    "stream",
    "test",
    "tuple",
    "type",
    "use",
    "with",
    "world",
];

/// What a folder is begun for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A guest of its own.
    Guest,
    /// A component that a site plugs into `reimage`.
    Plug,
}

/// Makes the folder of a new guest or component, named by its last component, and returns what to do next, a line each.
///
/// # Errors
/// When the name is none for a guest, the folder exists, or a file cannot be written.
pub fn create(folder: &Path, language: Language, kind: Kind) -> Result<Vec<String>, KitError> {
    let name = name(folder)?;
    if folder.symlink_metadata().is_ok() {
        return Err(KitError::Wrong(format!(
            "{} exists; nothing was changed. Choose another name, or remove it first",
            folder.display()
        )));
    }
    let mut files = vec![(".gitignore".to_owned(), templates::IGNORE)];
    let mut add = |path: &str, text| files.push((path.to_owned(), text));
    let scenario = format!("scenarios/{name}.toml");
    let (source, readme) = match kind {
        Kind::Guest => {
            add(&scenario, templates::SCENARIO);
            add("scenarios/bmc-down.toml", templates::SCENARIO_BMC_DOWN);
            match language {
                Language::Rust => (templates::RUST, templates::RUST_README),
                Language::Python => (templates::PYTHON, templates::PYTHON_README),
                Language::JavaScript => (templates::JAVASCRIPT, templates::JAVASCRIPT_README),
            }
        }
        Kind::Plug => {
            add(&scenario, templates::PLUG_SCENARIO);
            let source = match language {
                Language::Rust => templates::PLUG_RUST,
                Language::Python => templates::PLUG_PYTHON,
                Language::JavaScript => templates::PLUG_JAVASCRIPT,
            };
            (source, templates::PLUG_README)
        }
    };
    let world = match kind {
        Kind::Guest => templates::WORLD,
        Kind::Plug => templates::PLUG_WORLD,
    };
    let where_it_is = match language {
        Language::Rust => "src/lib.rs",
        Language::Python | Language::JavaScript => language.sign(),
    };
    add(where_it_is, source);
    add("README.md", readme);
    match language {
        Language::Rust => {
            add("Cargo.toml", templates::RUST_MANIFEST);
            add("Cargo.lock", LOCK_RUST);
            files.extend(wit::whole());
            for (folder, those) in [("wreimage-facts", FACTS), ("wreimage-sdk", SDK_RUST)] {
                let vendored =
                    |(path, text): &(&str, _)| (format!("vendor/{folder}/{path}"), *text);
                files.extend(those.iter().map(vendored));
            }
        }
        Language::Python => {
            add("requirements.txt", "componentize-py==@TOOL@\n");
            add(SDK_PYTHON.0, SDK_PYTHON.1);
            add("wit/world.wit", world);
            files.extend(wit::dependencies());
        }
        Language::JavaScript => {
            add("package.json", templates::JAVASCRIPT_MANIFEST);
            add(SDK_JAVASCRIPT.0, SDK_JAVASCRIPT.1);
            add("wit/world.wit", world);
            files.extend(wit::dependencies());
        }
    }
    let tool = match language {
        Language::JavaScript => COMPONENTIZE_QJS.version,
        Language::Python | Language::Rust => COMPONENTIZE_PY.version,
    };
    for (path, text) in files {
        let text = text
            .replace("@NAME@", &name)
            .replace("@TOOL@", tool)
            .replace("@SIGN@", where_it_is);
        write(&folder.join(path), &text)?;
    }
    let shown = folder.display();
    let install = match language {
        Language::Rust => None,
        Language::Python => {
            Some("python3 -m venv .venv && .venv/bin/pip install -r requirements.txt")
        }
        Language::JavaScript => Some("npm install"),
    };
    let mut next = vec![format!("cd {shown}")];
    next.extend(install.map(str::to_owned));
    next.push("wreimage build".to_owned());
    next.extend(match kind {
        Kind::Guest => [
            format!("wreimage test {name}.wasm"),
            format!("wreimage run ./{name}.wasm --lab --host host1001"),
        ],
        Kind::Plug => [
            format!("wreimage test reimage scenarios --plug ./{name}.wasm"),
            format!("wreimage inspect reimage --plug ./{name}.wasm"),
        ],
    });
    Ok(next)
}

/// The guest's name, which has to do in Rust, Python, JavaScript and WIT.
fn name(folder: &Path) -> Result<String, KitError> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    if name.len() > 64 || !name.split('-').all(is_word) {
        return Err(KitError::Wrong(format!(
            "`{name}` is no name for a guest: lower-case words joined by `-`, such as `power-cycle`, each beginning with a letter"
        )));
    }
    if TAKEN.contains(&&*name) || name.starts_with("wreimage") {
        return Err(KitError::Wrong(format!(
            "`{name}` is no name for a guest: the word means something else where guests are built. Add one, such as \
             `{name}-check`"
        )));
    }
    Ok(name.into_owned())
}

fn write(path: &Path, text: &str) -> Result<(), KitError> {
    let folder = path.parent().map(PathBuf::from).unwrap_or_default();
    std::fs::create_dir_all(&folder).map_err(KitError::file(folder))?;
    std::fs::write(path, text).map_err(KitError::file(path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Kind, create};
    use crate::Language;

    #[test]
    fn a_new_folder_shows_its_language_and_has_no_placeholder() {
        let kinds = [Kind::Guest, Kind::Plug].into_iter();
        let all = kinds.flat_map(|kind| Language::ALL.map(|language| (kind, language)));
        for (kind, language) in all {
            let place = tempfile::tempdir().unwrap();
            let folder = place.path().join("disk-check");
            let next = create(&folder, language, kind).unwrap();
            assert!(next.iter().any(|line| line == "wreimage build"));
            assert_eq!(Language::of_folder(&folder).unwrap(), language);
            assert!(folder.join("scenarios/disk-check.toml").is_file());
            for file in [language.sign(), "README.md", "scenarios/disk-check.toml"] {
                let text = std::fs::read_to_string(folder.join(file)).unwrap();
                let left = ["@NAME@", "@TOOL@", "@SIGN@"].map(|it| text.contains(it));
                assert_eq!(left, [false; 3], "{file}");
            }
        }
    }

    #[test]
    fn an_existing_folder_stays_as_it_is() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("disk-check");
        std::fs::create_dir(&folder).unwrap();
        let told = create(&folder, Language::Python, Kind::Guest)
            .unwrap_err()
            .to_string();
        assert!(told.contains("exists; nothing was changed"), "{told}");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    }

    #[test]
    fn a_name_has_to_do_in_every_language() {
        let place = tempfile::tempdir().unwrap();
        for name in [
            "Disk",
            "disk_check",
            "1disk",
            "disk-",
            "disk-2",
            "guest",
            "wreimage-x",
            "a.b",
            "interface",
        ] {
            let told = create(&place.path().join(name), Language::Rust, Kind::Guest)
                .unwrap_err()
                .to_string();
            assert!(told.contains("is no name for a guest"), "{name}: {told}");
        }
    }
}
