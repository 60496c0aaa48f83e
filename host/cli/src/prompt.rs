//! The person at the terminal: consent and questions.

use crate::face::Face;
use crate::session::{Asked, Keyboard, Session};
use crate::tell::{one_line, plain};
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use wreimage_capability::{BoxFuture, Clock, Fault};
use wreimage_engine::{Consent, ConsentRequest, Given, LATER, Operator};
use wreimage_journal::{Question, RunDatabase};
use wreimage_lab::Participant;

/// How often a wrong answer is asked again.
const TRIES: u32 = 3;

/// How often an answer from another terminal is looked for.
const LOOK: Duration = Duration::from_millis(300);

/// What becomes of questions.
#[derive(Debug, Clone, Default)]
pub struct Questions {
    /// They are not asked here: the run pauses.
    pub pause: bool,
    /// For want of an answer, the first of these that is offered is taken.
    pub default: Vec<String>,
    /// After so long.
    pub within: Option<Duration>,
}

/// Asks on stderr and reads stdin, when both are terminals.
pub struct Terminal {
    pub session: Arc<Session>,
    /// Who is there.
    pub actor: String,
    /// Where answers from other terminals come in.
    pub journal: Arc<RunDatabase>,
    /// Whether a question can wait for another process.
    pub resumable: bool,
    pub questions: Questions,
    /// The run's clock.
    pub clock: Arc<dyn Clock>,
    /// The run's part in a lab that goes on while a person thinks.
    pub seat: Option<Arc<Participant>>,
}

