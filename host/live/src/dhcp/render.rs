//! The text of a snippet for ISC DHCP. The bytes are a contract with the install servers: they start and end with one
//! newline, and the include tool and the people there know them.

use std::net::Ipv4Addr;

/// How the server recognises the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Match {
    /// Option 82 circuit-id.
    CircuitId(String),
    /// MAC address.
    Mac(String),
    /// Value of option 97: a zero byte and the UUID as SMBIOS stores it, in colon-separated hexadecimal.
    Uuid(String),
}

/// What the machine loads first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Filename {
    /// As the server's own configuration says.
    Default,
    /// This file.
    Plain(String),
    /// This URL, but not for the Debian installer, which would take it for a preseed file.
    HiddenFromInstaller(String),
    /// This loader, and for iPXE, when it has been loaded, this script.
    Chain { loader: String, script: String },
}

/// All that a snippet says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Snippet {
    pub(super) host: String,
    pub(super) matches: Match,
    pub(super) address: Ipv4Addr,
    pub(super) filename: Filename,
    /// Options in this order.
    pub(super) options: Vec<(&'static str, String)>,
}

impl Match {
    /// The value that the server compares.
    pub(super) fn value(&self) -> &str {
        match self {
            Match::CircuitId(value) | Match::Mac(value) | Match::Uuid(value) => value,
        }
    }

    fn line(&self) -> String {
        match self {
            Match::CircuitId(value) => {
                format!("host-identifier option agent.circuit-id \"{value}\";")
            }
            Match::Mac(value) => format!("hardware ethernet {value};"),
            Match::Uuid(value) => format!("host-identifier option pxe-client-id {value};"),
        }
    }
}

impl Filename {
    fn lines(&self) -> Vec<String> {
        match self {
            Filename::Default => Vec::new(),
            Filename::Plain(name) => vec![format!("filename \"{name}\";")],
            Filename::HiddenFromInstaller(url) => {
                either("option vendor-class-identifier = \"d-i\"", "", url)
            }
            Filename::Chain { loader, script } => either(
                "exists user-class and option user-class = \"iPXE\"",
                script,
                loader,
            ),
        }
    }
}

/// One file name under a condition, another otherwise.
fn either(condition: &str, then: &str, otherwise: &str) -> Vec<String> {
    vec![
        format!("if {condition} {{"),
        format!("    filename \"{then}\";"),
        "} else {".to_owned(),
        format!("    filename \"{otherwise}\";"),
        "}".to_owned(),
    ]
}

impl Snippet {
    pub(super) fn text(&self) -> String {
        let mut text = format!("\nhost {} {{\n", self.host);
        let mut line = |words: &str| {
            text.push_str("    ");
            text.push_str(words);
            text.push('\n');
        };
        line(&self.matches.line());
        line(&format!("fixed-address {};", self.address));
        for filename in self.filename.lines() {
            line(&filename);
        }
        for (name, value) in &self.options {
            line(&format!("option {name} \"{value}\";"));
        }
        text.push_str("}\n");
        text
    }
}

/// The value that a snippet matches, read back from its text; empty when the text is of another form.
pub(super) fn matched_value(text: &str) -> String {
    let value = text.lines().find_map(|line| {
        let line = line.trim().strip_suffix(';')?;
        [
            "host-identifier option agent.circuit-id ",
            "hardware ethernet ",
            "host-identifier option pxe-client-id ",
        ]
        .iter()
        .find_map(|start| line.strip_prefix(start))
    });
    value.unwrap_or_default().trim_matches('"').to_owned()
}

/// Option 97 for an SMBIOS UUID: type byte 0, the first three fields little-endian (SMBIOS 7.2.1, RFC 4578).
pub(super) fn pxe_client_id(uuid: &str) -> Option<String> {
    let digits: String = uuid.chars().filter(|c| *c != '-').collect();
    if digits.len() != 32 || uuid.len() != 36 || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    let bytes: Option<Vec<String>> = ORDER
        .iter()
        .map(|at| digits.get(at * 2..at * 2 + 2).map(str::to_ascii_lowercase))
        .collect();
    Some(format!("00:{}", bytes?.join(":")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_sent_as_smbios_stores_them() {
        assert_eq!(
            pxe_client_id("4c4c4544-0031-3210-8033-b4c04f354333").as_deref(),
            Some("00:44:45:4c:4c:31:00:10:32:80:33:b4:c0:4f:35:43:33")
        );
        for wrong in [
            "",
            "4c4c4544003132108033b4c04f354333",
            "4c4c4544-0031-3210-8033-b4c04f35433g",
        ] {
            assert_eq!(pxe_client_id(wrong), None);
        }
    }
}
