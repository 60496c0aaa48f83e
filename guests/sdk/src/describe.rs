//! Words with which a guest describes itself.

use crate::{Description, OptionKind, OptionSpec};

/// What an option means to the host, in the mark `role` of its `extra`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Its value names the release to install.
    TargetRelease,
    /// A toggle: the guest continues with the system that is installed.
    KeepsSystem,
    /// A toggle: the guest takes the host out of its services.
    Depools,
    /// A toggle: the host is new and in no service, so that nothing is depooled.
    NewHost,
}

impl Role {
    fn word(self) -> &'static str {
        match self {
            Role::TargetRelease => "target-release",
            Role::KeepsSystem => "keeps-system",
            Role::Depools => "depools",
            Role::NewHost => "new-host",
        }
    }
}

impl Description {
    /// A guest that only looks. The host refuses its mutations.
    pub fn reads(name: &str, version: &str, summary: &str) -> Self {
        Description {
            name: name.to_owned(),
            version: version.to_owned(),
            summary: summary.to_owned(),
            mutates: false,
            options: Vec::new(),
            extra: Vec::new(),
        }
    }

    /// A guest that changes something.
    pub fn mutates(name: &str, version: &str, summary: &str) -> Self {
        Description {
            mutates: true,
            ..Description::reads(name, version, summary)
        }
    }

    /// With these options of its own.
    #[must_use]
    pub fn with_options(mut self, options: impl IntoIterator<Item = OptionSpec>) -> Self {
        self.options = options.into_iter().collect();
        self
    }
}

impl OptionSpec {
    /// An option that is present or absent.
    pub fn toggle(name: &str, help: &str) -> Self {
        OptionSpec::of_kind(OptionKind::Toggle, name, help)
    }

    /// An option with any text; `value_name` stands for it in the help.
    pub fn text(name: &str, value_name: &str, help: &str) -> Self {
        OptionSpec {
            value_name: Some(value_name.to_owned()),
            ..OptionSpec::of_kind(OptionKind::Text, name, help)
        }
    }

    /// An option with words, separated by commas.
    pub fn words(name: &str, value_name: &str, help: &str) -> Self {
        OptionSpec {
            value_name: Some(value_name.to_owned()),
            ..OptionSpec::of_kind(OptionKind::Words, name, help)
        }
    }

    /// An option that is one of these words.
    pub fn choice(name: &str, words: &[&str], help: &str) -> Self {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        OptionSpec::of_kind(OptionKind::Choice(words), name, help)
    }

    /// An option of that kind.
    pub fn of_kind(kind: OptionKind, name: &str, help: &str) -> Self {
        OptionSpec {
            name: name.to_owned(),
            short: None,
            help: help.to_owned(),
            value_name: None,
            kind,
            default: None,
            required: false,
            needs: Vec::new(),
            extra: Vec::new(),
        }
    }

    /// A run without it is a usage error.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// With a short form of one letter.
    #[must_use]
    pub fn short(mut self, letter: char) -> Self {
        self.short = Some(letter.to_string());
        self
    }

    /// A usage error at a site that marks this capability as absent.
    #[must_use]
    pub fn needs(mut self, capability: &str) -> Self {
        self.needs.push(capability.to_owned());
        self
    }

    /// With what it means to the host, which the host reads from this mark and not from the option's name.
    #[must_use]
    pub fn role(mut self, role: Role) -> Self {
        self.extra.push(("role".to_owned(), role.word().to_owned()));
        self
    }

    /// Where its values can be found, for `--help` and completion: `dhcp.releases` for the releases that the install server
    /// can install, `dhcp.media` for their boot media. Other values stay possible.
    #[must_use]
    pub fn choices_from(mut self, source: &str) -> Self {
        self.extra
            .push(("choices-from".to_owned(), source.to_owned()));
        self
    }

    /// What it is when it is not given.
    #[must_use]
    pub fn by_default(mut self, value: &str) -> Self {
        self.default = Some(value.to_owned());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_has_the_marks_that_the_host_reads() {
        let release = OptionSpec::text("os", "OS", "")
            .role(Role::TargetRelease)
            .choices_from("dhcp.releases");
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            release.extra,
            [
                pair("role", "target-release"),
                pair("choices-from", "dhcp.releases")
            ]
        );
        for (role, word) in [
            (Role::KeepsSystem, "keeps-system"),
            (Role::Depools, "depools"),
            (Role::NewHost, "new-host"),
        ] {
            let toggle = OptionSpec::toggle("x", "").role(role);
            assert_eq!(toggle.extra, [pair("role", word)]);
        }
    }
}
