//! What is written on the task: once when the reimage starts, once when it has ended.

use crate::options::Asked;
use crate::{announce, policy, validate};
use wreimage_sdk::{Cause, Ending, PastStep, Verdict, text};

/// Why nothing is written, if nothing is.
pub fn no_task(asked: &Asked) -> Option<String> {
    match asked.task {
        None => Some("no --task".to_owned()),
        Some(_) => asked.lacks(&["phabricator"]),
    }
}

/// The first comment.
pub fn started(asked: &Asked, fqdn: &str) -> String {
    let installs = if asked.no_pxe {
        " (--no-pxe: nothing is installed)"
    } else {
        ""
    };
    let what = format!("{} was started for {fqdn}{installs}.", run(asked));
    text::bounded(&what, policy::COMMENT_LIMIT)
}

/// What stands behind the news that a run has ended which installed nothing because of `--no-pxe`.
pub fn not_installed(asked: &Asked) -> &'static str {
    if asked.no_pxe {
        " (--no-pxe: nothing was installed)"
    } else {
        ""
    }
}

/// The last comment; none when the run was refused before its first one, or has no task.
pub fn ended(asked: &Asked, ending: &Ending) -> Option<String> {
    // Refused or stopped while it was being made, the first comment is unfinished or failed.
    let announced = ending.steps.iter().any(|step| {
        step.phase == announce::PHASE && matches!(step.level.as_str(), "success" | "warning")
    });
    if !announced || no_task(asked).is_some() {
        return None;
    }
    let (how, mark) = how(&ending.cause);
    let mut lines = vec![
        format!("{} {how}{}:", run(asked), not_installed(asked)),
        format!("- {} (**{mark}**)", asked.host),
    ];
    lines.extend(ending.steps.iter().filter_map(action));
    let told = lines.join("\n");
    // What is left to do stands at the end, and must not be what a long list of steps pushes out.
    let mut lines = Vec::new();
    for undone in &ending.undone {
        if undone.state == "failed" || undone.state == "left" {
            let told = plain(&undone.text);
            lines.push(format!("  - **Not taken back: {}**: {told}", undone.thing));
        }
    }
    if !ending.follow_ups.is_empty() {
        lines.push("- Left to do".to_owned());
    }
    for left in &ending.follow_ups {
        let (about, command) = (plain(&left.text), plain(&left.command));
        lines.push(format!("  - {about}: {command}"));
    }
    let left = text::bounded(&lines.join("\n"), policy::COMMENT_LIMIT / 2);
    let told = text::bounded(&told, policy::COMMENT_LIMIT - left.len() - 1);
    Some(format!("{told}\n{left}").trim_end().to_owned())
}

/// The run, as both comments name it.
fn run(asked: &Asked) -> String {
    let who = asked.whose();
    format!(
        "The reimage of {} with OS {} by {who} (run {})",
        asked.host,
        asked.os,
        asked.run_id()
    )
}

fn how(cause: &Cause) -> (&'static str, &'static str) {
    match cause {
        Cause::Finished(outcome) => match outcome.verdict {
            Verdict::Success => ("completed", "PASS"),
            Verdict::Warnings => ("completed with warnings", "WARN"),
            Verdict::Failed | Verdict::Other(_) => ("executed with errors", "FAIL"),
        },
        Cause::Cancelled(_) => ("was stopped", "FAIL"),
        Cause::Faulted(_) | Cause::Trapped(_) | Cause::Other(_) => ("failed", "FAIL"),
    }
}

/// A step in a line, marked as the tasks mark warnings and failures. The validation is not news to a task.
fn action(step: &PastStep) -> Option<String> {
    if step.level == "skipped" || step.phase == validate::PHASE {
        return None;
    }
    let name = &step.name;
    let marked = match step.level.as_str() {
        "success" => name.clone(),
        "warning" => format!("//{name}//"),
        _ => format!("**{name}**"),
    };
    Some(match step.text.as_str() {
        "" => format!("  - {marked}"),
        told => format!("  - {marked}: {}", plain(told)),
    })
}

