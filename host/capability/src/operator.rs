//! The person who started the run. The engine answers.

pub use crate::bindings::wreimage::operator::operator::Choice;

crate::table::effects! {
    /// Asks the operator.
    operator "wreimage:operator/operator@0.1.0" served by Engine in crate::bindings::wreimage::operator::operator;
    ask confirm(question: String) -> bool;
    ask choose(question: String, choices: Vec<Choice>) -> String;
}
