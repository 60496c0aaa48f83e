//! The end of a run that was alone.

use crate::arguments::Output;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::next;
use crate::output;
use crate::output::print;
use crate::terminal::session::Session;
use wreimage_runs::RunResult;

/// How a guest's note of the command to run next begins.
const NEXT: &str = "Next: wreimage ";

/// Prints the end of a run, when nothing more is shown of it.
pub fn conclude(session: &Session, result: &RunResult) -> Result<Exit, Failure> {
    session.face.finish();
    print_end(session, result)
}

/// Prints the end of a run.
pub fn print_end(session: &Session, result: &RunResult) -> Result<Exit, Failure> {
    let report = &result.report;
    let as_text = session.output == Output::Text;
    if as_text {
        print::page(&output::report(report))?;
    }
    // The guest knows better what to correct: its command is in the report.
    let by_guest = as_text && report.notes.iter().any(|(_, it)| it.starts_with(NEXT));
    if !by_guest && let Some(next) = next::after_run(&report.run, report.ending.outcome) {
        print::line(&next);
    }
    print::line(&format!(
        "record of {}: {}",
        report.run,
        result.recorded.display()
    ));
    Ok(Exit::of_run(&report.ending, session.strict))
}
