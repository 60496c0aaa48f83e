//! The restarts of the machine that a run has announced, and which of them lead into the installer.

/// One restart, from its intent on.
#[derive(Debug, Clone, Copy)]
struct Restart {
    call: u64,
    /// What offers an installer, or an unused boot override, of this run stood at that moment.
    installs: bool,
    /// The guest had read that no boot override is set.
    expects_no_override: bool,
}

/// All of them, in order. A restart that certainly did not happen is none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Restarts {
    all: Vec<Restart>,
    /// The guest has read that no boot override is set, and the run has neither set one nor tried a restart since.
    next_expects_no_override: bool,
}

impl Restarts {
    /// The machine is about to restart by this call.
    pub(super) fn record_intent(&mut self, call: u64, installs: bool) {
        // The intent of a call that is repeated is recorded again.
        let earlier = self.all.iter().position(|it| it.call == call);
        let earlier = earlier.map(|index| self.all.remove(index));
        let installs = installs || earlier.is_some_and(|it| it.installs);
        let expects_no_override =
            self.next_expects_no_override || earlier.is_some_and(|it| it.expects_no_override);
        self.next_expects_no_override = false;
        self.all.push(Restart {
            call,
            installs,
            expects_no_override,
        });
    }

    /// The guest has read whether a boot override is set, or the run is about to set one.
    pub(super) fn note_override(&mut self, is_set: bool) {
        self.next_expects_no_override = !is_set;
    }

    /// Whether the restart of this call, or the next one, is made in the belief that no boot override is set.
    pub(crate) fn expects_no_override(&self, call: u64) -> bool {
        let made = self.all.iter().find(|it| it.call == call);
        made.map_or(self.next_expects_no_override, |it| it.expects_no_override)
    }

    /// The machine did not restart by this call.
    pub(super) fn withdraw(&mut self, call: u64) {
        let had_expected_it = |it: &Restart| it.call == call && it.expects_no_override;
        self.next_expects_no_override |= self.all.iter().any(had_expected_it);
        self.all.retain(|it| it.call != call);
    }

    /// Whether the machine was restarted at all.
    pub(crate) fn any(&self) -> bool {
        !self.all.is_empty()
    }

    /// Whether the wipe has begun: one of them leads into the installer.
    pub(crate) fn has_begun_wipe(&self) -> bool {
        self.all.iter().any(|it| it.installs)
    }

    /// Whether the last one leads into the installer.
    pub(crate) fn is_last_into_installer(&self) -> bool {
        self.all.last().is_some_and(|it| it.installs)
    }
}

#[cfg(test)]
mod tests {
    use super::Restarts;

    #[test]
    fn a_restart_that_did_not_happen_takes_nothing_from_those_that_did() {
        let mut restarts = Restarts::default();
        assert!(!restarts.has_begun_wipe());
        restarts.record_intent(7, true);
        restarts.record_intent(9, false);
        assert!(restarts.has_begun_wipe());
        assert!(!restarts.is_last_into_installer());
        restarts.withdraw(9);
        assert!(restarts.is_last_into_installer());
        // The second intent of a call, for which the override is used up already.
        restarts.record_intent(7, false);
        assert!(restarts.is_last_into_installer());
        restarts.withdraw(7);
        assert!(!restarts.has_begun_wipe());
        assert!(!restarts.any());
    }

    #[test]
    fn a_restart_expects_no_override_while_the_guest_has_read_that_no_override_is_set() {
        let mut restarts = Restarts::default();
        assert!(!restarts.expects_no_override(7));
        restarts.note_override(false);
        assert!(restarts.expects_no_override(7));
        restarts.record_intent(7, false);
        // It is so for a repetition of this one, and not for the next.
        assert!(restarts.expects_no_override(7));
        assert!(!restarts.expects_no_override(8));
        restarts.record_intent(7, false);
        assert!(restarts.expects_no_override(7));
        restarts.withdraw(7);
        assert!(restarts.expects_no_override(8));
        restarts.note_override(true);
        assert!(!restarts.expects_no_override(8));
    }
}
