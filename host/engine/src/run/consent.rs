//! Leave to make the first change.

use crate::identity::difference::Change;
use crate::run::operator::Given;
#[cfg(doc)]
use crate::run::operator::LATER;
use serde::Serialize;
use wreimage_capability::{BoxFuture, Fault};
use wreimage_journal::Question;

/// Code of the fault of a question that nobody can be asked.
pub(crate) const NOBODY: &str = wreimage_facts::code::NOBODY;

/// The answer to a question for consent that refuses it; the other one is the host's name.
const NO: &str = "no";

/// What a person needs to know before they agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConsentRequest {
    /// Short name of the host; the word to type.
    pub host: String,
    /// Name of the site.
    pub site: String,
    /// The guest's name and version in its own words.
    pub guest: String,
    /// SHA-256 of the guest's file.
    pub digest: String,
    /// The capabilities that it gets, each with the functions by which it can change something.
    pub capabilities: Vec<(String, Vec<String>)>,
    /// What is plugged into it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub plugs: Vec<ConsentComponent>,
    /// What is known of the host, by name.
    pub known: Vec<(String, String)>,
    /// What speaks against it.
    pub warnings: Vec<String>,
    /// The mutation that waits.
    pub first: String,
    /// All that consent is bound to, by name: what differs later is asked anew.
    pub shown: Vec<(String, String)>,
    /// Consent was given before, and this differs since, in a sentence each. Empty when it is asked for the first time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
}

impl ConsentRequest {
    /// The same request, after consent that was given before.
    pub(crate) fn since(mut self, changes: &[Change]) -> Self {
        self.changes = changes.iter().map(Change::shown).collect();
        self
    }

    /// Whether that question shows all of this.
    pub(crate) fn is_asked_by(&self, question: &Question) -> bool {
        self.question(question.call) == *question
    }

    /// The question as it stands in the journal, where other processes find it.
    pub(crate) fn question(&self, call: u64) -> Question {
        let choice = |key: &str, label: &str| (key.to_owned(), label.to_owned());
        let known = self
            .known
            .iter()
            .map(|(name, value)| format!("; {name}: {value}"));
        let warnings = self
            .warnings
            .iter()
            .map(|warning| format!("; warning: {warning}"));
        let plugs = self
            .plugs
            .iter()
            .map(|plug| format!(", with {} (sha256 {})", plug.component, plug.digest));
        let again = match self.changes.as_slice() {
            [] => String::new(),
            changes => format!("since consent was given, {}. ", changes.join("; ")),
        };
        Question {
            call,
            question: format!(
                "{again}may {} of site {} be changed? {} (sha256 {}){} is about to, {}, by {}; all data on it may be lost{}",
                self.host,
                self.site,
                self.guest,
                self.digest,
                plugs.collect::<String>(),
                if again.is_empty() {
                    "for the first time"
                } else {
                    "further"
                },
                self.first,
                known.chain(warnings).collect::<String>()
            ),
            choices: vec![
                choice(&self.host, "yes, change it"),
                choice(NO, "no, touch nothing; the run ends"),
            ],
            consent: true,
        }
    }
}

/// A fact that supports others and is not one that can change by itself: what was equal, and where the BMC was reached, whose
/// identity counts.
pub(crate) fn is_evidence(name: &str) -> bool {
    matches!(name, "compared" | "BMC address")
}

/// A component that is plugged into the guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConsentComponent {
    /// Its name and version in its own words.
    pub component: String,
    /// SHA-256 of its file.
    pub digest: String,
    /// The capabilities that it gets, each with the functions by which it can change something.
    pub capabilities: Vec<(String, Vec<String>)>,
}

/// Gives or refuses consent.
pub trait Consent: Send + Sync {
    /// What was decided in advance; `Err` says why it is refused. `None`: somebody has to be asked. `stands` says that an
    /// earlier process has asked, and that its question still waits for an answer. What was decided in advance counts once in
    /// a process: when something [changes](ConsentRequest::changes) later, a person is asked.
    fn in_advance(&self, request: &ConsentRequest, stands: bool) -> Option<Result<(), String>>;

    /// Asks. The question stands in the journal meanwhile, and can be answered from elsewhere by the key of one of its
    /// choices, of which the host's name is consent.
    ///
    /// A fault with the code [`LATER`] pauses the run; any other refuses. Whoever decides everything in advance is never
    /// asked.
    fn ask<'a>(
        &'a self,
        _request: &'a ConsentRequest,
        question: &'a Question,
    ) -> BoxFuture<'a, Result<Given, Fault>> {
        Box::pin(async move {
            Err(Fault::denied(
                NOBODY,
                "wreimage",
                format!("nobody can be asked: {}", question.question),
            ))
        })
    }

    /// Ends when a run that has consent may make its first change: one of several waits until all have been validated. The
    /// value says whether it waited; a fault says that it does not begin.
    fn turn(&self) -> BoxFuture<'_, Result<bool, Fault>> {
        Box::pin(async { Ok(false) })
    }
}

/// Consent was given in advance for this host.
#[derive(Debug, Clone)]
pub struct GivenConsent(pub String);

impl Consent for GivenConsent {
    fn in_advance(&self, request: &ConsentRequest, _stands: bool) -> Option<Result<(), String>> {
        Some(if self.0 == request.host {
            Ok(())
        } else {
            Err(format!(
                "consent was given for `{}`, but this run is for `{}`",
                self.0, request.host
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{ConsentComponent, ConsentRequest};

    #[test]
    fn the_question_in_the_journal_names_all_that_will_run() {
        let request = ConsentRequest {
            host: "host1001".to_owned(),
            site: "lab1".to_owned(),
            guest: "reimage 0.1.0".to_owned(),
            digest: "abc".to_owned(),
            capabilities: Vec::new(),
            plugs: vec![ConsentComponent {
                component: "site-checks 0.2.0".to_owned(),
                digest: "def".to_owned(),
                capabilities: Vec::new(),
            }],
            known: vec![("serial".to_owned(), "LAB1".to_owned())],
            warnings: vec!["it is pooled".to_owned()],
            first: "board.switch".to_owned(),
            shown: Vec::new(),
            changes: Vec::new(),
        };
        assert_eq!(
            request.question(1).question,
            "may host1001 of site lab1 be changed? reimage 0.1.0 (sha256 abc), with site-checks 0.2.0 (sha256 def) is about to, \
             for the first time, by board.switch; all data on it may be lost; serial: LAB1; warning: it is pooled"
        );
    }
}
