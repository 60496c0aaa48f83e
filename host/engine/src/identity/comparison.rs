//! Whether inventory, BMC and system report the same machine.

use wreimage_capability::HostSnapshot;
use wreimage_journal::{Checked, Reported};

/// One part of the machine, or of what is known of it, that reports who it is.
pub(crate) struct Part<'a> {
    who: &'a str,
    reported: &'a Reported,
    is_bmc: bool,
}

impl<'a> Part<'a> {
    pub(crate) fn new(who: &'a str, reported: &'a Reported) -> Self {
        Part {
            who,
            reported,
            is_bmc: false,
        }
    }
}

/// The parts that were asked at a check.
pub(crate) fn parts(checked: &Checked) -> Vec<Part<'_>> {
    let bmc = checked.bmc.iter().map(|it| Part {
        is_bmc: true,
        ..Part::new("its BMC", it)
    });
    let system = checked.system.iter();
    bmc.chain(system.map(|it| Part::new("its old system", it)))
        .collect()
}

/// What a comparison of identities has found.
pub(crate) struct Compared<'a> {
    /// Vendors and models whose BMCs have a GUID that is not the machine's UUID.
    unrelated: &'a [String],
    /// Whether the BMC is one of these.
    pub(crate) is_guid_unrelated: bool,
    /// Vendor and model as the BMC reports them.
    pub(crate) bmc_models: Vec<String>,
    /// Why the BMC was not compared.
    pub(crate) why: Option<String>,
    /// What was equal.
    pub(crate) facts: Vec<(String, String)>,
}

impl<'a> Compared<'a> {
    pub(crate) fn new(unrelated: &'a [String]) -> Self {
        Compared {
            unrelated,
            is_guid_unrelated: false,
            bmc_models: Vec::new(),
            why: None,
            facts: Vec::new(),
        }
    }

    /// Whether anything could be compared.
    pub(crate) fn is_confirmed(&self) -> bool {
        !self.facts.is_empty()
    }

    /// Each value that two parts report must be equal.
    ///
    /// # Errors
    /// Which are not, in a sentence that names both.
    pub(crate) fn with(
        &mut self,
        host: &str,
        part: &Part<'_>,
        others: &[Part<'_>],
    ) -> Result<(), String> {
        for other in others {
            let values = [
                (
                    "serial number",
                    &other.reported.serial,
                    &part.reported.serial,
                ),
                ("UUID", &other.reported.uuid, &part.reported.uuid),
            ];
            for (what, expected, reported) in values {
                let of_bmc = what == "UUID" && (part.is_bmc || other.is_bmc);
                let (Some(expected), Some(reported)) = (meaningful(expected), meaningful(reported))
                else {
                    continue;
                };
                if of_bmc && self.is_guid_unrelated {
                    continue;
                }
                let (one, two) = (other.who, part.who);
                if !same(expected, reported) {
                    return Err(format!(
                        "{one} gives {host} the {what} `{expected}`, {two} reports `{reported}`"
                    ));
                }
                self.facts.push((
                    "compared".to_owned(),
                    format!("the {what} of {one} and of {two} are the same"),
                ));
            }
        }
        Ok(())
    }
}

/// Compares inventory, BMC and old system with each other, as far as they are known.
///
/// # Errors
/// Which of them do not agree.
pub(crate) fn compare(
    snapshot: Option<&HostSnapshot>,
    now: &mut Checked,
    compared: &mut Compared<'_>,
) -> Result<(), String> {
    let vendor = snapshot.and_then(|it| it.device.vendor.clone());
    compared.is_guid_unrelated = compared.unrelated.iter().any(|model| {
        let mut known = compared.bmc_models.iter().chain(&vendor);
        known.any(|it| it.trim().eq_ignore_ascii_case(model))
    });
    now.guid_unrelated = compared.is_guid_unrelated;
    let host = snapshot.map_or("this host", HostSnapshot::name);
    let inventory = snapshot.map(HostSnapshot::machine);
    let mut before: Vec<Part<'_>> = Vec::new();
    before.extend(inventory.as_ref().map(|it| Part::new("the inventory", it)));
    for part in parts(now) {
        compared.with(host, &part, &before)?;
        before.push(part);
    }
    Ok(())
}

/// A value that can be compared: vendors leave placeholders.
fn meaningful(value: &Option<String>) -> Option<&str> {
    wreimage_facts::placeholder::reported(value.as_deref()?)
}

/// Equal but for case; a UUID also when its first three fields have the other byte order, as SMBIOS and BMCs differ in
/// that.
pub(crate) fn same(one: &str, other: &str) -> bool {
    if one.eq_ignore_ascii_case(other) {
        return true;
    }
    match (uuid_bytes(one), uuid_bytes(other)) {
        (Some(one), Some(other)) => one == other || swapped(one) == other,
        _ => false,
    }
}

fn uuid_bytes(text: &str) -> Option<[u8; 16]> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    if digits.len() != 32 {
        return None;
    }
    let mut bytes = [0; 16];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn swapped(bytes: [u8; 16]) -> [u8; 16] {
    let [a, b, c, d, e, f, g, h, rest @ ..] = bytes;
    let [i, j, k, l, m, n, o, p] = rest;
    [d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p]
}

#[cfg(test)]
mod tests {
    use super::{meaningful, same};

    #[test]
    fn serials_and_uuids_are_the_same_whatever_their_spelling() {
        assert!(same("ABC1234", "abc1234"));
        assert!(!same("ABC1234", "ABC1235"));
        let uuid = "4c4c4544-0042-4310-8031-c1c04f323334";
        assert!(same(uuid, "4C4C4544-0042-4310-8031-C1C04F323334"));
        assert!(same(uuid, "44454c4c-4200-1043-8031-c1c04f323334"));
        assert!(!same(uuid, "44454c4c-4200-1043-8031-c1c04f323335"));
    }

    #[test]
    fn placeholders_are_not_compared() {
        let of = |text: &str| meaningful(&Some(text.to_owned())).is_some();
        assert!(of("ABC1234"));
        assert!(!of("To Be Filled By O.E.M."));
        assert!(!of("Unknown"));
        assert!(!of("00000000-0000-0000-0000-000000000000"));
        assert!(!of(" "));
        assert!(meaningful(&None).is_none());
    }
}
