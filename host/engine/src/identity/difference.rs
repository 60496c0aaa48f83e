//! What differs between two checks of a host, and between what was shown for consent and what is so now.

use crate::identity::comparison::same;
use wreimage_capability::HostSnapshot;
use wreimage_journal::Reported;

/// Names of shown values that are always asked anew, also when the disks are wiped already: what runs is another program.
pub(crate) const COMPONENT: &str = "component ";
/// See [`COMPONENT`].
pub(crate) const GUEST: &str = "guest";
/// The shown value that a run changes itself.
pub(crate) const STATUS: &str = "status";
/// The operating system that was found.
pub(crate) const OLD_OS: &str = "old OS";
/// What stands for an operating system that could not be read.
pub(crate) const UNKNOWN: &str = "unknown";

/// A value that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) name: String,
    pub(crate) before: String,
    pub(crate) now: String,
}

impl Change {
    fn new(name: &str, before: &str, now: &str) -> Self {
        Change {
            name: name.to_owned(),
            before: before.to_owned(),
            now: now.to_owned(),
        }
    }

    /// In a sentence.
    pub(crate) fn shown(&self) -> String {
        format!(
            "the {} was `{}` and is `{}`",
            self.name, self.before, self.now
        )
    }
}

/// Several, in a sentence.
pub(crate) fn shown(changes: &[Change]) -> String {
    let all: Vec<String> = changes.iter().map(Change::shown).collect();
    all.join("; ")
}

/// What stands for a value that is gone.
const GONE: &str = "none";

/// The values by which the inventory identifies a machine that differ. A value that was absent before is no difference.
pub(crate) fn identity(before: &HostSnapshot, now: &HostSnapshot) -> Vec<Change> {
    before
        .identifying()
        .into_iter()
        .zip(now.identifying())
        .map(|((name, before), (_, now))| (name, before, now))
        .filter_map(|(name, before, now)| {
            let before = before.filter(|before| !before.trim().is_empty())?;
            let now = now.unwrap_or_default();
            (!same(&before, &now)).then(|| {
                let now = if now.is_empty() { GONE } else { &now };
                Change::new(name, &before, now)
            })
        })
        .collect()
}

/// What a part of the machine reported of itself and reports otherwise now. A value that is absent on one side is no
/// difference.
pub(crate) fn reported(who: &str, before: &Reported, now: &Reported) -> Vec<Change> {
    [
        ("serial number", &before.serial, &now.serial),
        ("UUID", &before.uuid, &now.uuid),
    ]
    .into_iter()
    .filter_map(|(what, before, now)| {
        let (before, now) = (before.as_ref()?, now.as_ref()?);
        (!same(before, now))
            .then(|| Change::new(&format!("{what} that {who} reports"), before, now))
    })
    .collect()
}

/// What was shown for consent and differs now. `explained` are the statuses that this run has set itself.
pub(crate) fn consent(
    before: &[(String, String)],
    now: &[(String, String)],
    explained: &[String],
) -> Vec<Change> {
    before
        .iter()
        .filter_map(|(name, before)| {
            let now = now.iter().find(|(other, _)| other == name);
            let now = now.map_or(GONE, |(_, now)| now.as_str());
            let is_explained = name == STATUS && explained.iter().any(|status| status == now);
            let is_unknown = name == OLD_OS && (before == UNKNOWN || now == UNKNOWN || now == GONE);
            (before != now && !is_explained && !is_unknown).then(|| Change::new(name, before, now))
        })
        .collect()
}

/// Whether a change is one of the programs that run, and not of the host.
pub(crate) fn is_component(change: &Change) -> bool {
    change.name == GUEST || change.name.starts_with(COMPONENT)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;
    use serde_json::Value;
    use serde_json::json;

    fn snapshot(change: impl FnOnce(&mut Value)) -> HostSnapshot {
        let mut device = json!({
            "name": "host1001", "fqdn": "host1001.lab1.test", "management_fqdn": "host1001.mgmt.lab1.test", "site": "lab1",
            "status": "Active", "kind": "Physical", "firmware": "Bios", "vendor": null, "serial": "S1",
            "machine_uuid": null, "primary_ip": "10.0.0.1", "mac": "aa:00:00:00:10:01", "tags": [], "extra": []
        });
        change(&mut device);
        let whole = json!({ "device": device, "switch-port": null, "bmc-addresses": [] });
        serde_json::from_value(whole).unwrap()
    }

    #[test]
    fn each_value_that_identifies_a_machine_is_compared() {
        let before = snapshot(|_| {});
        type Edit = fn(&mut Value);
        let changes: [(&str, Edit); 5] = [
            ("site", |it| it["site"] = json!("lab2")),
            ("kind of machine", |it| it["kind"] = json!("Virtual")),
            ("serial number", |it| it["serial"] = Value::Null),
            ("management name", |it| {
                it["management_fqdn"] = json!("other")
            }),
            ("MAC address", |it| it["mac"] = json!("aa:00:00:00:10:02")),
        ];
        for (name, change) in changes {
            let found = identity(&before, &snapshot(change));
            assert_eq!(found.len(), 1, "{name}: {found:?}");
            assert_eq!(found.first().unwrap().name, name);
        }
        let mut moved = before.clone();
        moved.switch_port = Some(wreimage_capability::SwitchPort {
            switch_name: "asw1".to_owned(),
            port: "ge-0/0/1".to_owned(),
            vlan: "private1".to_owned(),
            extra: Vec::new(),
        });
        assert_eq!(
            identity(&moved, &before).first().unwrap().name,
            "switch port"
        );
        // Absent before, another spelling, or not part of the identity: no difference.
        assert!(identity(&before, &moved).is_empty());
        let spelled = snapshot(|it| {
            it["serial"] = json!("s1");
            it["machine_uuid"] = json!("4c4c4544-0042-4310-8031-c1c04f323334");
            it["primary_ip"] = json!("10.0.0.2");
        });
        assert!(identity(&before, &spelled).is_empty());
    }

    #[test]
    fn what_was_shown_is_compared_but_for_what_the_run_explains() {
        let values = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            let own = pairs.iter();
            own.map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
                .collect()
        };
        let before = values(&[("status", "failed"), ("old OS", "unknown"), ("tags", "db")]);
        let now = values(&[
            ("status", "active"),
            ("old OS", "Debian 11"),
            ("tags", "db"),
            ("new", "x"),
        ]);
        assert!(consent(&before, &now, &["active".to_owned()]).is_empty());
        let changes = consent(&before, &now, &[]);
        assert_eq!(shown(&changes), "the status was `failed` and is `active`");
        assert_eq!(
            consent(&before, &values(&[("status", "failed")]), &[]).len(),
            1
        );
    }
}
