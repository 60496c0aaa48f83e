//! What a provider is told about the call that it serves.

use crate::lease::HeldClaim;
use crate::{Fault, HostSnapshot, PinnedBoot};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Takes what a call leaves besides its outcome.
pub trait Sink: Send + Sync {
    /// A line of progress, for people; takes no part in replay.
    fn progress(&self, text: &str);
    /// Keeps bytes such as the whole output of a command; returns their SHA-256 in hexadecimal, or `None` where nothing
    /// is kept.
    fn keep(&self, bytes: &[u8]) -> Option<String>;
    /// A rehearsal cannot know this outcome; what is answered is a mere assumption, and `why` says so.
    fn not_previewed(&self, why: &str);
    /// The host answers at the installer identity for the first time in this run, in this boot and with this host key. When
    /// the run accepts it, it accepts no other key there from here on, except in a wait for a boot.
    fn pin(&self, _boot: PinnedBoot) {}
}

/// Code of the fault of a host key that is not the known one. Among what such a fault has besides its message is the SHA-256
/// fingerprint of the key, by the name [`OFFERED`].
pub const HOST_KEY_REFUSED: &str = wreimage_facts::code::HOST_KEY;

/// See [`HOST_KEY_REFUSED`].
pub const OFFERED: &str = "offered";

/// Keeps nothing and tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Sink for Silent {
    fn progress(&self, _text: &str) {}
    fn keep(&self, _bytes: &[u8]) -> Option<String> {
        None
    }
    fn not_previewed(&self, _why: &str) {}
}

/// One call, as a provider sees it.
#[derive(Clone)]
pub struct Call {
    /// Id of the run.
    pub run: String,
    /// Number of the call within the run; a repeated call keeps it.
    pub sequence: u64,
    /// The outcome of this run's call that the present one takes back: what `publish` returned, for `withdraw`. `None`
    /// when this run made nothing that is still there.
    pub made: Option<Value>,
    /// What the provider's own look at the world said before a `once` call.
    pub witness: Option<Value>,
    /// What the inventory said of the host at the last check; `None` before the first check, and where the site has no
    /// inventory.
    pub snapshot: Option<Arc<HostSnapshot>>,
    /// The boot at the installer identity that the run has accepted; `None` before the first.
    pub pinned: Option<Arc<PinnedBoot>>,
    /// The claim on the host that the run holds, for a call that changes something; `None` where no lease orders the
    /// controllers, and when what is undone is known by its run.
    pub claim: Option<HeldClaim>,
    /// The effect of the call must begin before, as the claim is not valid for longer. A child process that has it is killed
    /// then by the kernel; a unit on the machine is started before.
    pub valid_until: Option<Instant>,
    /// Whether the call may accept the first boot that answers at the installer identity: a change is made only on a machine
    /// whose boot the run has accepted before.
    pub may_pin: bool,
    /// Fingerprint of a host key that the run accepts at the production identity besides the known ones: the host's
    /// certificate has reported it.
    pub host_key: Option<Arc<str>>,
    sink: Arc<dyn Sink>,
}

impl Call {
    /// A call whose progress and output go to `sink`.
    pub fn new(run: impl Into<String>, sequence: u64, sink: Arc<dyn Sink>) -> Self {
        Call {
            run: run.into(),
            sequence,
            made: None,
            witness: None,
            snapshot: None,
            pinned: None,
            claim: None,
            valid_until: None,
            may_pin: true,
            host_key: None,
            sink,
        }
    }

    /// A call outside of any run, for checks and tests.
    pub fn alone() -> Self {
        Call::new("none", 0, Arc::new(Silent))
    }

    /// The key that makes a repeated write recognisable: `RUN/SEQUENCE`.
    pub fn key(&self) -> String {
        format!("{}/{}", self.run, self.sequence)
    }

    /// How long a request may take by which the effect begins: `limit`, or what is left of the validity of the claim on the
    /// host. A unit on the machine may run for longer than that.
    ///
    /// # Errors
    /// `unreachable` (code `call.claim-expired`) when nothing is left: the effect must not begin.
    pub fn time_to_begin(&self, limit: Duration) -> Result<Duration, Fault> {
        let Some(until) = self.valid_until else {
            return Ok(limit);
        };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Fault::unreachable(
                "call.claim-expired",
                "wreimage",
                "the claim of this run on the host expired before the request was sent",
            ));
        }
        Ok(limit.min(left))
    }

    /// Tells people what is going on.
    pub fn progress(&self, text: impl AsRef<str>) {
        self.sink.progress(text.as_ref());
    }

    /// Keeps bytes in the run's store; see [`Sink::keep`].
    pub fn keep(&self, bytes: &[u8]) -> Option<String> {
        self.sink.keep(bytes)
    }

    /// Reports the first boot that answers at the installer identity; see [`Sink::pin`].
    ///
    /// # Errors
    /// `denied` (code `remote.host-key`) when the call is a change: nothing is changed in a boot that the run has not accepted.
    pub fn pin(&self, boot: PinnedBoot) -> Result<(), Fault> {
        if !self.may_pin {
            let text = format!(
                "the run has not accepted the host key {} at the installer identity, so nothing is changed there",
                boot.host_key
            );
            return Err(
                Fault::denied(HOST_KEY_REFUSED, "wreimage", text).with(OFFERED, boot.host_key)
            );
        }
        self.sink.pin(boot);
        Ok(())
    }

    /// Marks the answer as one that a rehearsal cannot know; see [`Sink::not_previewed`].
    pub fn not_previewed(&self, why: impl AsRef<str>) {
        self.sink.not_previewed(why.as_ref());
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("key", &self.key())
            .field("made", &self.made)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::Call;
    use std::time::{Duration, Instant};

    #[test]
    #[allow(clippy::unwrap_used)]
    fn an_effect_begins_only_while_the_claim_is_valid() {
        let limit = Duration::from_secs(60);
        let mut call = Call::alone();
        assert_eq!(call.time_to_begin(limit).unwrap(), limit);
        call.valid_until = Some(Instant::now() + Duration::from_secs(30));
        let left = call.time_to_begin(limit).unwrap();
        assert!(left <= Duration::from_secs(30), "{left:?}");
        assert!(left > Duration::from_secs(1), "{left:?}");
        call.valid_until = Some(Instant::now());
        let expired = call.time_to_begin(limit).unwrap_err();
        assert!(!expired.leaves_doubt(), "{expired:?}");
    }
}
