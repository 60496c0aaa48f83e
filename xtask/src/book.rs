//! The book's page on capabilities, written from `wit/` and the effect tables, so that it cannot say anything else.

use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// The page.
const PAGE: &str = "docs/capabilities.md";

const HEAD: &str = "# Capabilities

<!-- Written by `cargo xtask book` from wit/ and host/capability/src: change those. -->

A guest sees the world through capabilities only: one WIT package each, imported by those guests that use it. A function takes no
host name and no address: it acts on the host that the run is bound to. Each answers with a `fault` when it could not do its work.

| effect | what it does | after a crash in the middle of it |
|---|---|---|
| `read` | looks | looks again |
| `wait` | looks until something is so, or its deadline passes | waits for the rest of the time |
| `write` | changes the world; the same again changes nothing more | does it again |
| `once` | changes the world each time | asks the world whether it happened; never repeats it in doubt without asking |
| `ask` | asks the operator | the question is still open |
| `note` | tells the host something | tells it again |

\"Taken back by\" names the function that the host calls at the end of a run for what must not outlive it.

";

/// What a table says of a function.
struct Row {
    effect: String,
    /// Inverse, and what it takes back.
    undo: Option<(String, String)>,
    /// Whether the guest decides when nothing can tell if it happened.
    told: bool,
}

/// Writes the page.
///
/// # Errors
/// When `wit/` or a table cannot be read, or they do not fit each other.
pub fn write(root: &Path) -> Result<()> {
    let path = root.join(PAGE);
    fs::write(&path, page(root)?).with_context(|| format!("{}", path.display()))?;
    println!("xtask: {PAGE} is written");
    Ok(())
}

fn page(root: &Path) -> Result<String> {
    let mut out = HEAD.to_owned();
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(root.join("wit/deps"))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    // What all of them use comes first.
    names.sort_by_key(|name| name != "types");
    for name in &names {
        let file = format!("wit/deps/{name}/{name}.wit");
        let text = fs::read_to_string(root.join(&file)).with_context(|| file.clone())?;
        let table = format!("host/capability/src/{}.rs", name.replace('-', "_"));
        let rows = match fs::read_to_string(root.join(&table)) {
            Ok(source) => rows(&source),
            Err(_) => BTreeMap::new(),
        };
        package(&mut out, name, &file, &text, &rows)?;
    }
    Ok(out)
}

/// The rows of an effect table, as its source has them.
fn rows(source: &str) -> BTreeMap<String, Row> {
    let Some((_, table)) = source.split_once("effects! {") else {
        return BTreeMap::new();
    };
    let table = table.split("\n}").next().unwrap_or_default();
    // The first statement is the head of the table.
    let statements = table.split(';').skip(1);
    let row = |statement: &str| {
        let (effect, rest) = statement.trim().split_once(' ')?;
        let (name, _) = rest.split_once('(')?;
        let undo = rest.split_once("undo ").and_then(|(_, undo)| {
            let inverse = undo.split_whitespace().next()?;
            let thing = undo.split('"').nth(1)?;
            Some((kebab(inverse), thing.to_owned()))
        });
        let told = rest.ends_with("doubt told");
        let effect = effect.to_owned();
        Some((kebab(name), Row { effect, undo, told }))
    };
    statements.filter_map(row).collect()
}

fn kebab(snake: &str) -> String {
    snake.replace('_', "-")
}

