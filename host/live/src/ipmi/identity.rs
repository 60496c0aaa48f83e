//! Who a BMC says the machine is: device id, FRU and GUID.

use std::collections::BTreeMap;
use wreimage_facts::placeholder;

/// `Key : value` lines of `ipmitool`; the first of each key counts.
pub(crate) fn fields(text: &str) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        if let Some(value) = placeholder::reported(value) {
            fields
                .entry(key.trim().to_owned())
                .or_insert_with(|| value.to_owned());
        }
    }
    fields
}

/// The serial number of the machine in these fields of its FRU. Vendors put it in different places: the one that the
/// inventory knows is meant. The board is a part that is replaced; its serial is not the machine's.
pub(crate) fn serial(fru: &BTreeMap<String, String>, known: Option<&str>) -> Option<String> {
    let told = || MACHINE_SERIALS.iter().filter_map(|key| fru.get(*key));
    told()
        .find(|serial| known.is_some_and(|it| it.eq_ignore_ascii_case(serial)))
        .or_else(|| told().next())
        .cloned()
}

const MACHINE_SERIALS: [&str; 2] = ["Product Serial", "Chassis Serial"];

/// The three ways in which BMCs send a UUID: as SMBIOS stores it, as RFC 4122 writes it, or backwards as IPMI says.
pub(crate) const ENCODINGS: [(&str, [usize; 16]); 3] = [
    (
        "smbios",
        [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15],
    ),
    (
        "rfc4122",
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    ),
    (
        "ipmi",
        [15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
    ),
];

/// A GUID and how it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Guid {
    pub(crate) text: String,
    pub(crate) encoding: &'static str,
}

/// Reads the 16 bytes of Get System GUID (22.14). BMCs disagree on the order of the bytes, so the one that gives the
/// UUID that the inventory expects is taken, else the first that gives a well-formed UUID. `None` when the BMC has none.
pub(crate) fn guid(bytes: &[u8], expected: Option<&str>) -> Option<Guid> {
    let bytes: &[u8; 16] = bytes.get(..16)?.try_into().ok()?;
    if bytes.iter().all(|byte| *byte == 0) || bytes.iter().all(|byte| *byte == 0xff) {
        return None;
    }
    let readings: Vec<Guid> = ENCODINGS
        .iter()
        .map(|(encoding, order)| Guid {
            text: written(bytes, order),
            encoding,
        })
        .collect();
    let wanted = readings
        .iter()
        .find(|guid| expected.is_some_and(|uuid| guid.text.eq_ignore_ascii_case(uuid)));
    wanted
        .or_else(|| readings.iter().find(|guid| is_well_formed(&guid.text)))
        .or_else(|| readings.first())
        .cloned()
}

fn written(bytes: &[u8; 16], order: &[usize; 16]) -> String {
    let ordered: Vec<u8> = order
        .iter()
        .filter_map(|at| bytes.get(*at).copied())
        .collect();
    let digits = hex::encode(&ordered);
    let mut text = String::with_capacity(36);
    for (at, digit) in digits.chars().enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        text.push(digit);
    }
    text
}

/// A version from 1 to 5 and the variant of RFC 4122.
fn is_well_formed(text: &str) -> bool {
    let at = |index: usize| text.as_bytes().get(index).copied().unwrap_or(b'0');
    matches!(at(14), b'1'..=b'5') && matches!(at(19), b'8' | b'9' | b'a' | b'b')
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELL: &str = "4c4c4544-0031-3210-8033-b4c04f354333";
    // As a BMC sent it that stores what SMBIOS has.
    const SENT: [u8; 16] = [
        0x44, 0x45, 0x4c, 0x4c, 0x31, 0x00, 0x10, 0x32, 0x80, 0x33, 0xb4, 0xc0, 0x4f, 0x35, 0x43,
        0x33,
    ];

    #[test]
    fn the_guid_is_read_in_the_order_that_fits_the_inventory() {
        assert_eq!(guid(&SENT, Some(DELL)).unwrap().text, DELL);
        let mut backwards = SENT;
        backwards.swap(0, 3);
        backwards.swap(1, 2);
        backwards.swap(4, 5);
        backwards.swap(6, 7);
        let plain = backwards;
        assert_eq!(guid(&plain, Some(DELL)).unwrap().encoding, "rfc4122");
        backwards.reverse();
        let read = guid(&backwards, Some(&DELL.to_uppercase())).unwrap();
        assert_eq!((read.text.as_str(), read.encoding), (DELL, "ipmi"));
    }

    #[test]
    fn without_an_expectation_a_well_formed_one_is_taken_and_nothing_is_none() {
        assert_eq!(guid(&SENT, None).unwrap().text, DELL);
        assert_eq!(guid(&[0; 16], None), None);
        assert_eq!(guid(&[0xff; 16], None), None);
        assert_eq!(guid(&[1, 2], None), None);
    }

    #[test]
    fn the_serial_is_of_the_product_then_of_the_chassis_never_of_the_board() {
        let of = |text: &str, known| serial(&fields(text), known);
        let all = "Board Serial: B1\nChassis Serial: C1\nProduct Serial: P1\n";
        assert_eq!(of(all, None).as_deref(), Some("P1"));
        assert_eq!(of(all, Some("c1")).as_deref(), Some("C1"));
        assert_eq!(of(all, Some("B1")).as_deref(), Some("P1"));
        let unfilled =
            "Board Serial: B1\nChassis Serial: C1\nProduct Serial: To be filled by O.E.M.\n";
        assert_eq!(of(unfilled, None).as_deref(), Some("C1"));
        assert_eq!(of("Board Serial: B1\nProduct Serial: 0000\n", None), None);
    }

    #[test]
    fn fields_leave_out_what_is_not_told() {
        let text = " Board Mfg Date        : Unspecified\n Board Serial          : BSER1\n Product Serial        : PSER42\n\
                    Product Name              : Unknown (0xF02)\n Product Extra         :\nnoise\n";
        let fields = fields(text);
        assert_eq!(
            fields.get("Product Serial").map(String::as_str),
            Some("PSER42")
        );
        assert_eq!(fields.len(), 2);
    }
}
