//! The status of a device in the inventory.

/// Gives the enumeration `device-status` of `wit/`, which each crate generates for itself, its words: `word` and `from_word`.
/// NetBox has the same ones.
#[macro_export]
macro_rules! device_status {
    ($status:ident) => {
        impl $status {
            /// The word for it.
            pub fn word(&self) -> &str {
                match self {
                    $status::Planned => "planned",
                    $status::Staged => "staged",
                    $status::Active => "active",
                    $status::Failed => "failed",
                    $status::Offline => "offline",
                    $status::Decommissioning => "decommissioning",
                    $status::Other(word) => word,
                }
            }

            /// The status that this word names.
            pub fn from_word(word: &str) -> Self {
                match word {
                    "planned" => $status::Planned,
                    "staged" => $status::Staged,
                    "active" => $status::Active,
                    "failed" => $status::Failed,
                    "offline" => $status::Offline,
                    "decommissioning" => $status::Decommissioning,
                    other => $status::Other(other.into()),
                }
            }
        }
    };
}

#[cfg(test)]
mod tests {
    extern crate alloc;
    use alloc::string::String;

    #[derive(Debug, PartialEq)]
    enum Status {
        Planned,
        Staged,
        Active,
        Failed,
        Offline,
        Decommissioning,
        Other(String),
    }

    device_status!(Status);

    #[test]
    fn a_word_and_its_status_are_the_same() {
        for word in [
            "planned",
            "staged",
            "active",
            "failed",
            "offline",
            "decommissioning",
            "spare",
        ] {
            assert_eq!(Status::from_word(word).word(), word);
        }
        assert_eq!(Status::from_word("failed"), Status::Failed);
        assert_eq!(Status::from_word("spare"), Status::Other("spare".into()));
    }
}
