//! What to do after an end that is no success: a command that can be copied.

use crate::exit::Exit;
use clap::Command;
use wreimage_journal::RunOutcome;

/// The command line of this process, as a shell takes it.
pub fn again() -> String {
    command_line(std::env::args().skip(1))
}

fn command_line(words: impl Iterator<Item = String>) -> String {
    let words = words.map(|word| match shlex::try_quote(&word) {
        Ok(quoted) => quoted.into_owned(),
        // No shell can be given this; it is shown at least.
        Err(_) => word.escape_debug().to_string(),
    });
    let words: Vec<String> = ["wreimage".to_owned()].into_iter().chain(words).collect();
    words.join(" ")
}

/// The command that explains how this one is called.
pub fn help(cli: &Command) -> String {
    help_of(cli, std::env::args().skip(1))
}

fn help_of(cli: &Command, given: impl Iterator<Item = String>) -> String {
    let mut command = cli;
    let mut words = vec!["wreimage".to_owned()];
    for word in given {
        let Some(sub) = command.find_subcommand(&word) else {
            break;
        };
        words.push(word);
        command = sub;
    }
    words.push("--help".to_owned());
    words.join(" ")
}

/// The line behind an error of the program, unless the error names a command itself.
pub fn behind(cli: &Command, exit: Exit, message: &str) -> Option<String> {
    if message.contains("wreimage ") {
        return None;
    }
    Some(match exit {
        Exit::Usage => format!("next: {}", help(cli)),
        _ => format!("next, when that is corrected: {}", again()),
    })
}

/// The line behind the report of a run that has ended.
pub fn after_run(run: &str, outcome: RunOutcome) -> Option<String> {
    match outcome {
        RunOutcome::Success => None,
        RunOutcome::Refused => Some(format!("next, when that is corrected: {}", again())),
        RunOutcome::Paused => Some(format!(
            "next: wreimage resume {run}, or to end it: wreimage cleanup {run}"
        )),
        RunOutcome::Warnings | RunOutcome::Failed | RunOutcome::Cancelled => {
            Some(format!("next: wreimage show {run}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{command_line, help_of};
    use crate::cli::Cli;
    use clap::CommandFactory;

    fn words(of: &[&str]) -> impl Iterator<Item = String> {
        of.iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
            .into_iter()
    }

    #[test]
    fn commands_can_be_copied() {
        assert_eq!(
            command_line(words(&["run", "reimage", "--reason", "it's broken"])),
            "wreimage run reimage --reason \"it's broken\""
        );
        assert_eq!(
            help_of(&Cli::command(), words(&["run", "reimage", "--host"])),
            "wreimage run --help"
        );
        assert_eq!(
            help_of(&Cli::command(), words(&["lock", "break", "x"])),
            "wreimage lock break --help"
        );
        assert_eq!(
            help_of(&Cli::command(), words(&["no-such"])),
            "wreimage --help"
        );
    }
}
