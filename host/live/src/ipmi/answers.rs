//! Decoding the answers of a BMC (IPMI 2.0, chapter 28).

use wreimage_capability::ipmi::{BootDevice, BootFlags, PowerState};

/// The bytes that `ipmitool raw` printed: lines of two-digit hexadecimal words, with noise around them left out.
pub(crate) fn raw_bytes(stdout: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in stdout.lines() {
        let words: Option<Vec<u8>> = line
            .split_whitespace()
            .map(|word| match word.len() {
                2 => u8::from_str_radix(word, 16).ok(),
                _ => None,
            })
            .collect();
        bytes.extend(words.unwrap_or_default());
    }
    bytes
}

/// Get Chassis Status (28.2): bit 0 of the first byte.
pub(crate) fn power_state(status: &[u8]) -> PowerState {
    match status {
        [current, _, _, ..] if current & 1 == 1 => PowerState::On,
        [_, _, _, ..] => PowerState::Off,
        other => PowerState::Unknown(format!(
            "the BMC answered `{}` to a question for its power",
            hex::encode(other)
        )),
    }
}

/// Get System Boot Options (28.13) for parameter 5: version, parameter, five bytes; some BMCs append more.
pub(crate) fn boot_flags(answer: &[u8]) -> Option<BootFlags> {
    let [_version, parameter, data @ ..] = answer else {
        return None;
    };
    let data = data.get(..5)?;
    let [first, second, ..] = data else {
        return None;
    };
    if parameter & 0x7f != 5 {
        return None;
    }
    let device = match second & 0x3c {
        0x00 => BootDevice::None,
        0x04 => BootDevice::Pxe,
        0x08 => BootDevice::Disk,
        0x14 => BootDevice::Cdrom,
        0x18 => BootDevice::BiosSetup,
        other => BootDevice::Other(device_word(other).to_owned()),
    };
    Some(BootFlags {
        valid: first & 0x80 != 0,
        persistent: first & 0x40 != 0,
        efi: first & 0x20 != 0,
        device,
        raw: hex::encode(data),
        extra: Vec::new(),
    })
}

fn device_word(bits: u8) -> &'static str {
    match bits {
        0x0c => "disk-safe-mode",
        0x10 => "diagnostic-partition",
        0x1c => "remote-floppy",
        0x20 => "remote-cdrom",
        0x24 => "primary-remote-media",
        0x2c => "remote-disk",
        0x3c => "floppy",
        _ => "reserved",
    }
}

/// Get System Restart Cause (28.11).
pub(crate) fn restart_cause(answer: &[u8]) -> Option<u8> {
    answer.first().map(|byte| byte & 0x0f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_found_among_noise() {
        assert_eq!(raw_bytes(" 01 05 00 04 00 00 00\n"), [1, 5, 0, 4, 0, 0, 0]);
        assert_eq!(
            raw_bytes(
                "Some warning of the day\n\n a1 23 45 67 89 ab cd ef a1 23 45 67 89 ab cd ef\n 01\n"
            )
            .len(),
            17
        );
        assert!(raw_bytes("").is_empty());
        assert!(raw_bytes("zz 01\n").is_empty());
    }

    #[test]
    fn power_is_on_off_or_unknown() {
        assert_eq!(power_state(&[0x01, 0, 0]), PowerState::On);
        assert_eq!(power_state(&[0x60, 0x10, 0x40, 0x70]), PowerState::Off);
        assert!(matches!(power_state(&[1]), PowerState::Unknown(_)));
    }

    #[test]
    fn flags_are_decoded_and_kept_raw() {
        // ipmi_sim: the valid bit is never set.
        let sim = boot_flags(&[1, 5, 0, 4, 0, 0, 0]).unwrap();
        assert_eq!(
            (sim.valid, sim.device, sim.raw.as_str()),
            (false, BootDevice::Pxe, "0004000000")
        );
        let efi = boot_flags(&[1, 5, 0xa0, 4, 0, 0, 0]).unwrap();
        assert!(efi.valid && efi.efi && !efi.persistent);
        // Valid, and the screen blanked: no override.
        let none = boot_flags(&[1, 5, 0x80, 2, 0, 0, 0]).unwrap();
        assert_eq!(none.device, BootDevice::None);
        // Twelve bytes too many, as some do.
        assert!(
            boot_flags(&[1, 5, 0xe0, 0x24, 0, 0, 0, 9, 9])
                .unwrap()
                .persistent
        );
        assert!(boot_flags(&[1, 5, 0, 4]).is_none());
        assert!(boot_flags(&[1, 3, 0, 4, 0, 0, 0]).is_none());
    }
}
