//! What follows from `wit/` and the list of capabilities: marked lines of some files, and the book's page.
//!
//! The list is `host/capability/src/listing.rs`. Whoever adds a capability adds a row there and runs `cargo xtask generate`.

use crate::book;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// The list of capabilities.
const LIST: &str = "host/capability/src/listing.rs";
/// The marks around generated lines, in a comment each.
const BEGIN: &str = "// Written by `cargo xtask generate`: begin";
const END: &str = "// Written by `cargo xtask generate`: end";

/// A capability of the list.
struct Capability {
    /// As Rust has it, such as `puppet_ca`.
    module: String,
    /// As WIT has it, such as `puppet-ca`.
    name: String,
    /// The version of its package.
    version: String,
    /// Whether a provider serves it; the others are served by the engine, and the SDK has modules of its own for them.
    has_provider: bool,
}

/// Generated lines of a file.
struct Region {
    file: &'static str,
    indent: &'static str,
    line: fn(&Path, &Capability) -> Option<String>,
    /// Whether the lines are in alphabetical order, as rustfmt wants them, or in that of the list.
    is_sorted: bool,
}

const REGIONS: [Region; 4] = [
    Region {
        file: "wit/world.wit",
        indent: "    ",
        line: |_, it| {
            let Capability { name, version, .. } = it;
            Some(format!("import wreimage:{name}/{name}@{version};"))
        },
        is_sorted: false,
    },
    Region {
        file: "host/capability/src/lib.rs",
        indent: "",
        line: |_, it| Some(format!("pub mod {};", it.module)),
        is_sorted: true,
    },
    Region {
        file: "host/live/src/lib.rs",
        indent: "",
        line: |root, it| {
            let folder = root.join("host/live/src").join(&it.module);
            folder.is_dir().then(|| format!("pub mod {};", it.module))
        },
        is_sorted: true,
    },
    Region {
        file: "guests/sdk/src/lib.rs",
        indent: "",
        line: |_, it| {
            let path = format!("bindings::wreimage::{0}::{0}", it.module);
            it.has_provider.then(|| format!("pub use {path};"))
        },
        is_sorted: true,
    },
];

/// Writes all that is generated, in this repository or in a copy of it.
///
/// # Errors
/// When the list, a package or a table cannot be read, or a file has no marks.
pub fn write(root: &Path) -> Result<()> {
    for (file, text) in files(root)? {
        fs::write(root.join(file), text).with_context(|| file.to_owned())?;
    }
    book::write(root)
}

/// Each file that has generated lines, as it must be.
fn files(root: &Path) -> Result<Vec<(&'static str, String)>> {
    let capabilities = capabilities(root)?;
    let file = |region: &Region| {
        let text = fs::read_to_string(root.join(region.file)).context(region.file)?;
        let mut lines: Vec<String> = capabilities
            .iter()
            .filter_map(|capability| (region.line)(root, capability))
            .collect();
        if region.is_sorted {
            lines.sort();
        }
        let text = replaced(&text, region.indent, &lines)
            .with_context(|| format!("{} has no lines `{BEGIN}` and `{END}`", region.file))?;
        Ok((region.file, text))
    };
    REGIONS.iter().map(file).collect()
}

/// The text with these lines between its marks.
fn replaced(text: &str, indent: &str, lines: &[String]) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    let lines: String = lines
        .iter()
        .map(|line| format!("{indent}{line}\n"))
        .collect();
    Some(format!("{before}{BEGIN}\n{lines}{indent}{END}{after}"))
}

fn capabilities(root: &Path) -> Result<Vec<Capability>> {
    let list = fs::read_to_string(root.join(LIST)).context(LIST)?;
    let rows = list
        .split_once("\ncapabilities!(\n")
        .and_then(|(_, rest)| rest.split_once("\n);"))
        .with_context(|| format!("{LIST} has no list `capabilities!(…)`"))?
        .0;
    let modules = rows.lines().map(|line| line.trim().trim_end_matches(','));
    modules
        .map(|module| capability(root, module).with_context(|| format!("`{module}` of {LIST}")))
        .collect()
}

fn capability(root: &Path, module: &str) -> Result<Capability> {
    let name = module.replace('_', "-");
    let package = format!("wit/deps/{name}/{name}.wit");
    let text = fs::read_to_string(root.join(&package)).with_context(|| package.clone())?;
    let version = text
        .split_once(&format!("package wreimage:{name}@"))
        .and_then(|(_, rest)| rest.split_once(';'))
        .with_context(|| format!("{package} does not name its package and version"))?
        .0;
    let table = format!("host/capability/src/{module}.rs");
    let table = fs::read_to_string(root.join(&table)).with_context(|| table.clone())?;
    Ok(Capability {
        module: module.to_owned(),
        version: version.to_owned(),
        has_provider: table.contains("served by Provider"),
        name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository;

    #[test]
    fn what_is_generated_is_current() {
        let root = repository::root();
        for (file, text) in files(root).unwrap() {
            assert!(
                fs::read_to_string(root.join(file)).unwrap() == text,
                "{file} is not what the list of capabilities gives: run `cargo xtask generate`"
            );
        }
    }

    #[test]
    fn only_the_lines_between_the_marks_change() {
        let text = format!("a\n  {BEGIN}\n  old\n  {END}\nb\n");
        let lines = ["new".to_owned(), "newer".to_owned()];
        assert_eq!(
            replaced(&text, "  ", &lines).unwrap(),
            format!("a\n  {BEGIN}\n  new\n  newer\n  {END}\nb\n")
        );
        assert_eq!(replaced("a", "", &lines), None);
    }
}
