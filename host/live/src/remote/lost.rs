//! Commands without an answer: those that were never sent, and reboots of which nobody knows whether they happened.

use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};
use wreimage_capability::{Fault, FaultKind, Reconciled};

/// How long and how often a lost reboot is looked for.
pub(super) struct Bounds {
    /// How long a machine that was told to reboot may go on answering before it counts as not rebooting, or be silent
    /// before nobody can tell.
    pub(super) within: Duration,
    /// How much longer the last look may take.
    pub(super) last_look: Duration,
    pub(super) poll: Duration,
}

/// systemd waits up to 90 s for a service that does not stop. The last look ends before 120 s, after which the engine asks
/// no longer, so that the reason given here is seen.
pub(super) const LOST_REBOOT: Bounds = Bounds {
    within: Duration::from_secs(100),
    last_look: Duration::from_secs(12),
    poll: Duration::from_secs(1),
};

/// What went wrong before a command was sent leaves no doubt about the command.
pub(super) fn not_sent(what: &str, mut fault: Fault) -> Fault {
    if fault.leaves_doubt() {
        fault.kind = FaultKind::Unreachable;
        "remote.unreachable".clone_into(&mut fault.code);
        fault.message = format!("{what} was not sent: {}", fault.message);
    }
    fault
}

/// Whether the machine `name` left the boot `before`; `look` reads the boot id.
pub(super) async fn reboot<F: Future<Output = Result<String, Fault>>>(
    name: &str,
    before: &str,
    bounds: &Bounds,
    look: impl Fn() -> F,
) -> Reconciled {
    let end = Instant::now() + bounds.within;
    loop {
        let seen = timeout_at(end + bounds.last_look, look()).await;
        let last = Instant::now() >= end;
        let why = match seen {
            Ok(Ok(now)) if now != before => return Reconciled::happened(),
            Ok(Ok(_)) if last => return Reconciled::DidNot,
            Ok(Ok(_)) => String::new(),
            Ok(Err(fault)) => fault.message,
            Err(_) => "no answer in time".to_owned(),
        };
        if last {
            return Reconciled::Unknown(format!(
                "the boot id was {before} before, and {name} does not tell another: {why}"
            ));
        }
        sleep(bounds.poll).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    const SHORT: Bounds = Bounds {
        within: Duration::from_millis(60),
        last_look: Duration::from_millis(20),
        poll: Duration::from_millis(5),
    };

    fn silent() -> Fault {
        Fault::timeout("remote.timeout", "host h", "h says nothing")
    }

    #[test]
    fn the_bounds_leave_room_for_stop_jobs_and_fit_into_the_look_of_the_engine() {
        assert!(LOST_REBOOT.within >= Duration::from_secs(100));
        assert!(LOST_REBOOT.within + LOST_REBOOT.last_look < Duration::from_secs(120));
    }

    #[test]
    fn what_was_not_sent_leaves_no_doubt() {
        let fault = not_sent("the reboot", silent());
        assert!(!fault.leaves_doubt() && fault.retryable);
        assert_eq!(fault.message, "the reboot was not sent: h says nothing");
        let denied = Fault::denied("remote.auth-refused", "host h", "no");
        assert_eq!(not_sent("the reboot", denied.clone()), denied);
    }

    #[tokio::test]
    async fn a_reboot_that_comes_late_happened() {
        let looks = AtomicU32::new(0);
        let look = || async {
            match looks.fetch_add(1, Ordering::Relaxed) {
                0..=2 => Ok("old".to_owned()),
                3 => Err(silent()),
                _ => Ok("new".to_owned()),
            }
        };
        let verdict = reboot("h", "old", &SHORT, look).await;
        assert_eq!(verdict, Reconciled::happened());
    }

    #[tokio::test]
    async fn a_machine_that_stays_up_did_not_and_a_silent_one_cannot_tell() {
        let start = Instant::now();
        let verdict = reboot("h", "old", &SHORT, || async { Ok("old".to_owned()) }).await;
        assert_eq!(verdict, Reconciled::DidNot);
        assert!(start.elapsed() >= SHORT.within);

        let told = |verdict, why: &str| {
            let Reconciled::Unknown(text) = verdict else {
                panic!("{verdict:?}")
            };
            assert!(text.contains(why), "{text}");
        };
        let silent = || async { Err(silent()) };
        told(reboot("h", "old", &SHORT, silent).await, "h says nothing");
        let hangs = || std::future::pending();
        told(reboot("h", "old", &SHORT, hangs).await, "no answer in time");
    }
}