/// What one package adds to the page.
fn package(
    out: &mut String,
    name: &str,
    file: &str,
    text: &str,
    rows: &BTreeMap<String, Row>,
) -> Result<()> {
    let mut docs: Vec<&str> = Vec::new();
    let mut types = String::new();
    let mut functions = String::new();
    let mut known = 0;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let trimmed = line.trim();
        if let Some(doc) = trimmed.strip_prefix("///") {
            docs.push(doc.strip_prefix(' ').unwrap_or(doc));
            continue;
        }
        let said = docs.join("\n");
        docs.clear();
        if let Some(package) = trimmed.strip_prefix("package ") {
            let package = package.trim_end_matches(';');
            writeln!(out, "## {name}\n\n`{package}`\n")?;
            if !said.is_empty() {
                writeln!(out, "{said}\n")?;
            }
        } else if let Some(interface) = trimmed.strip_prefix("interface ") {
            let interface = interface.trim_end_matches([' ', '{']);
            if interface != name {
                writeln!(functions, "Interface `{interface}`: {said}\n")?;
            } else if !said.is_empty() {
                writeln!(out, "{said}\n")?;
            }
        } else if trimmed.contains(": func(") {
            let function = trimmed.split(':').next().unwrap_or_default();
            let signature = statement(trimmed, &mut lines, ';');
            let title = format!("### {name}.{function}");
            writeln!(functions, "{title}\n")?;
            if !rows.is_empty() {
                let row = rows.get(function);
                let row =
                    row.with_context(|| format!("{name}.{function} is in no effect table"))?;
                known += 1;
                writeln!(functions, "{}\n", effect(name, row))?;
            }
            writeln!(functions, "{}\n", without_effect(&said))?;
            writeln!(functions, "```wit file={file}\n{signature}\n```\n")?;
        } else if ["record ", "variant ", "enum ", "type "]
            .iter()
            .any(|kind| trimmed.starts_with(kind))
        {
            let end = if trimmed.starts_with("type ") {
                ';'
            } else {
                '}'
            };
            let body = statement(line, &mut lines, end);
            let comment = said.lines().map(|doc| format!("/// {doc}\n"));
            let body = outdented(&body);
            let comment = comment.collect::<String>();
            writeln!(types, "```wit file={file}\n{comment}{body}\n```\n")?;
        }
    }
    if known != rows.len() {
        bail!("the effect table of {name} has functions that {file} lacks");
    }
    out.push_str(&types);
    out.push_str(&functions);
    Ok(())
}

fn effect(capability: &str, row: &Row) -> String {
    let mut text = format!("Effect: **{}**.", row.effect);
    if let Some((inverse, thing)) = &row.undo {
        text += &format!(" Taken back by `{capability}.{inverse}`: {thing}.");
    }
    if row.told {
        text += " In doubt, the guest is told and decides.";
    }
    text
}

/// The comment without its word on the effect class, which stands above it.
fn without_effect(said: &str) -> String {
    let known = |line: &str| {
        let rest = line.strip_prefix("Effect: ")?;
        let end = rest.find(['.', ';'])?;
        let rest = rest.get(end + 1..)?.trim();
        let mut letters = rest.chars();
        let first = letters.next()?.to_uppercase();
        Some(format!("{first}{}", letters.as_str()))
    };
    let lines = said.lines().map(|line| {
        if line.starts_with("Effect: ") {
            known(line).unwrap_or_default()
        } else {
            line.to_owned()
        }
    });
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// The statement that begins with this line, up to the line that ends as it must.
fn statement<'a>(first: &str, lines: &mut impl Iterator<Item = &'a str>, end: char) -> String {
    let mut all = first.to_owned();
    while !all.ends_with(end) {
        let Some(line) = lines.next() else { break };
        all.push('\n');
        all.push_str(line);
    }
    all
}

fn outdented(text: &str) -> String {
    let lines = text
        .lines()
        .map(|line| line.strip_prefix("    ").unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository;

    #[test]
    fn the_page_is_current() {
        let root = repository::root();
        let kept = fs::read_to_string(root.join(PAGE)).unwrap();
        assert!(
            kept == page(root).unwrap(),
            "{PAGE} is not what wit/ says: run `cargo xtask book`"
        );
    }

    #[test]
    fn the_page_has_what_a_function_does_and_what_takes_it_back() {
        let page = page(repository::root()).unwrap();
        for text in [
            "Effect: **once**.",
            "Taken back by `dhcp.withdraw`: the DHCP entry.",
            "Taken back by `puppet.enable`: the disabled Puppet agent.",
            "### puppet-ca.sign",
        ] {
            assert!(page.contains(text), "{text}");
        }
    }
}
