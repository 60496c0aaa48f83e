//! The `wreimage` command to run after a run.

use crate::options::Asked;
use crate::{release, releases};
use wreimage_sdk::{Cause, Ending, FollowUp, Verdict};

/// What every command that runs this guest begins with.
const COMMAND: &str = "wreimage run reimage";

/// Options that the command does not carry over: those that it decides itself, and `--force`, because doubts
/// are to be judged anew.
const NOT_CARRIED_OVER: [&str; 4] = ["os", "new", "no-pxe", "force"];

/// The command to run next, for a run that has not succeeded and has not left one; or why there is none.
pub fn after(asked: &Asked, ending: &Ending, left: &[FollowUp]) -> Option<String> {
    let fault = match &ending.cause {
        Cause::Finished(outcome) if outcome.verdict == Verdict::Failed => {
            return Some(format!(
                "no wreimage command: {} has the new OS; what the failed steps report is to be done by hand",
                asked.host
            ));
        }
        Cause::Finished(_) => return None,
        Cause::Faulted(fault) => Some(fault),
        _ => None,
    };
    if left.iter().any(|it| it.command.starts_with(COMMAND)) {
        return None;
    }
    let code = fault.map_or("", |fault| fault.code.as_str());
    let mut corrected = asked.clone();
    // Of a mistyped name the one that was meant.
    let meant = fault.and_then(|fault| fault.extra.iter().find(|(key, _)| key == releases::MEANT));
    match (code, meant) {
        (releases::NO_RELEASE, Some((_, os))) => corrected.os = os.clone(),
        (releases::NO_RELEASE, None) => {
            return Some(
                "no wreimage command: name a release that the install server has".to_owned(),
            );
        }
        (releases::NO_MEDIA, _) => {
            return Some(
                "no wreimage command: the boot media must be some that the install server has"
                    .to_owned(),
            );
        }
        _ => {}
    }
    // PuppetDB has reported the opposite; another release than the one that runs must be installed.
    let is_new = asked.new != (code == "reimage.new-or-not");
    let no_pxe = asked.no_pxe && code != release::WRONG;
    Some(continuing(&corrected, is_new, no_pxe))
}

/// The command that continues where this run has stopped, with its options. None of their values needs quotes.
pub fn continuing(asked: &Asked, is_new: bool, no_pxe: bool) -> String {
    let mut words = vec![format!("{COMMAND} --host {} --os {}", asked.host, asked.os)];
    if is_new {
        words.push("--new".to_owned());
    }
    if no_pxe {
        words.push("--no-pxe".to_owned());
    }
    let given = asked.given();
    let kept = given.into_iter().filter(|(name, _)| {
        // Nothing is booted with `--no-pxe`, so the two contradict each other.
        let boots_nothing = no_pxe && name == "pxe-media";
        !NOT_CARRIED_OVER.contains(&name.as_str()) && !boots_nothing
    });
    words.extend(kept.map(|(name, value)| match value {
        Some(value) => format!("--{name}={value}"),
        None => format!("--{name}"),
    }));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cleanup_hints::tests::ending;
    use crate::options::tests::request;
    use wreimage_sdk::{Fault, FaultKind};

    fn asked(given: &[(&str, &str)]) -> Asked {
        let os = [("os", "bullseye")];
        Asked::from_request(&request(&[&os, given].concat())).unwrap()
    }

    #[test]
    fn an_end_without_anything_left_names_the_command_to_run_next() {
        let next = |given: &[(&str, &str)], code: &str, extra: &[(&str, &str)]| {
            let mut fault = Fault::new(FaultKind::Conflict, code, "s", "no");
            fault.extra = extra
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect();
            after(
                &asked(given),
                &ending(Cause::Faulted(fault), Vec::new()),
                &[],
            )
            .unwrap()
        };
        let command = "wreimage run reimage --host host1001 --os bullseye";
        assert_eq!(next(&[], "ipmi.timeout", &[]), command);
        assert_eq!(
            next(&[("new", "true")], "x", &[]),
            format!("{command} --new")
        );
        assert_eq!(
            next(&[], "reimage.new-or-not", &[]),
            format!("{command} --new")
        );
        assert_eq!(next(&[("new", "true")], "reimage.new-or-not", &[]), command);
        assert_eq!(
            next(&[("no-pxe", "true")], "reimage.wrong-release", &[]),
            command
        );
        assert_eq!(
            next(&[], releases::NO_RELEASE, &[(releases::MEANT, "bookworm")]),
            "wreimage run reimage --host host1001 --os bookworm"
        );
        assert!(next(&[], releases::NO_RELEASE, &[]).starts_with("no wreimage command: "));
        // One that is left already is not named twice.
        let cancelled = Cause::Cancelled("by the operator".to_owned());
        let left = [FollowUp::new("next-run", "", format!("{command} --new"))];
        assert_eq!(
            after(&asked(&[]), &ending(cancelled, Vec::new()), &left),
            None
        );
    }

    #[test]
    fn the_command_has_the_options_of_the_run() {
        let given = asked(&[
            ("task", "T12345"),
            ("conftool", "true"),
            ("conftool-value", "no"),
            ("httpbb", "true"),
            ("httpbb-suite", "parsoid"),
            ("no-downtime", "true"),
            ("mask", "a,b.service"),
            ("no-check-icinga", "true"),
            ("pxe-media", "rescue"),
            ("force", "true"),
        ]);
        let options = "--task=T12345 --conftool --conftool-value=no --httpbb --httpbb-suite=parsoid --no-downtime \
                       --mask=a,b.service --no-check-icinga";
        assert_eq!(
            continuing(&given, true, false),
            format!(
                "wreimage run reimage --host host1001 --os bullseye --new {options} --pxe-media=rescue"
            )
        );
        assert_eq!(
            continuing(&given, false, true),
            format!("wreimage run reimage --host host1001 --os bullseye --no-pxe {options}")
        );
        let resumed = asked(&[("new", "true"), ("no-pxe", "true"), ("conftool", "true")]);
        assert_eq!(
            continuing(&resumed, false, true),
            "wreimage run reimage --host host1001 --os bullseye --no-pxe --conftool"
        );
    }
}
