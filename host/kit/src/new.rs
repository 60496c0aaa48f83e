//! A folder to begin a guest with.

use crate::files::{LOCK_RUST, SDK_JAVASCRIPT, SDK_PYTHON, SDK_RUST};
use crate::{COMPONENTIZE_PY, COMPONENTIZE_QJS, KitError, Language, wit};
use std::path::{Path, PathBuf};

/// The templates. `@NAME@` stands for the guest's name, `@TOOL@` for the version of the language's tool.
mod templates {
    pub const IGNORE: &str = "*.wasm\ntarget/\n.venv/\nnode_modules/\n__pycache__/\ntypings/\n";
    pub const SCENARIO: &str = include_str!("../templates/scenario.toml");
    pub const SCENARIO_BMC_DOWN: &str = include_str!("../templates/bmc-down.toml");
    pub const WORLD: &str = include_str!("../templates/world.wit");
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

/// Makes the folder of a new guest, named by its last component, and returns what to do next, a line each.
///
/// # Errors
/// When the name is none for a guest, the folder exists, or a file cannot be written.
pub fn create(folder: &Path, language: Language) -> Result<Vec<String>, KitError> {
    let name = name(folder)?;
    if folder.symlink_metadata().is_ok() {
        return Err(KitError::Wrong(format!(
            "{} exists; nothing was changed. Choose another name, or remove it first",
            folder.display()
        )));
    }
    let mut files = vec![
        (".gitignore".to_owned(), templates::IGNORE),
        (format!("scenarios/{name}.toml"), templates::SCENARIO),
        (
            "scenarios/bmc-down.toml".to_owned(),
            templates::SCENARIO_BMC_DOWN,
        ),
    ];
    let mut add = |path: &str, text| files.push((path.to_owned(), text));
    match language {
        Language::Rust => {
            add("Cargo.toml", templates::RUST_MANIFEST);
            add("Cargo.lock", LOCK_RUST);
            add("src/lib.rs", templates::RUST);
            add("README.md", templates::RUST_README);
            files.extend(wit::whole());
            let sdk = SDK_RUST.iter();
            files.extend(sdk.map(|(path, text)| (format!("vendor/wreimage-sdk/{path}"), *text)));
        }
        Language::Python => {
            add("guest.py", templates::PYTHON);
            add("README.md", templates::PYTHON_README);
            add("requirements.txt", "componentize-py==@TOOL@\n");
            add(SDK_PYTHON.0, SDK_PYTHON.1);
            add("wit/world.wit", templates::WORLD);
            files.extend(wit::dependencies());
        }
        Language::JavaScript => {
            add("guest.js", templates::JAVASCRIPT);
            add("package.json", templates::JAVASCRIPT_MANIFEST);
            add("README.md", templates::JAVASCRIPT_README);
            add(SDK_JAVASCRIPT.0, SDK_JAVASCRIPT.1);
            add("wit/world.wit", templates::WORLD);
            files.extend(wit::dependencies());
        }
    }
    let tool = match language {
        Language::JavaScript => COMPONENTIZE_QJS.version,
        Language::Python | Language::Rust => COMPONENTIZE_PY.version,
    };
    for (path, text) in files {
        let text = text.replace("@NAME@", &name).replace("@TOOL@", tool);
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
    next.push(format!("wreimage test {name}.wasm"));
    next.push(format!("wreimage run ./{name}.wasm --lab --host host1001"));
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
    use super::create;
    use crate::Language;

    #[test]
    fn a_new_folder_shows_its_language_and_has_no_placeholder() {
        for language in Language::ALL {
            let place = tempfile::tempdir().unwrap();
            let folder = place.path().join("disk-check");
            let next = create(&folder, language).unwrap();
            assert!(next.iter().any(|line| line == "wreimage build"));
            assert_eq!(Language::of_folder(&folder).unwrap(), language);
            assert!(folder.join("scenarios/disk-check.toml").is_file());
            for file in [language.sign(), "README.md", "scenarios/disk-check.toml"] {
                let text = std::fs::read_to_string(folder.join(file)).unwrap();
                assert!(
                    !text.contains('@') || !text.contains("@NAME@") && !text.contains("@TOOL@"),
                    "{file}"
                );
            }
        }
    }

    #[test]
    fn an_existing_folder_stays_as_it_is() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("disk-check");
        std::fs::create_dir(&folder).unwrap();
        let told = create(&folder, Language::Python).unwrap_err().to_string();
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
            let told = create(&place.path().join(name), Language::Rust)
                .unwrap_err()
                .to_string();
            assert!(told.contains("is no name for a guest"), "{name}: {told}");
        }
    }
}
