//! What a run that has failed leaves in the systems around the machine, and what ends it.

use crate::options::Asked;
use crate::quiet::{self, silence_of};
use crate::repool::Todo;
use crate::{releases, steps};
use wreimage_sdk::{Cause, Ending, PastStep, Verdict};

/// What every command that runs this guest begins with.
const COMMAND: &str = "wreimage run reimage";

/// Options that the command to go on does not carry over: those that it decides itself, and `--force`, because doubts
/// are to be judged anew.
const NOT_CARRIED_OVER: [&str; 4] = ["os", "new", "no-pxe", "force"];

/// What the systems around the machine report when the run has ended. Each is asked only where the answer matters.
pub trait Look {
    /// Whether PuppetDB knows the host; `None` when it cannot be asked.
    fn is_known(&self) -> Option<bool>;

    /// What earlier runs have left. `silence` is the id of this run's silence.
    fn earlier(&self, silence: Option<&str>) -> Vec<Todo>;
}

/// What is left, each with the command that ends it. Nothing after a run that came to its end: it has registered what it
/// leaves.
pub fn of(asked: &Asked, ending: &Ending, look: &impl Look) -> Vec<Todo> {
    if matches!(&ending.cause, Cause::Finished(_)) {
        return Vec::new();
    }
    let past = Past(ending);
    let mut left = Vec::new();
    let silence = past.silence();
    if !past.done(steps::settle::PHASE, steps::settle::REMOVE_DOWNTIME) {
        let downtimed = past.done(steps::drain::PHASE, steps::drain::DOWNTIME)
            || past.done(steps::populate::PHASE, steps::populate::DOWNTIME);
        left.extend(quiet::todos(asked, downtimed, silence.as_deref()));
    }
    let began = |phase: &str| ending.steps.iter().any(|step| step.phase == phase);
    if began(steps::drain::PHASE) {
        left.extend(look.earlier(silence.as_deref()));
    }
    let forgotten = past.is_forgotten(look);
    let installed = past.is_installed();
    let what = match (forgotten, installed) {
        (true, true) => "is out of PuppetDB, and the new OS is installed",
        (true, false) => "is out of PuppetDB",
        (false, true) => "has the new OS, and was not finished",
        (false, false) => return left,
    };
    let is_new = match asked.lacks(&["puppetdb"]) {
        Some(_) => asked.new,
        None => forgotten,
    };
    left.push(Todo {
        text: format!("{} {what}", asked.host),
        command: go_on(asked, is_new, installed),
    });
    left
}

/// The command to run next, for a run that has not succeeded and has not left one; or why there is none.
pub fn next(asked: &Asked, ending: &Ending, left: &[Todo]) -> Option<String> {
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
    if left.iter().any(|todo| todo.command.starts_with(COMMAND)) {
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
                "no wreimage command: name boot media that the install server has".to_owned(),
            );
        }
        _ => {}
    }
    // PuppetDB has told that the opposite is so; another release than the one that runs must be installed.
    let is_new = asked.new != (code == "reimage.new-or-not");
    let no_pxe = asked.no_pxe && code != "reimage.wrong-release";
    Some(go_on(&corrected, is_new, no_pxe))
}

/// The steps of a run that has ended.
struct Past<'a>(&'a Ending);

impl Past<'_> {
    fn find(&self, phase: &str, name: &str) -> Option<&PastStep> {
        let mut steps = self.0.steps.iter().rev();
        steps.find(|step| step.phase == phase && step.name == name)
    }

    fn done(&self, phase: &str, name: &str) -> bool {
        let step = self.find(phase, name);
        step.is_some_and(|step| matches!(step.level.as_str(), "success" | "warning"))
    }

    fn succeeded(&self, phase: &str, name: &str) -> bool {
        let step = self.find(phase, name);
        step.is_some_and(|step| step.level == "success")
    }

    /// The id of this run's silence: the second takes the place of the first.
    fn silence(&self) -> Option<String> {
        let made = |phase: &str, name: &str| {
            let step = self.find(phase, name)?;
            silence_of(&step.text)
        };
        made(steps::populate::PHASE, steps::populate::SILENCE)
            .or_else(|| made(steps::drain::PHASE, steps::drain::SILENCE))
    }

    /// Whether the next run will not find the host in PuppetDB. The answer to the removal may have been lost, and an agent
    /// may have made the host known again: PuppetDB itself is asked.
    fn is_forgotten(&self, look: &impl Look) -> bool {
        let removal = self.find(steps::forget::PHASE, steps::forget::PUPPETDB);
        if removal.is_none_or(|step| step.level == "skipped") {
            return false;
        }
        look.is_known().map_or_else(
            || {
                // A catalogue makes the host known again; a noop run that failed may have got none.
                let known_again = self.succeeded(steps::populate::PHASE, steps::populate::NOOP)
                    || self.done(steps::populate::PHASE, steps::populate::RESOURCE);
                self.done(steps::forget::PHASE, steps::forget::PUPPETDB) && !known_again
            },
            |is_known| !is_known,
        )
    }

    /// Whether the host has the OS that was asked for, so that the next run need not wipe it.
    fn is_installed(&self) -> bool {
        let wrong =
            matches!(&self.0.cause, Cause::Faulted(fault) if fault.code == "reimage.wrong-release");
        if self.done(steps::install::PHASE, steps::install::NOT_INSTALLER) {
            return !wrong;
        }
        self.find(steps::forget::PHASE, steps::forget::PUPPETDB)
            .is_some_and(|step| step.level != "skipped")
            && self.done(steps::validate::PHASE, steps::validate::PRESENT_OS)
    }
}

