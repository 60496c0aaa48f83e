//! What vendors write into a field of identity where nothing was written.

/// Words that say nothing, in lower case.
const PLACEHOLDERS: [&str; 23] = [
    "",
    "none",
    "null",
    "n/a",
    "na",
    "unknown",
    "unspecified",
    "invalid",
    "empty",
    "default",
    "default string",
    "not specified",
    "not available",
    "not applicable",
    "not provided",
    "to be filled by o.e.m.",
    "to be filled by oem",
    "serial number",
    "system serial number",
    "chassis serial number",
    "0123456789",
    "123456789",
    "1234567890",
];

/// What `dmidecode` writes for a code that it does not know: `Unknown (0xF02)`.
const UNKNOWN_CODE: &str = "unknown (";

/// The value without the space around it; `None` for a placeholder.
pub fn reported(value: &str) -> Option<&str> {
    let value = value.trim();
    let is_word = PLACEHOLDERS
        .iter()
        .any(|word| value.eq_ignore_ascii_case(word));
    let is_code = value
        .get(..UNKNOWN_CODE.len())
        .is_some_and(|begin| begin.eq_ignore_ascii_case(UNKNOWN_CODE));
    // Zeros, dots, dashes, x: a form that was not filled in, and an UUID of zeros.
    let is_form = value
        .bytes()
        .all(|byte| matches!(byte, b'0' | b'.' | b'-' | b'x' | b'X' | b' '));
    (!is_word && !is_code && !is_form).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::reported;

    #[test]
    fn a_placeholder_reports_nothing() {
        for nothing in [
            "",
            "  ",
            "0",
            "00000000",
            "00000000-0000-0000-0000-000000000000",
            "xxxxxxx",
            "XXXXXXX",
            "........",
            "None",
            "N/A",
            "Unknown",
            "Unknown (0xF02)",
            "Not Specified",
            "Default string",
            "To be filled by O.E.M.",
            "To Be Filled By O.E.M.",
            "System Serial Number",
            "0123456789",
        ] {
            assert_eq!(reported(nothing), None, "{nothing}");
        }
        for something in ["SER1001", "0.1", "10", "NA1", "Default-7", "unknown7"] {
            assert_eq!(reported(something), Some(something));
        }
        assert_eq!(reported(" A1 "), Some("A1"));
    }
}
