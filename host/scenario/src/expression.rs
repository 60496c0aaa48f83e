//! Conditions on a run and its world.

use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// A condition, such as `world.dhcp.published == false and run.exit_code != 0`.
#[derive(Clone)]
pub struct Expression {
    text: Arc<str>,
    compiled: Arc<minijinja::Expression<'static, 'static>>,
}

/// A name that does not exist is an error, never false: a condition that is misspelt must not hold for ever.
fn environment() -> &'static Environment<'static> {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment
    })
}

/// Whether `}}` stands outside of texts and brackets: for MiniJinja that is the end of an expression in a template, and its lexer
/// panics on what follows.
fn ends_early(text: &str) -> bool {
    let mut quote = None;
    let mut depth = 0_i64;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (quote, c) {
            (Some(_), '\\') => {
                rest.next();
            }
            (Some(open), _) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, '}') if depth <= 0 && rest.as_str().starts_with('}') => return true,
            (None, ')' | ']' | '}') => depth -= 1,
            (None, _) => {}
        }
    }
    false
}

impl Expression {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if ends_early(text) {
            return Err(format!(
                "the condition `{text}` cannot be read: `}}}}` closes nothing in it"
            ));
        }
        let compiled = environment()
            .compile_expression_owned(text.to_owned())
            .map_err(|error| format!("the condition `{text}` cannot be read: {error}"))?;
        Ok(Expression {
            text: text.into(),
            compiled: Arc::new(compiled),
        })
    }

    /// Whether it holds.
    ///
    /// # Errors
    /// When it cannot be judged: it names something that does not exist.
    pub fn holds(&self, context: impl Serialize) -> Result<bool, String> {
        let value = self
            .compiled
            .eval(context)
            .map_err(|error| format!("the condition `{}` cannot be judged: {error}", self.text))?;
        if value.is_undefined() {
            return Err(format!(
                "the condition `{}` cannot be judged: there is no such name",
                self.text
            ));
        }
        Ok(value.is_true())
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({})", self.text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn a_condition_is_judged_on_facts() {
        let facts = json!({ "world": { "dhcp": { "published": false }, "override": "none" }, "run": { "exit_code": 20, "left": ["a DHCP entry"] } });
        let holds = |text: &str| Expression::parse(text).unwrap().holds(&facts);
        assert_eq!(
            holds("world.dhcp.published == false and run.exit_code != 0"),
            Ok(true)
        );
        assert_eq!(holds("'DHCP' in run.left | join(' ')"), Ok(true));
        assert_eq!(holds("world.override in ['pxe']"), Ok(false));
    }

    #[test]
    fn the_end_of_a_template_is_no_condition() {
        for text in [
            "a == }}'b'",
            "a -}} b",
            "}} a",
            "(a) }} b",
            ") ( }} a",
            "'}}' == a }} b",
        ] {
            let error = Expression::parse(text).unwrap_err();
            assert!(error.contains("closes nothing"), "{text}: {error}");
        }
        for text in ["'}}' == \"a}}\"", "'\\'}}' == ''", "{'a': {'b': 1}} == {}"] {
            let holds = Expression::parse(text).unwrap().holds(json!({}));
            assert_eq!(holds, Ok(false), "{text}");
        }
    }

    #[test]
    fn a_name_that_does_not_exist_is_an_error() {
        let facts = json!({ "world": {} });
        for text in [
            "world.dhpc",
            "word",
            "world.dhcp.published == false",
            "not world.dhpc",
        ] {
            assert!(
                Expression::parse(text).unwrap().holds(&facts).is_err(),
                "{text}"
            );
        }
        assert!(Expression::parse("world.").is_err());
    }
}