impl Terminal {
    /// The answer that comes from another terminal.
    async fn answer_from_elsewhere(&self, question: &Question) -> Given {
        loop {
            if let Some(given) = self.given(question) {
                self.session
                    .face
                    .line(&format!("{} has answered: {}", given.by, given.choice));
                return given;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The answer that is typed here.
    async fn answer_here(&self, question: &Question) -> Option<Given> {
        let session = &self.session;
        let choice = typed(&session.keyboard, &session.face, question).await?;
        Some(Given {
            choice,
            by: self.actor.clone(),
        })
    }

    /// Ends when nobody has answered in time, with the answer that was agreed on for that. Never when there is none.
    async fn default_answer(&self, question: &Question) -> Given {
        let offered = |word: &&String| question.choices.iter().any(|(key, _)| key == *word);
        let choice = self.questions.default.iter().find(offered);
        let (Some(choice), Some(within)) = (choice, self.questions.within) else {
            return std::future::pending().await;
        };
        let due = self.clock.now().saturating_add(within);
        self.clock
            .sleep_until(due.unwrap_or(jiff::Timestamp::MAX))
            .await;
        let by = format!("default, after {} s without an answer", within.as_secs());
        self.session.face.line(&format!("{by}: {choice}"));
        Given {
            choice: choice.clone(),
            by,
        }
    }

    fn has_default(&self, question: &Question) -> bool {
        let keys = keys(question);
        self.questions.within.is_some()
            && (self.questions.default.iter()).any(|word| keys.contains(&word.as_str()))
    }

    /// Nobody has answered: the run waits for somebody, or the guest is told.
    fn nobody(&self, why: &str, question: &Question) -> Fault {
        let code = if self.resumable {
            LATER
        } else {
            "operator.nobody"
        };
        Fault::denied(code, "wreimage", format!("{why}: {}", question.question))
    }
}

/// The answer to a question that is typed at this terminal.
pub async fn typed(
    keyboard: &Keyboard,
    face: &Arc<dyn Face>,
    question: &Question,
) -> Option<String> {
    let mut prompt = format!("\n{}\n", plain(&question.question));
    for (key, label) in &question.choices {
        prompt.push_str(&format!("  {:<10} {}\n", one_line(key), one_line(label)));
    }
    prompt.push_str("> ");
    for _ in 0..TRIES {
        let choice = keyboard.ask(face, &prompt).await?;
        if question.choices.iter().any(|(key, _)| *key == choice) {
            return Some(choice);
        }
        prompt = format!("Answer one of: {}\n> ", keys(question).join(", "));
    }
    None
}

fn keys(question: &Question) -> Vec<&str> {
    let keys = question.choices.iter().map(|(key, _)| key.as_str());
    keys.collect()
}

/// Whether somebody can be asked.
pub fn somebody() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// The capabilities of a component, a line each.
fn may_use(capabilities: &[(String, Vec<String>)]) -> String {
    let line = |(capability, functions): &(String, Vec<String>)| {
        let functions = match functions.as_slice() {
            [] => "only to look".to_owned(),
            functions => functions.join(", "),
        };
        format!("  may use   {capability}: {functions}\n")
    };
    capabilities.iter().map(line).collect()
}

/// What is about to happen, as the operator reads it.
fn summary(request: &ConsentRequest) -> String {
    let mut text = format!(
        "\n{} is about to change {} (site {}) for the first time, by {}.\n  guest     sha256 {}\n",
        one_line(&request.guest),
        request.host,
        request.site,
        request.first,
        request.digest
    );
    text.push_str(&may_use(&request.capabilities));
    for plug in &request.plugs {
        text.push_str(&format!(
            "  with      {}, sha256 {}\n",
            one_line(&plug.component),
            plug.digest
        ));
        text.push_str(&may_use(&plug.capabilities));
    }
    for (name, value) in &request.known {
        text.push_str(&format!("  {name:<9} {}\n", one_line(value)));
    }
    for warning in &request.warnings {
        text.push_str(&format!("  warning   {}\n", one_line(warning)));
    }
    text
}

impl Consent for Terminal {
    fn ask<'a>(&'a self, request: &'a ConsentRequest) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let session = &self.session;
            if let Some(hosts) = &session.yes {
                return if hosts.same(&session.hosts) {
                    Ok(())
                } else {
                    Err(format!(
                        "`--yes {hosts}` gives consent for other hosts than `{}`",
                        session.hosts
                    ))
                };
            }
            if !somebody() {
                return Err(format!(
                    "nobody confirmed: this is not a terminal. Give consent in advance with `--yes {}`",
                    session.hosts.in_a_shell()
                ));
            }
            // Consent to all covers a host of which nothing is to be weighed.
            let is_agreed = || session.agreed.load(Ordering::SeqCst);
            if is_agreed() && request.warnings.is_empty() {
                return Ok(());
            }
            let _idle = self.seat.as_ref().map(|seat| seat.idle());
            let all = session.is_many() && request.warnings.is_empty();
            let wanted = if all {
                session.hosts.to_string()
            } else {
                request.host.clone()
            };
            let prompt = format!(
                "{}All data on {wanted} may be lost. Type {wanted} to go on: ",
                summary(request)
            );
            let answer = session
                .keyboard
                .ask_unless(&session.face, &prompt, || all && is_agreed())
                .await;
            match answer {
                Asked::NotNeeded => Ok(()),
                Asked::Typed(answer) if answer == wanted => {
                    session.agreed.fetch_or(all, Ordering::SeqCst);
                    Ok(())
                }
                Asked::Typed(answer) if !answer.is_empty() => {
                    Err(format!("`{answer}` is not `{wanted}`: not confirmed"))
                }
                Asked::Typed(_) | Asked::Nothing => Err("not confirmed".to_owned()),
            }
        })
    }
}

impl Operator for Terminal {
    fn given(&self, question: &Question) -> Option<Given> {
        let (choice, by) = self.journal.given_answer(question.call).ok().flatten()?;
        let offered = question.choices.iter().any(|(key, _)| *key == choice);
        offered.then_some(Given { choice, by })
    }

    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Result<Given, Fault>> {
        Box::pin(async move {
            // One that was left before anybody asked here.
            if let Some(given) = self.given(question) {
                return Ok(given);
            }
            let has_default = self.has_default(question);
            let asks = somebody() && !self.questions.pause;
            if !asks && !has_default {
                let why = if self.questions.pause {
                    "the run pauses at its questions; this one was"
                } else {
                    "nobody can be asked, this is not a terminal; the question was"
                };
                return Err(self.nobody(why, question));
            }
            // A question with a deadline is a wait like others; without one, the lab goes on.
            let _idle = match &self.seat {
                Some(seat) if !has_default => Some(seat.idle()),
                _ => None,
            };
            let here = async {
                if !asks {
                    return std::future::pending().await;
                }
                self.answer_here(question).await
            };
            tokio::select! {
                typed = here => typed.ok_or_else(|| self.nobody("there was no answer to", question)),
                given = self.answer_from_elsewhere(question) => Ok(given),
                given = self.default_answer(question) => Ok(given),
            }
        })
    }
}
