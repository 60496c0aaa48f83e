//! Silences for alerts.

use crate::boot::uuid;
use crate::time::Millis;
use crate::world::World;
use serde::{Deserialize, Serialize};
use wreimage_capability::alertmanager::Held;

/// Silences, in the order in which they were made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Alertmanager {
    pub(crate) silences: Vec<Silence>,
    made: u64,
}

/// A silence for all alerts of one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Silence {
    pub(crate) id: String,
    pub(crate) host: String,
    /// Id of the run that made it.
    pub(crate) owner: String,
    pub(crate) comment: String,
    pub(crate) ends: Millis,
}

impl Alertmanager {
    pub(crate) fn shift(&mut self, shift: &impl Fn(Millis) -> Millis) {
        for silence in &mut self.silences {
            silence.ends = shift(silence.ends);
        }
    }
}

impl World {
    /// Silences a host in place of the silence of the same owner, which would not have ended later; returns its id.
    pub(crate) fn silence(
        &mut self,
        host: &str,
        owner: &str,
        duration: Millis,
        comment: &str,
    ) -> String {
        let now = self.now;
        let seed = self.seed;
        let all = &mut self.services.alertmanager;
        all.made += 1;
        let id = uuid(seed, host, "silence", all.made);
        let ours = |there: &Silence| there.host == host && there.owner == owner;
        let ends = all
            .silences
            .iter()
            .filter(|silence| ours(silence))
            .map(|silence| silence.ends)
            .fold(now.saturating_add(duration), Millis::max);
        all.silences.retain(|silence| !ours(silence));
        all.silences.push(Silence {
            id: id.clone(),
            host: host.to_owned(),
            owner: owner.to_owned(),
            comment: comment.to_owned(),
            ends,
        });
        self.tell(host, format!("silenced for {} s", (ends - now) / 1000));
        id
    }

    /// The silences of the host that hold.
    pub(crate) fn silences(&self, host: &str) -> Vec<Held> {
        let silences = &self.services.alertmanager.silences;
        let held = silences
            .iter()
            .filter(|silence| silence.host == host && silence.ends > self.now);
        held.map(|silence| Held {
            id: silence.id.clone(),
            comment: silence.comment.clone(),
            ends_ms: silence.ends,
            extra: Vec::new(),
        })
        .collect()
    }

    /// Ends the silences of that owner; whether one had not run out.
    pub(crate) fn expire_silences(&mut self, host: &str, owner: &str) -> bool {
        let now = self.now;
        let silences = &mut self.services.alertmanager.silences;
        let ours = |there: &Silence| there.host == host && there.owner == owner;
        let there = silences
            .iter()
            .any(|silence| ours(silence) && silence.ends > now);
        silences.retain(|silence| !ours(silence));
        if there {
            self.tell(host, "silence expired");
        }
        there
    }
}