/// Text of other systems, in one line that has no meaning in Remarkup: no mention, no link, no heading, no command.
fn plain(words: &str) -> String {
    let line = text::line(words, policy::LINE_LIMIT);
    format!("`{}`", line.replace('`', "'"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cleanup_hints::tests::ending;
    use crate::options::tests::request;
    use wreimage_sdk::{Fault, FaultKind, FollowUp, Outcome};

    fn asked(task: Option<&str>) -> Asked {
        let options: Vec<_> = task.map(|task| ("task", task)).into_iter().collect();
        let os = [("os", "bullseye")];
        Asked::from_request(&request(&[&os, &options[..]].concat())).unwrap()
    }

    fn step(phase: &str, name: &str, level: &str, text: &str) -> PastStep {
        PastStep {
            phase: phase.to_owned(),
            name: name.to_owned(),
            level: level.to_owned(),
            text: text.to_owned(),
        }
    }

    fn started_as(level: &str) -> PastStep {
        step(
            "announce",
            "Update the Phabricator task saying that the reimage has been started",
            level,
            "T1",
        )
    }

    fn finished(verdict: Verdict) -> Cause {
        Cause::Finished(Outcome {
            verdict,
            summary: String::new(),
            extra: Vec::new(),
        })
    }

    #[test]
    fn without_a_task_or_a_first_comment_there_is_no_last_one() {
        let done = |level: &str| ending(finished(Verdict::Success), vec![started_as(level)]);
        assert_eq!(ended(&asked(None), &done("success")), None);
        assert_eq!(
            ended(
                &asked(Some("T1")),
                &ending(finished(Verdict::Success), vec![])
            ),
            None
        );
        // The ticket system did not answer then; it may now.
        assert!(ended(&asked(Some("T1")), &done("warning")).is_some());
        for refused in ["unfinished", "failure", "skipped"] {
            assert_eq!(ended(&asked(Some("T1")), &done(refused)), None, "{refused}");
        }
    }

    #[test]
    fn a_failure_says_what_was_done_what_failed_and_what_is_left() {
        let fault = Fault::new(FaultKind::Timeout, "c", "s", "never");
        let mut failed = ending(
            Cause::Faulted(fault),
            vec![
                step("validate", "Ask the BMC", "success", "on"),
                started_as("success"),
                step(
                    "drain",
                    "Disable Puppet on the host",
                    "warning",
                    "no\nanswer",
                ),
                step("drain", "Depool from conftool", "skipped", "no --conftool"),
                step(
                    "deregister",
                    "Remove the host from Puppet and PuppetDB",
                    "success",
                    "",
                ),
                step(
                    "install",
                    "Verify that the new OS is the requested one",
                    "success",
                    "",
                ),
                step(
                    "enrol",
                    "Poll for the CSR on the active Puppet CA server",
                    "failure",
                    "never",
                ),
            ],
        );
        failed.follow_ups = vec![FollowUp::new(
            "mask/a.service",
            "a.service is masked",
            "sudo systemctl unmask a.service",
        )];
        assert_eq!(
            ended(&asked(Some("T1")), &failed).unwrap(),
            "The reimage of host1001 with OS bullseye by tester (run run-1) failed:\n\
             - host1001 (**FAIL**)\n  \
               - Update the Phabricator task saying that the reimage has been started: `T1`\n  \
               - //Disable Puppet on the host//: `no answer`\n  \
               - Remove the host from Puppet and PuppetDB\n  \
               - Verify that the new OS is the requested one\n  \
               - **Poll for the CSR on the active Puppet CA server**: `never`\n\
             - Left to do\n  \
               - `a.service is masked`: `sudo systemctl unmask a.service`"
        );
    }

    #[test]
    fn without_an_installation_both_comments_say_so() {
        let options = [("os", "bullseye"), ("task", "T1"), ("no-pxe", "true")];
        let asked = Asked::from_request(&request(&options)).unwrap();
        let first = started(&asked, "host1001.lab1.test");
        assert!(first.ends_with("lab1.test (--no-pxe: nothing is installed)."));
        let done = ending(finished(Verdict::Success), vec![started_as("success")]);
        let last = ended(&asked, &done).unwrap();
        assert!(
            last.contains("completed (--no-pxe: nothing was installed):"),
            "{last}"
        );
    }

    #[test]
    fn what_a_machine_says_is_no_markup() {
        let said = "@everybody `T1` {F1}\n= heading";
        let done = step("drain", "Depool", "warning", said);
        assert_eq!(
            action(&done).unwrap(),
            "  - //Depool//: `@everybody 'T1' {F1} = heading`"
        );
    }

    #[test]
    fn a_comment_never_grows_without_bound() {
        let long = step("drain", "x", "success", &"y".repeat(10_000));
        let steps = [vec![started_as("success")], vec![long; 100]].concat();
        let mut done = ending(finished(Verdict::Warnings), steps);
        done.follow_ups = vec![FollowUp::new("mask/a", "masked", "unmask")];
        let comment = ended(&asked(Some("T1")), &done).unwrap();
        assert!(comment.ends_with("`masked`: `unmask`"), "{comment}");
        assert!(comment.len() <= policy::COMMENT_LIMIT);
        assert!(comment.contains("completed with warnings"));
    }
}
