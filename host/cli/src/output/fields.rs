//! Arguments and answers of calls in the words of `wit/`: `device=pxe`, not the names that Rust gives to the same.

use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::OnceLock;
use wreimage_capability::kebab;

/// A value with fields and cases as `wit/` writes them. A text that happens to be the name of a case is shown as that case: this
/// is for people, the data stand in the journal.
pub fn in_words(value: &Value) -> Value {
    match value {
        Value::String(text) if cases().contains(text) => kebab(text).into(),
        Value::Array(items) => items.iter().map(in_words).collect(),
        Value::Object(entries) => {
            let entries = entries.iter();
            let entries: Map<String, Value> = entries
                .map(|(key, value)| (kebab(key), in_words(value)))
                .collect();
            entries.into()
        }
        plain => plain.clone(),
    }
}

/// The names that Rust has for the cases without content of all variants and enums.
fn cases() -> &'static BTreeSet<String> {
    static CASES: OnceLock<BTreeSet<String>> = OnceLock::new();
    CASES.get_or_init(|| wreimage_kit::wit().flat_map(cases_of).collect())
}

fn cases_of(wit: &str) -> Vec<String> {
    let code: String = wit
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join(" ");
    let mut cases = Vec::new();
    let mut rest = code.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        rest = after;
        let mut words = before.split_whitespace().rev();
        let kind = words.nth(1).unwrap_or_default();
        if matches!(kind, "enum" | "variant")
            && let Some((body, behind)) = after.split_once('}')
        {
            rest = behind;
            let names = body.split(',').map(str::trim);
            cases.extend(
                names
                    .filter(|name| !name.is_empty() && !name.contains('('))
                    .map(camel),
            );
        }
    }
    cases
}

/// `bios-setup` as Rust writes it: `BiosSetup`.
fn camel(name: &str) -> String {
    let upper = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|c| c.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    name.split('-').map(upper).collect()
}

#[cfg(test)]
mod tests {
    use super::in_words;
    use serde_json::json;

    #[test]
    fn no_name_of_rust_is_left() {
        let arguments = json!({
            "entry": { "boot": "PxelinuxHttp", "matches": { "CircuitId": "asw1:ge-0/0/1" }, "media": "installer" },
            "device": "Pxe", "mode": "Efi", "timeout_ms": 5, "reason": "Host reimage - Upgrade",
        });
        assert_eq!(
            in_words(&arguments),
            json!({
                "entry": { "boot": "pxelinux-http", "matches": { "circuit-id": "asw1:ge-0/0/1" }, "media": "installer" },
                "device": "pxe", "mode": "efi", "timeout-ms": 5, "reason": "Host reimage - Upgrade",
            })
        );
    }
}
