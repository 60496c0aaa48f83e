//! Leave to make the first change: on the command line, at the terminal, or from another one.

use crate::output::print::{Page, Prompt, one_line};
use crate::terminal::prompt::{Terminal, is_operator_there};
use crate::terminal::session::Asked;
use std::sync::atomic::Ordering;
use wreimage_capability::{BoxFuture, Fault};
use wreimage_engine::{Consent, ConsentRequest, Given, Operator};
use wreimage_journal::Question;

/// The capabilities of a component, a line each.
fn may_use(capabilities: &[(String, Vec<String>)], page: &mut Page) {
    for (capability, functions) in capabilities {
        let functions = match functions.as_slice() {
            [] => "only to look".to_owned(),
            functions => functions.join(", "),
        };
        page.line(format!("  may use   {capability}: {functions}"));
    }
}

/// What is about to happen, as the operator reads it.
fn summary(request: &ConsentRequest) -> Page {
    let when = match request.changes.as_slice() {
        [] => "for the first time",
        _ => "further",
    };
    let mut page = Page::default();
    page.gap();
    page.line(format!(
        "{} is about to change {} (site {}) {when}, by {}.",
        one_line(&request.guest),
        request.host,
        request.site,
        request.first,
    ));
    page.line(format!("  guest     sha256 {}", request.digest));
    for change in &request.changes {
        page.line(format!(
            "  CHANGED   since consent was given: {}",
            one_line(change)
        ));
    }
    may_use(&request.capabilities, &mut page);
    for plug in &request.plugs {
        page.line(format!(
            "  with      {}, sha256 {}",
            one_line(&plug.component),
            plug.digest
        ));
        may_use(&plug.capabilities, &mut page);
    }
    for (name, value) in &request.known {
        page.line(format!("  {name:<9} {}", one_line(value)));
    }
    for warning in &request.warnings {
        page.line(format!("  warning   {}", one_line(warning)));
    }
    page
}

impl Terminal {
    /// Consent that was typed here for all hosts of this process covers one of which nothing is to be weighed.
    fn is_agreed(&self, request: &ConsentRequest) -> bool {
        request.warnings.is_empty()
            && request.changes.is_empty()
            && self.session.agreed.load(Ordering::SeqCst)
    }

    /// What is typed here. Anything but the name refuses.
    async fn consent_here(
        &self,
        request: &ConsentRequest,
        question: &Question,
    ) -> Result<Given, Fault> {
        let session = &self.session;
        let all = session.is_many() && request.warnings.is_empty() && request.changes.is_empty();
        let wanted = if all {
            session.hosts.to_string()
        } else {
            request.host.clone()
        };
        let prompt = Prompt {
            above: summary(request),
            last: one_line(&format!(
                "All data on {wanted} may be lost. Type {wanted} to go on:"
            )),
        };
        let asked = session
            .keyboard
            .ask_unless(&session.face, &prompt, || self.is_agreed(request))
            .await;
        let refused = |why: String| Fault::denied("consent.refused", "wreimage", why);
        match asked {
            Asked::NotNeeded => {}
            Asked::Typed(answer) if answer == wanted => {
                session.agreed.fetch_or(all, Ordering::SeqCst);
            }
            Asked::Typed(answer) if !answer.is_empty() => {
                return Err(refused(format!(
                    "`{answer}` is not `{wanted}`: not confirmed"
                )));
            }
            Asked::Typed(_) => return Err(refused("not confirmed".to_owned())),
            Asked::Nothing => return Err(self.nobody("there was no answer to", question)),
        }
        Ok(Given {
            choice: request.host.clone(),
            by: self.run.actor.clone(),
        })
    }
}

impl Consent for Terminal {
    fn in_advance(&self, request: &ConsentRequest, stands: bool) -> Option<Result<(), String>> {
        let session = &self.session;
        if let Some(hosts) = &session.yes {
            return Some(if hosts.same(&session.hosts) {
                Ok(())
            } else {
                Err(format!(
                    "`--yes {hosts}` gives consent for other hosts than `{}`",
                    session.hosts
                ))
            });
        }
        if self.is_agreed(request) {
            return Some(Ok(()));
        }
        // A question that stands already waits for its answer, and so does one about a change since consent was given; another
        // one that nobody would see is not asked.
        (!is_operator_there() && !stands && request.changes.is_empty()).then(|| {
            Err(format!(
                "nobody confirmed: this is not a terminal. Give consent in advance with `--yes {}`",
                session.hosts.in_a_shell()
            ))
        })
    }

    fn ask<'a>(
        &'a self,
        request: &'a ConsentRequest,
        question: &'a Question,
    ) -> BoxFuture<'a, Result<Given, Fault>> {
        Box::pin(async move {
            // One that was left before anybody asked here.
            if let Some(given) = self.given(question) {
                return Ok(given);
            }
            if !is_operator_there() {
                return Err(self.nobody(
                    "nobody can be asked, this is not a terminal; the question was",
                    question,
                ));
            }
            let _idle = self.run.seat.as_ref().map(|seat| seat.idle());
            tokio::select! {
                typed = self.consent_here(request, question) => typed,
                given = self.answer_from_elsewhere(question) => Ok(given),
            }
        })
    }
}
