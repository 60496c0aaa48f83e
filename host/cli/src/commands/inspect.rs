//! `wreimage inspect`: what a guest is and what it can do.

use crate::arguments::Output;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::print::{self, Page};
use crate::setup::load_guest::load_guest;
use clap::Args;
use serde_json::json;
use wreimage_engine::{Guest, Import, OptionKind, OptionSpec};

/// `wreimage inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// The guest: a path or a name, as for `run`
    #[arg(value_name = "GUEST")]
    pub guest: String,
    /// Plug a component of the site into it first; may be given several times
    #[arg(long, value_name = "FILE")]
    pub plug: Vec<String>,
    /// The format
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORMAT")]
    pub output: Output,
}

/// Prints it.
pub async fn inspect(arguments: &Inspect) -> Result<Exit, Failure> {
    let (_, loaded) = load_guest(&arguments.guest, &arguments.plug, None).await?;
    match arguments.output {
        Output::Text => print::page(&text(&loaded.guest))?,
        Output::Json => print::pretty_json(&as_json(&loaded.guest))?,
    }
    Ok(Exit::Success)
}

fn changes(mutates: bool) -> &'static str {
    if mutates {
        "yes"
    } else {
        "nothing, it only reads"
    }
}

fn can_call(out: &mut Page, imports: &[Import]) {
    out.gap();
    out.line("It can call:");
    for import in imports {
        out.line(format!("  {}", import.interface));
        for function in &import.functions {
            out.line(format!("    {:<5} {}", function.effect, function.name));
        }
    }
}

fn text(guest: &Guest) -> Page {
    let description = guest.description();
    let mut out = Page::default();
    // On one line, so that it cannot look like those below.
    out.line(print::one_line(&format!(
        "{} {}: {}",
        description.name, description.version, description.summary
    )));
    out.line(format!("  sha256   {}", guest.digest()));
    out.line(format!("  size     {} bytes", guest.size()));
    out.line(format!("  changes  {}", changes(description.mutates)));
    if guest.own_digest() != guest.digest() {
        out.line(format!(
            "  without  sha256 {} is the guest itself",
            guest.own_digest()
        ));
    }
    can_call(&mut out, guest.imports());
    for plug in guest.plugs() {
        let description = &plug.description;
        out.gap();
        out.line(format!(
            "With {}",
            print::one_line(&format!(
                "{} {}: {}",
                description.name, description.version, description.summary
            ))
        ));
        out.line(format!("  sha256   {}", plug.digest));
        out.line(format!("  size     {} bytes", plug.size));
        out.line(format!("  changes  {}", changes(description.mutates)));
        can_call(&mut out, &plug.imports);
    }
    if let Some(versions) = wasi_versions(guest) {
        if !guest.plugs().is_empty() {
            out.gap();
            out.line("All of it together imports:");
        }
        out.line(format!("  wasi:*@{} ({} interfaces, closed: no files, no network, no environment; time and randomness are the run's)",
            versions.join(", "),
            guest.wasi().len()));
    }
    out.gap();
    out.line("Options:");
    for option in &description.options {
        let short = option
            .short
            .as_ref()
            .map_or(String::new(), |s| format!("-{s}, "));
        let value = match (&option.kind, &option.value_name) {
            (OptionKind::Toggle, _) => String::new(),
            (_, Some(name)) => format!(" {name}"),
            _ => " VALUE".to_owned(),
        };
        let note = match (&option.default, option.required) {
            (Some(default), _) => format!(" [default: {default}]"),
            (None, true) => " [mandatory]".to_owned(),
            (None, false) => String::new(),
        };
        out.line(format!(
            "  {:<24} {}{note}",
            format!("{short}--{}{value}", option.name),
            option.help
        ));
    }
    out
}

/// The versions of the closed WASI that a guest imports, if it does.
fn wasi_versions(guest: &Guest) -> Option<Vec<&str>> {
    let mut versions: Vec<&str> = guest
        .wasi()
        .iter()
        .filter_map(|interface| interface.split_once('@'))
        .map(|(_, version)| version)
        .collect();
    versions.sort_unstable();
    versions.dedup();
    (!versions.is_empty()).then_some(versions)
}

fn kind(option: &OptionSpec) -> serde_json::Value {
    match &option.kind {
        OptionKind::Toggle => "toggle".into(),
        OptionKind::Text => "text".into(),
        OptionKind::Integer => "integer".into(),
        OptionKind::Words => "words".into(),
        OptionKind::Choice(words) => json!({ "choice": words }),
        OptionKind::Other(word) => json!({ "other": word }),
    }
}

fn imports_as_json(imports: &[Import]) -> Vec<serde_json::Value> {
    imports
        .iter()
        .map(|import| {
            let functions: Vec<_> = import
                .functions
                .iter()
                .map(|function| json!({ "name": function.name, "effect": function.effect }))
                .collect();
            json!({ "interface": import.interface, "capability": import.capability.name, "functions": functions })
        })
        .collect()
}

fn as_json(guest: &Guest) -> serde_json::Value {
    let description = guest.description();
    let plugs: Vec<_> = guest
        .plugs()
        .iter()
        .map(|plug| {
            json!({
                "name": plug.description.name,
                "version": plug.description.version,
                "summary": plug.description.summary,
                "mutates": plug.description.mutates,
                "digest": plug.digest,
                "size": plug.size,
                "imports": imports_as_json(&plug.imports),
            })
        })
        .collect();
    let options: Vec<_> = description
        .options
        .iter()
        .map(|option| {
            json!({
                "name": option.name,
                "short": option.short,
                "help": option.help,
                "kind": kind(option),
                "default": option.default,
                "required": option.required,
                "needs": option.needs,
            })
        })
        .collect();
    json!({
        "name": description.name,
        "version": description.version,
        "summary": description.summary,
        "mutates": description.mutates,
        "digest": guest.digest(),
        "own-digest": guest.own_digest(),
        "size": guest.size(),
        "imports": imports_as_json(guest.imports()),
        "plugs": plugs,
        "wasi": wasi_versions(guest).map(|versions| json!({ "versions": versions, "interfaces": guest.wasi().len() })),
        "options": options,
    })
}
