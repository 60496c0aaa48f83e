//! Leave to make the first change.

use crate::gate::course::Course;
use crate::identity::difference::{COMPONENT, Change, GUEST};
use crate::identity::installer::Known;
use crate::run::operator::{Given, LATER};
use crate::run::stop::Stop;
use serde::Serialize;
use wreimage_capability::{BoxFuture, Fault, Function};
use wreimage_journal::{Answered, Question, Record};

/// Code of the fault of a question that nobody can be asked.
const NOBODY: &str = "operator.nobody";

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

/// How consent was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// At once: nothing can have changed since the check.
    InAdvance,
    /// By a person, who took time for it.
    Person,
}

impl ConsentRequest {
    /// The same request, after consent that was given before.
    pub(crate) fn since(mut self, changes: &[Change]) -> Self {
        self.changes = changes.iter().map(Change::shown).collect();
        self
    }

    /// Whether that question shows all of this.
    fn is_asked_by(&self, question: &Question) -> bool {
        self.question(question.call) == *question
    }

    /// The question as it stands in the journal, where other processes find it.
    fn question(&self, call: u64) -> Question {
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
fn is_evidence(name: &str) -> bool {
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

/// The question for consent as earlier processes have left it.
pub(crate) struct Standing {
    pub(crate) question: Question,
    pub(crate) answer: Option<String>,
}

impl Course {
    /// What consent is asked for, and bound to.
    pub(crate) fn consent_request(&self, function: &Function, known: &Known) -> ConsentRequest {
        let components = self.plugs.iter().map(|plug| {
            let name = format!("{COMPONENT}{}", plug.name);
            (name, plug.digest.clone())
        });
        let options = self
            .options
            .iter()
            .map(|(name, value)| (format!("option {name}"), value.clone()));
        let facts = known.facts.iter().filter(|(name, _)| !is_evidence(name));
        let shown = [(GUEST.to_owned(), self.digest.clone())]
            .into_iter()
            .chain(components)
            .chain(options)
            .chain(self.site_tables.iter().cloned())
            .chain(facts.cloned())
            .collect();
        ConsentRequest {
            host: self.host.clone(),
            site: self.site.clone(),
            guest: self.guest.clone(),
            digest: self.digest.clone(),
            capabilities: self.capabilities.clone(),
            plugs: self
                .plugs
                .iter()
                .map(|plug| ConsentComponent {
                    component: format!("{} {}", plug.name, plug.version),
                    digest: plug.digest.clone(),
                    capabilities: plug.capabilities.clone(),
                })
                .collect(),
            known: known.facts.clone(),
            warnings: known
                .cautions
                .iter()
                .chain(&known.warnings)
                .cloned()
                .collect(),
            first: function.to_string(),
            shown,
            changes: Vec::new(),
        }
    }

    /// Shows what is about to happen and asks for leave.
    pub(crate) async fn ask_consent(&self, request: ConsentRequest) -> Result<Asked, Stop> {
        let (decided, asked) = self.decide(&request).await?;
        decided.map_err(|why| {
            Stop::Refused(if self.state().touched {
                format!("{why}. {} was not changed further", self.host)
            } else {
                format!("{why}. Nothing was touched on {}", self.host)
            })
        })?;
        let asked = if self.await_turn().await? {
            Asked::Person
        } else {
            asked
        };
        self.recorder.record_durably(Record::Consented {
            first: request.first,
            known: request.known,
            shown: request.shown.clone(),
        })?;
        self.state().shown = request.shown;
        Ok(asked)
    }

    /// Waits for the turn of this run; whether it had to.
    async fn await_turn(&self) -> Result<bool, Stop> {
        tokio::select! {
            turn = self.consent.turn() => turn.map_err(|_| Stop::Cancelled),
            () = self.cancel.cancelled() => Err(Stop::Cancelled),
        }
    }

    /// Whether it was agreed; `Err` says why not.
    async fn decide(&self, request: &ConsentRequest) -> Result<(Result<(), String>, Asked), Stop> {
        let standing = self.state().consent.take();
        let standing = match standing {
            Some(Standing {
                answer: Some(answer),
                question,
            }) => {
                let agreed = self.agreed(&answer);
                // Consent counts for what its question showed; a refusal counts in any case.
                if agreed.is_err() || request.is_asked_by(&question) {
                    return Ok((agreed, Asked::InAdvance));
                }
                None
            }
            Some(standing) => request.is_asked_by(&standing.question).then_some(standing),
            None => None,
        };
        let is_first = !std::mem::replace(&mut self.state().consented_here, true);
        if is_first && let Some(decided) = self.consent.in_advance(request, standing.is_some()) {
            let decided = decided.and_then(|()| self.confirm_host_key());
            if let (Some(standing), Ok(())) = (&standing, &decided) {
                self.record_consent(&standing.question, &self.host, "consent in advance")?;
            }
            return Ok((decided, Asked::InAdvance));
        }
        let question = match standing {
            Some(standing) => standing.question,
            None => {
                let question = request.question(self.recorder.next_call());
                self.recorder
                    .record_durably(Record::Question(question.clone()))?;
                question
            }
        };
        // A run that waits for a person does not renew its claim.
        self.holder.let_go();
        let given = tokio::select! {
            given = self.consent.ask(request, &question) => given,
            () = self.cancel.cancelled(), if !self.state().closing => return Err(Stop::Cancelled),
        };
        self.holder.keep_on();
        match given {
            Ok(given) => {
                self.record_consent(&question, &given.choice, &given.by)?;
                Ok((self.agreed(&given.choice), Asked::Person))
            }
            Err(fault) if fault.code == LATER => Err(Stop::Paused(fault.message)),
            // What was agreed to is no longer so: that nobody is there is no refusal.
            Err(fault) if fault.code == NOBODY && !request.changes.is_empty() && self.resumable => {
                Err(Stop::Paused(fault.message))
            }
            Err(fault) => Ok((Err(fault.message), Asked::Person)),
        }
    }

    fn agreed(&self, answer: &str) -> Result<(), String> {
        if answer == self.host {
            Ok(())
        } else {
            Err(format!("`{answer}` was the answer: not confirmed"))
        }
    }

    fn record_consent(&self, question: &Question, answer: &str, by: &str) -> Result<(), Stop> {
        self.recorder.record_durably(Record::Answer(Answered {
            call: question.call,
            answer: answer.to_owned(),
            by: by.to_owned(),
        }))?;
        Ok(())
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
