//! A guest's options on the command line.

use crate::failure::Failure;
use crate::output::print::one_line;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::ffi::OsString;
use std::path::PathBuf;
use wreimage_engine::{Description, OptionKind, OptionSpec};

/// What a `run` names before its options are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The guest.
    pub guest: String,
    /// What is to be plugged into it.
    pub plugs: Vec<String>,
    /// The site file, whose bounds hold for it.
    pub site: Option<PathBuf>,
}

/// The guest that a `run` names, the first word that is neither an option of the host nor its value, and what is to be plugged
/// into it. `None` when the command is another or names no guest.
pub fn guest_of_run(cli: &Command, arguments: &[OsString]) -> Option<Given> {
    let mut guest = None;
    let mut plugs = Vec::new();
    let mut site = None;
    let run = cli.find_subcommand("run")?;
    let mut words = arguments.iter().skip(1);
    if words.next()?.to_str()? != "run" {
        return None;
    }
    while let Some(word) = words.next() {
        // A value that is no text is an option's; the guest may be named all the same.
        let Some(word) = word.to_str() else {
            continue;
        };
        if word == "--" {
            guest = guest.or_else(|| words.next()?.to_str().map(str::to_owned));
            break;
        }
        match word.strip_prefix("--") {
            Some("plug") => plugs.push(words.next()?.to_str()?.to_owned()),
            Some("site") => site = words.next().map(PathBuf::from),
            Some(name) if name.starts_with("site=") => {
                site = name.strip_prefix("site=").map(PathBuf::from);
            }
            Some(name) if name.starts_with("plug=") => {
                plugs.extend(name.strip_prefix("plug=").map(str::to_owned));
            }
            Some(name) => {
                // A value that must stand behind `=`, as that of `--lab`, is never the next word.
                let takes_next = run
                    .get_arguments()
                    .find(|argument| argument.get_long() == Some(name))
                    .is_some_and(|argument| {
                        argument.get_action().takes_values() && !argument.is_require_equals_set()
                    });
                if takes_next {
                    words.next();
                }
            }
            None if word.starts_with('-') => {}
            None => guest = guest.or_else(|| Some(word.to_owned())),
        }
    }
    Some(Given {
        guest: guest?,
        plugs,
        site,
    })
}

/// The command line of this program with the guest's options added to `run`.
pub fn with_guest(cli: Command, description: &Description) -> Result<Command, Failure> {
    let run = cli
        .find_subcommand("run")
        .ok_or_else(|| Failure::Internal("there is no command `run`".to_owned()))?;
    let mut additions = Vec::new();
    for spec in &description.options {
        let taken = run.get_arguments().any(|argument| {
            argument.get_long() == Some(&spec.name)
                || argument.get_id().as_str() == spec.name
                || (argument.get_short().is_some() && argument.get_short() == short(spec))
        });
        let reserved =
            ["help", "version"].contains(&spec.name.as_str()) || short(spec) == Some('h');
        let twice = additions.iter().any(|argument: &Arg| {
            argument.get_long() == Some(&spec.name)
                || (argument.get_short().is_some() && argument.get_short() == short(spec))
        });
        if taken || reserved || twice {
            return Err(Failure::Usage(format!(
                "the guest `{}` has an option `--{}` that {}: its author must give it another name",
                description.name,
                spec.name,
                if twice {
                    "it has twice"
                } else {
                    "wreimage has too"
                },
            )));
        }
        if spec.name.is_empty()
            || !spec
                .name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        {
            return Err(Failure::Usage(format!(
                "the guest `{}` has an option with an impossible name: {:?}",
                description.name, spec.name
            )));
        }
        if short(spec).is_some_and(|c| !c.is_ascii_alphanumeric()) {
            return Err(Failure::Usage(format!(
                "the guest `{}` gives its option `--{}` an impossible letter: {:?}",
                description.name,
                spec.name,
                short(spec).unwrap_or_default()
            )));
        }
        additions.push(argument(spec, &description.name));
    }
    let about = one_line(&format!(
        "{} {}: {}",
        description.name, description.version, description.summary
    ));
    let about = about.to_string();
    Ok(cli.mut_subcommand("run", |run| {
        additions
            .into_iter()
            .fold(run.about(about), |run, argument| run.arg(argument))
            .mut_arg("host", |host| host.required(true))
            .mut_arg("guest", |guest| guest.required(true))
    }))
}

fn short(spec: &OptionSpec) -> Option<char> {
    spec.short.as_ref()?.chars().next()
}

/// An option for clap, which prints these texts as they are.
fn argument(spec: &OptionSpec, guest: &str) -> Arg {
    let shown = |text: &str| one_line(text).to_string();
    let mut argument = Arg::new(spec.name.clone())
        .long(spec.name.clone())
        .help(shown(&spec.help))
        .required(spec.required)
        .help_heading(format!("Options of the guest {}", one_line(guest)));
    if let Some(short) = short(spec) {
        argument = argument.short(short);
    }
    if spec.kind == OptionKind::Toggle {
        return argument.action(ArgAction::SetTrue);
    }
    argument = argument.action(ArgAction::Set);
    if let OptionKind::Choice(words) = &spec.kind {
        argument = argument.value_parser(
            words
                .iter()
                .map(|word| shown(word))
                .collect::<Vec<String>>(),
        );
    }
    if let Some(name) = &spec.value_name {
        argument = argument.value_name(shown(name));
    }
    if let Some(default) = &spec.default {
        argument = argument.default_value(shown(default));
    }
    argument
}

