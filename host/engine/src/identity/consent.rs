//! Asks for leave to make the first change, and again when what was agreed to has changed.

use crate::gate::run_gate::RunGate;
use crate::identity::difference::{COMPONENT, GUEST};
use crate::identity::known::Known;
use crate::ledger::ConsentQuestion;
use crate::run::consent::{ConsentComponent, ConsentRequest, NOBODY, is_evidence};
use crate::run::operator::LATER;
use crate::run::stop::Stop;
use wreimage_capability::Function;
use wreimage_journal::{Answered, Question, Record};

/// How consent was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// At once: nothing can have changed since the check.
    InAdvance,
    /// By a person, who took time for it.
    Person,
}

impl RunGate {
    /// What consent is asked for, and bound to.
    pub(crate) fn consent_request(&self, function: &Function, known: &Known) -> ConsentRequest {
        let components = self.context.plugs.iter().map(|plug| {
            let name = format!("{COMPONENT}{}", plug.name);
            (name, plug.digest.clone())
        });
        let options = self
            .context
            .options
            .iter()
            .map(|(name, value)| (format!("option {name}"), value.clone()));
        let facts = known.facts.iter().filter(|(name, _)| !is_evidence(name));
        let shown = [(GUEST.to_owned(), self.context.digest.clone())]
            .into_iter()
            .chain(components)
            .chain(options)
            .chain(self.context.site_tables.iter().cloned())
            .chain(facts.cloned())
            .collect();
        ConsentRequest {
            host: self.context.host.clone(),
            site: self.context.site.clone(),
            guest: self.context.guest.clone(),
            digest: self.context.digest.clone(),
            capabilities: self.context.capabilities.clone(),
            plugs: self
                .context
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
                format!("{why}. {} was not changed further", self.context.host)
            } else {
                format!("{why}. Nothing was touched on {}", self.context.host)
            })
        })?;
        let asked = if self.await_turn().await? {
            Asked::Person
        } else {
            asked
        };
        self.record_durably(Record::Consented {
            first: request.first,
            known: request.known,
            shown: request.shown,
        })?;
        self.state().earlier_consent_is_void = false;
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
        let standing = self.state().consent.clone();
        let standing = match standing {
            Some(ConsentQuestion {
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
                self.record_consent(&standing.question, &self.context.host, "consent in advance")?;
            }
            return Ok((decided, Asked::InAdvance));
        }
        let question = match standing {
            Some(standing) => standing.question,
            None => {
                let question = request.question(self.recorder.next_call());
                self.record_durably(Record::Question(question.clone()))?;
                question
            }
        };
        // A run that waits for a person does not renew its claim.
        self.holder.let_go();
        let given = tokio::select! {
            given = self.consent.ask(request, &question) => given,
            () = self.cancel.cancelled(), if !self.state().mode().is_closing() => return Err(Stop::Cancelled),
        };
        self.holder.keep_on();
        match given {
            Ok(given) => {
                self.record_consent(&question, &given.choice, &given.by)?;
                Ok((self.agreed(&given.choice), Asked::Person))
            }
            Err(fault) if fault.code == LATER => Err(Stop::Paused(fault.message)),
            // What was agreed to is no longer so: that nobody is there is no refusal.
            Err(fault)
                if fault.code == NOBODY
                    && !request.changes.is_empty()
                    && self.context.resumable =>
            {
                Err(Stop::Paused(fault.message))
            }
            Err(fault) => Ok((Err(fault.message), Asked::Person)),
        }
    }

    fn agreed(&self, answer: &str) -> Result<(), String> {
        if answer == self.context.host {
            Ok(())
        } else {
            Err(format!("`{answer}` was the answer: not confirmed"))
        }
    }

    fn record_consent(&self, question: &Question, answer: &str, by: &str) -> Result<(), Stop> {
        self.record_durably(Record::Answer(Answered {
            call: question.call,
            answer: answer.to_owned(),
            by: by.to_owned(),
        }))?;
        Ok(())
    }
}
