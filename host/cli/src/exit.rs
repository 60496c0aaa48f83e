//! How the program ends, and how it says why.

use crate::failure::FailureKind;
use std::process::ExitCode;
use wreimage_journal::{Ending, RunOutcome};

/// The exit codes, as `--help` documents them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, warnings included.
    Success,
    /// Done with warnings, under `--strict`.
    Warnings,
    /// A scenario did not pass.
    NotPassed,
    /// Failed, and everything was taken back.
    TakenBack,
    /// Failed, and something is left.
    Left,
    /// Cancelled.
    Cancelled,
    /// Refused before anything was touched.
    Refused,
    /// Of several hosts, some were refused or not begun, and the others are done.
    Partly,
    /// Waits for a person; it can be resumed.
    Paused,
    /// The call was wrong.
    Usage,
    /// The host failed.
    Internal,
}

impl Exit {
    const ALL: [Exit; 11] = [
        Exit::Success,
        Exit::Warnings,
        Exit::NotPassed,
        Exit::TakenBack,
        Exit::Left,
        Exit::Cancelled,
        Exit::Refused,
        Exit::Partly,
        Exit::Paused,
        Exit::Usage,
        Exit::Internal,
    ];

    /// The exit code of the program.
    pub fn code(self) -> u8 {
        match self {
            Exit::Success => 0,
            Exit::NotPassed => 1,
            Exit::Warnings => 10,
            Exit::TakenBack => 20,
            Exit::Left => 21,
            Exit::Cancelled => 30,
            Exit::Refused => 40,
            Exit::Partly => 41,
            Exit::Paused => 50,
            Exit::Usage => 64,
            Exit::Internal => 70,
        }
    }

    /// The exit with this code; one that is not among them is a failure of the program.
    pub fn of_code(code: u8) -> Self {
        let mut all = Exit::ALL.into_iter();
        all.find(|exit| exit.code() == code)
            .unwrap_or(Exit::Internal)
    }

    /// Of the runs of a batch, by the precedence that `--help` documents.
    pub fn of_batch(runs: &[Exit]) -> Exit {
        let any = |exits: &[Exit]| runs.iter().any(|run| exits.contains(run));
        let first = [
            Exit::Internal,
            Exit::Left,
            Exit::Paused,
            Exit::TakenBack,
            Exit::Cancelled,
        ];
        if let Some(exit) = first.into_iter().find(|exit| any(&[*exit])) {
            return exit;
        }
        let refused = [Exit::Refused, Exit::Usage, Exit::Partly, Exit::NotPassed];
        match (any(&refused), any(&[Exit::Success, Exit::Warnings])) {
            (true, true) => Exit::Partly,
            (true, false) if any(&[Exit::Refused]) => Exit::Refused,
            (true, false) => Exit::Usage,
            (false, _) if any(&[Exit::Warnings]) => Exit::Warnings,
            (false, _) => Exit::Success,
        }
    }

    /// How the program ends by a run that ended so.
    pub fn of_run(ending: &Ending, strict: bool) -> Self {
        match ending.outcome {
            RunOutcome::Warnings if strict => Exit::Warnings,
            RunOutcome::Success | RunOutcome::Warnings => Exit::Success,
            RunOutcome::Failed if ending.left.is_empty() => Exit::TakenBack,
            RunOutcome::Failed => Exit::Left,
            RunOutcome::Cancelled => Exit::Cancelled,
            RunOutcome::Refused if ending.invalid_options => Exit::Usage,
            RunOutcome::Refused => Exit::Refused,
            RunOutcome::Paused => Exit::Paused,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

/// The table for `--help`.
pub const HELP: &str = "\
Exit codes:
   0  done (with warnings too; see --strict)
  10  done with warnings, under --strict
  20  failed, and every change was undone
  21  failed, and something is left: the report says what
  30  cancelled
  40  refused before anything was touched
  41  of several hosts, some were refused or not begun before anything was touched on them; the others are done
  50  paused: it waits for an answer, or can be resumed
  64  the call, the guest's options, its source, the site file or the world file are wrong
  70  wreimage itself failed

Of several hosts, the first of these that one of them has: 70, 21, 50, 20, 30; then 41, 40, 64, 10, 0.";

/// The table for `test --help`.
pub const TEST_HELP: &str = "\
Exit codes:
   0  all passed
   1  some did not pass
  40  the guest cannot be loaded
  64  the call or a scenario is wrong: it has a key, a function or a host that does not exist, or expects nothing
  70  wreimage itself failed";

impl From<FailureKind> for Exit {
    fn from(kind: FailureKind) -> Self {
        match kind {
            FailureKind::Usage => Exit::Usage,
            FailureKind::Refused => Exit::Refused,
            FailureKind::Left => Exit::Left,
            FailureKind::Cancelled => Exit::Cancelled,
            FailureKind::Paused => Exit::Paused,
            FailureKind::Internal => Exit::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;
    use wreimage_journal::{Ending, RunOutcome};

    #[test]
    fn scenarios_name_the_exit_codes_of_the_program() {
        for outcome in RunOutcome::ALL {
            for left in [vec![], vec!["the boot override".to_owned()]] {
                for invalid_options in [false, true] {
                    let ending = Ending {
                        outcome,
                        summary: String::new(),
                        touched: true,
                        left: left.clone(),
                        invalid_options,
                    };
                    let code = Exit::of_run(&ending, false).code();
                    assert_eq!(code, wreimage_scenario::exit_code(&ending), "{ending:?}");
                }
            }
        }
    }

    #[test]
    fn the_worst_of_a_batch_is_told_in_the_documented_order() {
        let order = [70, 21, 50, 20, 30];
        for (index, code) in order.iter().enumerate() {
            let mut runs: Vec<Exit> = [0, 40].map(Exit::of_code).to_vec();
            runs.extend(order.iter().skip(index).map(|code| Exit::of_code(*code)));
            assert_eq!(Exit::of_batch(&runs), Exit::of_code(*code));
        }
        let of = |codes: &[u8]| {
            let runs: Vec<Exit> = codes.iter().map(|code| Exit::of_code(*code)).collect();
            Exit::of_batch(&runs).code()
        };
        assert_eq!(of(&[0, 0, 0, 0, 40, 40]), 41);
        assert_eq!(of(&[10, 64]), 41);
        assert_eq!(of(&[40, 64]), 40);
        assert_eq!(of(&[64, 64]), 64);
        assert_eq!(of(&[0, 10]), 10);
        assert_eq!(of(&[0, 0]), 0);
    }
}