/// The command that goes on where this run has stopped, with its options. None of their values needs quotes.
fn go_on(asked: &Asked, is_new: bool, no_pxe: bool) -> String {
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
    use crate::options::tests::request;
    use wreimage_sdk::{Fault, FaultKind, Outcome};

    /// Systems that report this.
    #[derive(Default)]
    struct Report {
        is_known: Option<bool>,
        earlier: Vec<Todo>,
    }

    impl Look for Report {
        fn is_known(&self) -> Option<bool> {
            self.is_known
        }

        fn earlier(&self, _: Option<&str>) -> Vec<Todo> {
            self.earlier.clone()
        }
    }

    fn asked(given: &[(&str, &str)]) -> Asked {
        let os = [("os", "bullseye")];
        Asked::from_request(&request(&[&os, given].concat())).unwrap()
    }

    fn step(phase: &str, name: &str, level: &str) -> PastStep {
        PastStep {
            phase: phase.to_owned(),
            name: name.to_owned(),
            level: level.to_owned(),
            text: String::new(),
        }
    }

    fn ending(cause: Cause, steps: Vec<PastStep>) -> Ending {
        Ending {
            cause,
            steps,
            reminders: Vec::new(),
            undone: Vec::new(),
            extra: Vec::new(),
        }
    }

    fn left_of(cause: Cause, steps: Vec<PastStep>) -> Vec<String> {
        reported(cause, steps, &Report::default())
    }

    fn reported(cause: Cause, steps: Vec<PastStep>, report: &Report) -> Vec<String> {
        let left = of(&asked(&[]), &ending(cause, steps), report).into_iter();
        left.map(|todo| format!("{}: {}", todo.text, todo.command))
            .collect()
    }

    fn left(cause: Cause, steps: &[(&str, &str)]) -> Vec<String> {
        let done = |(phase, name): &(&str, &str)| step(phase, name, "success");
        left_of(cause, steps.iter().map(done).collect())
    }

    fn failed() -> Cause {
        Cause::Faulted(Fault::new(FaultKind::Timeout, "c", "s", "never"))
    }

    #[test]
    fn a_failure_leaves_what_the_next_run_has_to_know() {
        let forgotten = (steps::forget::PHASE, steps::forget::PUPPETDB);
        let installed = (steps::install::PHASE, steps::install::NOT_INSTALLER);
        let known_again = (steps::populate::PHASE, steps::populate::RESOURCE);
        assert_eq!(left(failed(), &[]), Vec::<String>::new());
        assert_eq!(
            left(failed(), &[forgotten]),
            [
                "host1001 is out of PuppetDB: wreimage run reimage --host host1001 --os bullseye --new"
            ]
        );
        assert!(left(failed(), &[forgotten, installed])[0].ends_with(" --new --no-pxe"));
        assert!(left(failed(), &[forgotten, installed, known_again])[0].ends_with("seye --no-pxe"));
        let downtimed = (steps::drain::PHASE, steps::drain::DOWNTIME);
        assert!(left(failed(), &[downtimed])[0].starts_with("host1001 is in downtime"));
        let removed = (steps::settle::PHASE, steps::settle::REMOVE_DOWNTIME);
        assert_eq!(left(failed(), &[downtimed, removed]), Vec::<String>::new());
    }

    #[test]
    fn a_catalogue_makes_the_host_known_again() {
        use steps::{forget, install, populate, validate};
        for (level, ends_with) in [
            ("success", "--os bullseye --no-pxe"),
            ("warning", "--os bullseye --new --no-pxe"),
            ("failure", "--os bullseye --new --no-pxe"),
        ] {
            let steps = vec![
                step(forget::PHASE, forget::PUPPETDB, "success"),
                step(install::PHASE, install::NOT_INSTALLER, "success"),
                step(populate::PHASE, populate::NOOP, level),
            ];
            let left = left_of(failed(), steps);
            assert!(left[0].ends_with(ends_with), "{level}: {left:?}");
        }
        // A run with --no-pxe has installed nothing itself.
        let steps = vec![
            step(validate::PHASE, validate::PRESENT_OS, "success"),
            step(forget::PHASE, forget::PUPPETDB, "success"),
            step(install::PHASE, install::DHCP, "skipped"),
            step(populate::PHASE, populate::NOOP, "success"),
        ];
        assert!(left_of(failed(), steps)[0].ends_with("--os bullseye --no-pxe"));
    }

    /// The answer to a removal can be lost, and whether the host is still known decides about `--new`.
    #[test]
    fn what_puppetdb_reports_counts_more_than_what_the_steps_say() {
        use steps::forget;
        for (level, is_known, new) in [
            ("failure", Some(false), true),
            ("unfinished", Some(false), true),
            ("success", Some(true), false),
            ("success", None, true),
            ("failure", None, false),
        ] {
            let steps = vec![step(forget::PHASE, forget::PUPPETDB, level)];
            let report = Report {
                is_known,
                ..Report::default()
            };
            let left = reported(failed(), steps, &report);
            assert_eq!(
                left.iter().any(|it| it.ends_with("--new")),
                new,
                "{level} {is_known:?}: {left:?}"
            );
        }
    }

    #[test]
    fn what_earlier_runs_have_left_is_named_once_this_one_has_begun() {
        let todo = Todo {
            text: "an old downtime".to_owned(),
            command: "end it".to_owned(),
        };
        let report = Report {
            is_known: None,
            earlier: vec![todo],
        };
        let drained = vec![step(steps::drain::PHASE, steps::drain::DEPOOL, "failure")];
        assert_eq!(
            reported(failed(), drained, &report),
            ["an old downtime: end it"]
        );
        assert_eq!(
            reported(failed(), Vec::new(), &report),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_system_that_could_not_be_asked_for_its_release_is_not_wiped_for_it() {
        use steps::{forget, install};
        let steps = |level: &str| {
            vec![
                step(forget::PHASE, forget::PUPPETDB, "success"),
                step(install::PHASE, install::NOT_INSTALLER, "success"),
                step(install::PHASE, install::RELEASE, level),
            ]
        };
        assert!(left_of(failed(), steps("failure"))[0].ends_with("--new --no-pxe"));
        let wrong = Fault::new(FaultKind::Rejected, "reimage.wrong-release", "s", "trixie");
        assert!(left_of(Cause::Faulted(wrong), steps("failure"))[0].ends_with("bullseye --new"));
    }

    #[test]
    fn an_end_without_anything_left_names_the_command_to_run_next() {
        let next = |given: &[(&str, &str)], code: &str, extra: &[(&str, &str)]| {
            let mut fault = Fault::new(FaultKind::Conflict, code, "s", "no");
            fault.extra = extra
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect();
            super::next(
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
        let left = [Todo {
            text: String::new(),
            command: format!("{command} --new"),
        }];
        assert_eq!(
            super::next(&asked(&[]), &ending(failed(), Vec::new()), &left),
            None
        );
    }

    #[test]
    fn the_command_to_go_on_has_the_options_of_the_run() {
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
            go_on(&given, true, false),
            format!(
                "wreimage run reimage --host host1001 --os bullseye --new {options} --pxe-media=rescue"
            )
        );
        assert_eq!(
            go_on(&given, false, true),
            format!("wreimage run reimage --host host1001 --os bullseye --no-pxe {options}")
        );
        let resumed = asked(&[("new", "true"), ("no-pxe", "true"), ("conftool", "true")]);
        assert_eq!(
            go_on(&resumed, false, true),
            "wreimage run reimage --host host1001 --os bullseye --no-pxe --conftool"
        );
    }

    #[test]
    fn a_run_that_came_to_its_end_has_said_what_it_leaves() {
        let done = Cause::Finished(Outcome {
            verdict: Verdict::Failed,
            summary: String::new(),
            extra: Vec::new(),
        });
        let forgotten = (steps::forget::PHASE, steps::forget::PUPPETDB);
        assert_eq!(left(done, &[forgotten]), Vec::<String>::new());
    }
}
