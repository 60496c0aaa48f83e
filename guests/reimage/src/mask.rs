//! Masking: services that the first Puppet run must not start.

use crate::machine::System;
use crate::options::Asked;
use crate::policy;
use wreimage_sdk::remote::{self, Command, Exit};
use wreimage_sdk::{Actions, Fault, FaultKind, FollowUp, Step, text};

/// Name of the phase.
pub const PHASE: &str = "mask";

/// Kinds of units that are no services; `--mask` does not take them.
const OTHER_UNITS: [&str; 10] = [
    ".socket",
    ".timer",
    ".path",
    ".target",
    ".mount",
    ".automount",
    ".swap",
    ".slice",
    ".scope",
    ".device",
];

/// Masks the units of `--mask`. They stay masked; each is a follow-up as soon as it is masked.
///
/// # Errors
/// When a unit cannot be masked: Puppet would start it.
pub fn run(asked: &Asked, system: &System, actions: &mut Actions) -> Result<(), Fault> {
    let nothing = asked
        .mask
        .is_empty()
        .then(|| "no units to mask: no --mask".to_owned());
    actions
        .phase(PHASE)
        .step_unless("Mask the provided systemd services", nothing, |step| {
            mask(asked, system, step)
        })
        .map(|_| ())
}

fn mask(asked: &Asked, system: &System, step: &mut Step) -> Result<(), Fault> {
    for unit in &asked.mask {
        let command = Command {
            argv: ["systemctl", "mask", unit].map(str::to_owned).to_vec(),
            timeout_ms: policy::MASK_TIMEOUT_MS,
        };
        let result = remote::run(system.identity, &command)?;
        if result.exit != Exit::Status(0) {
            return Err(Fault::new(
                FaultKind::Rejected,
                "reimage.mask-failed",
                &asked.host,
                format!(
                    "{unit} could not be masked on {}: {}. The first Puppet run would start it, so nothing more was done.",
                    asked.host,
                    text::last_lines(&result.stderr_tail, 2)
                ),
            ));
        }
        let text = format!(
            "{unit} is masked on {host}; the command is for {host}, unless Puppet has unmasked it",
            host = asked.host
        );
        FollowUp::new(&format!("mask/{unit}"), text, unmask(unit)).add();
        step.says(format!("masked {unit}"));
    }
    Ok(())
}

/// The command that ends the mask of a unit, or of several.
pub fn unmask(units: &str) -> String {
    format!("sudo systemctl unmask {units}")
}

/// The name of a service, with its suffix; none when the word cannot be one. What is left needs no quotes.
pub fn unit_name(word: &str) -> Option<String> {
    let is_name = !word.is_empty()
        && !word.starts_with(['-', '.', '@', ':'])
        && word.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'_' | b'.' | b'@' | b'-')
        });
    let is_other = OTHER_UNITS.iter().any(|suffix| word.ends_with(suffix));
    let name = format!("{}.service", word.strip_suffix(".service").unwrap_or(word));
    // The longest name that systemd takes.
    (is_name && !is_other && name.len() <= 255).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_a_service() {
        for (word, unit) in [
            ("nginx", "nginx.service"),
            ("nginx.service", "nginx.service"),
            ("getty@tty1", "getty@tty1.service"),
            ("php7.4-fpm", "php7.4-fpm.service"),
        ] {
            assert_eq!(unit_name(word).as_deref(), Some(unit));
        }
    }

    #[test]
    fn what_cannot_be_a_unit_is_refused() {
        let long = "x".repeat(250);
        for word in [
            "",
            "-a",
            ".service",
            "a b",
            "a;b",
            "$(x)",
            "a/b",
            "a'b",
            "a\nb",
            "ä",
            "srv.mount",
            "apt-daily.timer",
            &long,
        ] {
            assert_eq!(unit_name(word), None, "{word}");
        }
    }
}