/// The guest's options as given, by name.
pub fn given<'a>(description: &'a Description, matches: &ArgMatches) -> Vec<(&'a str, String)> {
    description
        .options
        .iter()
        .filter_map(|spec| {
            // Defaults are the engine's business; what was not given must not count as asked for.
            if matches.value_source(&spec.name) != Some(ValueSource::CommandLine) {
                return None;
            }
            let value = if spec.kind == OptionKind::Toggle {
                matches.get_flag(&spec.name).to_string()
            } else {
                matches.get_one::<String>(&spec.name)?.clone()
            };
            Some((spec.name.as_str(), value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::arguments::HOST_OPTIONS;
    use crate::cli::Cli;
    use clap::CommandFactory;

    fn given(words: &[&str]) -> Option<Given> {
        guest_of_run(
            &Cli::command(),
            &words.iter().map(OsString::from).collect::<Vec<_>>(),
        )
    }

    fn guest(words: &[&str]) -> Option<String> {
        given(words).map(|given| given.guest)
    }

    #[test]
    fn plugs_stand_anywhere() {
        for words in [
            &["w", "run", "g", "--plug", "a", "--host", "h", "--plug=b"][..],
            &["w", "run", "--plug", "a", "--plug=b", "g", "--os", "x"],
            &["w", "run", "--host=h", "--plug", "a", "g", "--plug", "b"],
        ] {
            let given = given(words).unwrap();
            assert_eq!(
                (given.guest.as_str(), given.plugs),
                ("g", vec!["a".to_owned(), "b".to_owned()])
            );
        }
        assert_eq!(given(&["w", "run", "--plug", "a"]), None);
    }

    #[test]
    fn the_guest_is_the_first_word_that_is_no_value() {
        assert_eq!(
            guest(&["wreimage", "run", "g.wasm", "--host", "h"]).unwrap(),
            "g.wasm"
        );
        assert_eq!(
            guest(&["wreimage", "run", "--host", "h", "g", "--os", "x"]).unwrap(),
            "g"
        );
        assert_eq!(
            guest(&["wreimage", "run", "--host=h", "--dry-run", "g"]).unwrap(),
            "g"
        );
        assert_eq!(
            guest(&["wreimage", "run", "--lab", "g", "--host", "h"]).unwrap(),
            "g"
        );
        assert_eq!(
            guest(&["wreimage", "run", "--lab=w.toml", "g"]).unwrap(),
            "g"
        );
        assert_eq!(guest(&["wreimage", "run", "--help"]), None);
        assert_eq!(guest(&["wreimage", "run", "--", "g"]).unwrap(), "g");
        assert_eq!(guest(&["wreimage", "inspect", "g"]), None);
    }

    fn describing(name: &str, short: Option<&str>) -> Description {
        Description {
            name: "g".to_owned(),
            version: "1".to_owned(),
            summary: "s".to_owned(),
            mutates: false,
            options: vec![OptionSpec {
                name: name.to_owned(),
                short: short.map(str::to_owned),
                help: "h".to_owned(),
                value_name: None,
                kind: OptionKind::Toggle,
                default: None,
                required: false,
                needs: vec![],
                extra: vec![],
            }],
            extra: vec![],
        }
    }

    #[test]
    fn a_guest_whose_option_clashes_is_refused() {
        for name in ["host", "dry-run", "help", "lab", "guest", "Bad Name", ""] {
            assert!(
                with_guest(Cli::command(), &describing(name, None)).is_err(),
                "{name}"
            );
        }
        assert!(with_guest(Cli::command(), &describing("x", Some("h"))).is_err());
        assert!(with_guest(Cli::command(), &describing("x", Some("t"))).is_ok());
    }

    #[test]
    fn the_texts_of_a_guest_cannot_redraw_the_screen() {
        let mut description = describing("frob", None);
        description.summary = "s\u{1b}[2J".to_owned();
        let option = &mut description.options[0];
        option.kind = OptionKind::Choice(vec!["a\u{1b}[2J".to_owned()]);
        option.help = "h\u{1b}[2J".to_owned();
        option.value_name = Some("V\u{1b}[2J".to_owned());
        option.default = Some("a\u{1b}[2J".to_owned());
        let mut cli = with_guest(Cli::command(), &description).unwrap();
        let help = cli
            .find_subcommand_mut("run")
            .unwrap()
            .render_long_help()
            .to_string();
        assert!(help.contains("s\\u{1b}[2J"), "{help}");
        assert!(help.contains("h\\u{1b}[2J"), "{help}");
        assert!(!help.contains('\u{1b}'), "{help}");
        assert!(with_guest(Cli::command(), &describing("x", Some("\u{1b}"))).is_err());
    }

    #[test]
    fn the_guests_options_stand_under_their_own_heading() {
        let mut cli = with_guest(Cli::command(), &describing("frob", None)).unwrap();
        let help = cli
            .find_subcommand_mut("run")
            .unwrap()
            .render_long_help()
            .to_string();
        assert!(help.contains("Options of the guest g"), "{help}");
        assert!(help.contains(HOST_OPTIONS), "{help}");
    }
}
