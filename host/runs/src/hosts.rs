//! Several hosts in one word: `host[1001-1004,1006],db2003`.

use std::collections::BTreeSet;
use std::fmt;

/// How many hosts one expression may name.
const MOST: usize = 1000;

/// Hosts in the order in which they were named, none of them twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosts {
    names: Vec<String>,
    expression: String,
}

impl Hosts {
    /// Reads an expression: names joined by commas, each of which may hold one list of numbers in brackets.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(expression: &str) -> Result<Hosts, String> {
        let mut names = Vec::new();
        for word in split(expression)? {
            expand(word, &mut names)?;
        }
        for name in &names {
            check(name)?;
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = names.iter().find(|name| !seen.insert(name.as_str())) {
            return Err(format!("`{expression}` names {twice} twice"));
        }
        Ok(Hosts {
            names,
            expression: expression.to_owned(),
        })
    }

    /// One host.
    pub fn one(name: &str) -> Hosts {
        Hosts {
            names: vec![name.to_owned()],
            expression: name.to_owned(),
        }
    }

    /// Their names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// As it is typed in a shell, where brackets mean something else.
    pub fn in_a_shell(&self) -> String {
        if self.expression.contains('[') {
            format!("'{}'", self.expression)
        } else {
            self.expression.clone()
        }
    }

    /// Whether both name the same hosts, in whatever order.
    pub fn same(&self, other: &Hosts) -> bool {
        let set = |hosts: &Hosts| hosts.names.iter().cloned().collect::<BTreeSet<_>>();
        set(self) == set(other)
    }
}

impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.expression)
    }
}

/// At the commas that are not in brackets.
fn split(expression: &str) -> Result<Vec<&str>, String> {
    let (mut words, mut begin, mut inside) = (Vec::new(), 0, false);
    for (at, sign) in expression.char_indices() {
        match sign {
            '[' if inside => return Err(format!("`{expression}` has a bracket in a bracket")),
            ']' if !inside => {
                return Err(format!("`{expression}` closes a bracket that is not open"));
            }
            '[' => inside = true,
            ']' => inside = false,
            ',' if !inside => {
                words.push(expression.get(begin..at).unwrap_or_default());
                begin = at + 1;
            }
            _ => {}
        }
    }
    if inside {
        return Err(format!("`{expression}` leaves a bracket open"));
    }
    words.push(expression.get(begin..).unwrap_or_default());
    Ok(words)
}

/// Adds the names that a word with at most one list of numbers stands for.
fn expand(word: &str, names: &mut Vec<String>) -> Result<(), String> {
    let Some((head, rest)) = word.split_once('[') else {
        names.push(word.to_owned());
        return Ok(());
    };
    let (list, tail) = rest.split_once(']').unwrap_or((rest, ""));
    if tail.contains('[') {
        return Err(format!(
            "`{word}` has two lists of numbers: one is understood"
        ));
    }
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let digits = |text: &str| {
            let fits = (1..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
            fits.then(|| text.parse::<u32>().ok()).flatten()
        };
        let (Some(from), Some(to)) = (digits(first), digits(last)) else {
            return Err(format!(
                "`{part}` in `{word}` is no number and no range such as 1001-1004"
            ));
        };
        if from > to || first.len() > last.len() {
            return Err(format!("the range `{part}` in `{word}` runs backwards"));
        }
        let width = first.len();
        for number in from..=to {
            if names.len() >= MOST {
                return Err(format!("`{word}` names more than {MOST} hosts"));
            }
            names.push(format!("{head}{number:0width$}{tail}"));
        }
    }
    Ok(())
}

/// A short name: letters, digits, dashes.
fn check(name: &str) -> Result<(), String> {
    let fits = |name: &str| {
        !name.is_empty()
            && name.len() <= 63
            && !name.starts_with('-')
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    match name.split_once('.') {
        Some((short, domain)) if fits(short) && !domain.is_empty() => Err(format!(
            "`{name}` is a full name: give the short one, `--host {short}`"
        )),
        None if fits(name) => Ok(()),
        _ => Err(format!(
            "`{name}` is no host name: lower-case letters, digits and dashes, at most 63"
        )),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Hosts;

    fn names(expression: &str) -> String {
        Hosts::parse(expression).unwrap().names().join(" ")
    }

    #[test]
    fn lists_and_ranges_are_spelt_out() {
        assert_eq!(names("host1001"), "host1001");
        assert_eq!(
            names("host[1001-1003,1006]"),
            "host1001 host1002 host1003 host1006"
        );
        assert_eq!(
            names("db2003,host[08-11]-a"),
            "db2003 host08-a host09-a host10-a host11-a"
        );
    }

    #[test]
    fn the_same_hosts_are_the_same_whatever_their_spelling() {
        let of = |text| Hosts::parse(text).unwrap();
        assert!(of("host[1-2]").same(&of("host2,host1")));
        assert!(!of("host[1-2]").same(&of("host[1-3]")));
    }

    #[test]
    fn what_is_no_expression_is_said() {
        for (wrong, words) in [
            ("", "no host name"),
            ("host1,", "no host name"),
            ("host[1-2", "leaves a bracket open"),
            ("host1-2]", "not open"),
            ("host[[1]]", "bracket in a bracket"),
            ("host[]", "no number"),
            ("host[1-x]", "no number"),
            ("host[4-1]", "backwards"),
            ("host[1-3,2]", "host2 twice"),
            ("h[1][2]", "two lists"),
            ("host[1-99999]", "more than 1000"),
            ("Host1", "no host name"),
            ("host1.example.org", "full name"),
            ("host[99999999999]", "no number"),
        ] {
            let said = Hosts::parse(wrong).unwrap_err();
            assert!(said.contains(words), "{wrong}: {said}");
        }
    }
}
