//! What vendors write where nothing was written.

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

/// The value without the space around it, when it says something.
pub(crate) fn told(value: &str) -> Option<&str> {
    let value = value.trim();
    let word = value.to_ascii_lowercase();
    let nothing = PLACEHOLDERS.contains(&word.as_str())
        || word.starts_with("unknown (")
        // Zeros, dots, dashes, x: a form that nobody filled in.
        || word.bytes().all(|byte| matches!(byte, b'0' | b'.' | b'-' | b'x' | b' '));
    (!nothing).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn placeholders_say_nothing() {
        for nothing in [
            "",
            "  ",
            "0",
            "00000000",
            "xxxxxxx",
            "........",
            "None",
            "N/A",
            "Unknown (0xF02)",
            "Not Specified",
            "Default string",
            "To be filled by O.E.M.",
            "To Be Filled By O.E.M.",
            "System Serial Number",
            "0123456789",
        ] {
            assert_eq!(told(nothing), None, "{nothing}");
        }
        for something in ["SER1001", "0.1", "10", "NA1", "Default-7"] {
            assert_eq!(told(something), Some(something));
        }
        assert_eq!(told(" A1 "), Some("A1"));
    }
}
