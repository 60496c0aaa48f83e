//! The words of `wit/` for values of the generated types, which Rust would print in names of its own.

use serde::Serialize;
use serde_json::Value;

/// A value of a variant or an enum of `wit/` in a word: `bios-setup`, `status 3`; of the case `other` what it holds.
pub fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(case)) => kebab(&case),
        Ok(Value::Object(entries)) if entries.len() == 1 => entries
            .iter()
            .map(|(case, held)| {
                let held = match held {
                    Value::String(text) => text.clone(),
                    held => held.to_string(),
                };
                match case.as_str() {
                    "Other" => held,
                    case => format!("{} {held}", kebab(case)),
                }
            })
            .collect(),
        Ok(other) => other.to_string(),
        Err(error) => error.to_string(),
    }
}

/// `BiosSetup` and `machine_uuid` as `wit/` writes them: `bios-setup`, `machine-uuid`.
pub fn kebab(name: &str) -> String {
    let mut word = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !word.is_empty() && !word.ends_with('-') {
            word.push('-');
        }
        word.push(if c == '_' {
            '-'
        } else {
            c.to_ascii_lowercase()
        });
    }
    word
}

#[cfg(test)]
mod tests {
    use super::word;
    use crate::icinga::HostState;
    use crate::ipmi::BootDevice;
    use crate::remote::Exit;

    #[test]
    fn values_have_the_words_of_wit() {
        assert_eq!(word(&BootDevice::BiosSetup), "bios-setup");
        assert_eq!(word(&BootDevice::Other("usb".to_owned())), "usb");
        assert_eq!(word(&HostState::Up), "up");
        assert_eq!(word(&Exit::Status(3)), "status 3");
        assert_eq!(word(&Exit::Signal("KILL".to_owned())), "signal KILL");
    }
}
