//! `--speed`.

use super::place::Output;
use crate::failure::Failure;
use std::io::IsTerminal;
use wreimage_lab::Pace;

/// Virtual seconds a second at which a lab run on a terminal takes about 15 s.
const TERMINAL_SPEED: f64 = 270.0;

/// How fast the time of a lab passes.
pub fn pace(speed: Option<f64>, output: Output) -> Result<Pace, Failure> {
    match speed {
        Some(speed) if !speed.is_finite() || speed < 0.0 => Err(Failure::Usage(format!(
            "--speed {speed} is no speed: give a number above 0, or 0 for at once"
        ))),
        Some(0.0) => Ok(Pace::Full),
        Some(speed) => Ok(Pace::Speed(speed)),
        None if output == Output::Text && std::io::stderr().is_terminal() => {
            Ok(Pace::Speed(TERMINAL_SPEED))
        }
        None => Ok(Pace::Full),
    }
}
