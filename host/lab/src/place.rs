//! Reading single values of a world file, and saying where a wrong one stands.

use crate::time::Millis;
use crate::world::WorldError;
use jiff::SignedDuration;
use std::net::IpAddr;
use std::ops::Range;
use toml::Spanned;

/// What kinds of words there are.
pub(crate) mod word {
    /// A kind of word: what it is called, and what it is made of.
    #[derive(Clone, Copy)]
    pub(crate) struct Kind {
        pub(crate) made_of: &'static str,
        pub(crate) others: &'static [u8],
    }
    /// A short name.
    pub(crate) const NAME: Kind = Kind {
        made_of: "lower-case letters, digits and dashes",
        others: b"-",
    };
    /// A domain name.
    pub(crate) const DOMAIN: Kind = Kind {
        made_of: "lower-case letters, digits, dashes and dots",
        others: b"-.",
    };
    /// Part of a boot path.
    pub(crate) const BOOT_PATH: Kind = DOMAIN;
}

const SHORTEST: SignedDuration = SignedDuration::from_secs(1);
const LONGEST: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A world file's text, to find places in.
pub(crate) struct Place<'a> {
    text: &'a str,
}

impl<'a> Place<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        Place { text }
    }

    /// What the TOML reader found wrong.
    pub(crate) fn toml(&self, error: &toml::de::Error) -> WorldError {
        self.error(error.span().unwrap_or(0..0), error.message())
    }

    /// Something wrong at this place.
    pub(crate) fn error(&self, at: Range<usize>, message: &str) -> WorldError {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        WorldError::File {
            line,
            key: self.key(line),
            message: message.to_owned(),
        }
    }

    /// The key on a line, with the table that it belongs to.
    fn key(&self, line: usize) -> String {
        let mut table = "";
        let mut here = "";
        for text in self.text.lines().take(line) {
            here = text.trim();
            if let Some(header) = here.strip_prefix('[') {
                table = header
                    .split(']')
                    .next()
                    .unwrap_or(header)
                    .trim_matches('[')
                    .trim();
            }
        }
        if here.starts_with('[') {
            return table.to_owned();
        }
        let key = here.split('=').next().unwrap_or(here).trim();
        match (table.is_empty(), key.is_empty()) {
            (_, true) if table.is_empty() => "the file".to_owned(),
            (_, true) => table.to_owned(),
            (true, false) => key.to_owned(),
            (false, false) => format!("{table}.{key}"),
        }
    }

    fn check(&self, text: &Spanned<String>, good: bool, what: &str) -> Result<String, WorldError> {
        if good {
            return Ok(text.get_ref().clone());
        }
        Err(self.error(text.span(), &format!("`{}` is {what}", text.get_ref())))
    }

    pub(crate) fn word(
        &self,
        text: &Spanned<String>,
        kind: word::Kind,
    ) -> Result<String, WorldError> {
        let good = !text.get_ref().is_empty()
            && text.get_ref().len() <= 253
            && text.get_ref().bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || kind.others.contains(&byte)
            });
        self.check(text, good, &format!("not made of {}", kind.made_of))
    }

    pub(crate) fn address(&self, text: &Spanned<String>) -> Result<String, WorldError> {
        let good = text.get_ref().parse::<IpAddr>().is_ok();
        self.check(text, good, "not an IP address")
    }

    pub(crate) fn mac(&self, text: &Spanned<String>) -> Result<String, WorldError> {
        let parts: Vec<&str> = text.get_ref().split(':').collect();
        let good = parts.len() == 6 && parts.iter().all(|part| is_lower_hex(part, 2));
        self.check(text, good, "not a MAC address in lower case with colons")
    }

    pub(crate) fn uuid(&self, text: &Spanned<String>) -> Result<String, WorldError> {
        let parts: Vec<&str> = text.get_ref().split('-').collect();
        let good = parts.len() == 5
            && parts
                .iter()
                .zip([8, 4, 4, 4, 12])
                .all(|(part, length)| is_lower_hex(part, length));
        self.check(text, good, "not a UUID in lower case with dashes")
    }

    pub(crate) fn span_of_time(&self, text: &Spanned<String>) -> Result<Millis, WorldError> {
        let span: Option<SignedDuration> = text.get_ref().parse().ok();
        match span {
            None => Err(self.error(
                text.span(),
                &format!(
                    "`{}` is not a span of time such as `90s` or `12min`",
                    text.get_ref()
                ),
            )),
            Some(span) if span < SHORTEST || span > LONGEST => Err(self.error(
                text.span(),
                &format!("`{}` is not between one second and 30 days", text.get_ref()),
            )),
            Some(span) => Ok(Millis::try_from(span.as_millis()).unwrap_or(0)),
        }
    }
}

fn is_lower_hex(text: &str, length: usize) -> bool {
    text.len() == length
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
