//! The services that hosts are pooled in.

use crate::world::World;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use wreimage_capability::Fault;
use wreimage_capability::conftool::PoolObject;

/// Objects, by short name of the host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Conftool {
    pub(crate) objects: BTreeMap<String, Vec<PoolObject>>,
}

/// The values of `pooled`.
pub(crate) const VALUES: [&str; 3] = ["yes", "no", "inactive"];

impl Conftool {
    pub(crate) fn of(&self, host: &str) -> Vec<PoolObject> {
        self.objects.get(host).cloned().unwrap_or_default()
    }
}

impl World {
    /// Sets `pooled` in all of the host's objects; returns them as they were.
    pub(crate) fn set_pooled(&mut self, host: &str, value: &str) -> Result<Vec<PoolObject>, Fault> {
        let system = self.system("conftool");
        if !VALUES.contains(&value) {
            let shown: String = value.chars().take(40).collect();
            return Err(Fault::rejected(
                "conftool.bad-value",
                system,
                format!("{shown:?} is no value of `pooled`: yes, no or inactive"),
            ));
        }
        let before = self.services.conftool.of(host);
        if before.is_empty() && !self.rehearsal {
            return Err(Fault::not_found(
                "conftool.no-objects",
                system,
                format!("{host} is in no service; run without --conftool"),
            ));
        }
        for object in self
            .services
            .conftool
            .objects
            .entry(host.to_owned())
            .or_default()
        {
            value.clone_into(&mut object.pooled);
        }
        self.tell(host, format!("pooled={value}"));
        Ok(before)
    }
}
