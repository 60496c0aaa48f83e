//! The person at the terminal, and questions to them.

use crate::output::Face;
use crate::output::print::{Page, Prompt, one_line};
use crate::terminal::session::{Keyboard, Session};
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;
use wreimage_capability::{BoxFuture, Fault};
use wreimage_engine::{Given, LATER, Operator};
use wreimage_journal::Question;
use wreimage_runs::AttendedRun;

/// How often a wrong answer is asked again.
const TRIES: u32 = 3;

/// How often an answer from another terminal is looked for.
const LOOK: Duration = Duration::from_millis(300);

/// Asks on stderr and reads stdin, when both are terminals.
pub struct Terminal {
    pub session: Arc<Session>,
    pub run: AttendedRun,
}

impl Terminal {
    /// The answer that comes from another terminal.
    pub async fn answer_from_elsewhere(&self, question: &Question) -> Given {
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
            by: self.run.actor.clone(),
        })
    }

    /// Ends when nobody has answered in time, with the answer that was agreed on for that. Never when there is none.
    async fn default_answer(&self, question: &Question) -> Given {
        let offered = |word: &&String| question.choices.iter().any(|(key, _)| key == *word);
        let choice = self.run.questions.default.iter().find(offered);
        let (Some(choice), Some(within)) = (choice, self.run.questions.within) else {
            return std::future::pending().await;
        };
        let due = self.run.clock.now().saturating_add(within);
        self.run
            .clock
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
        self.run.questions.within.is_some()
            && (self.run.questions.default.iter()).any(|word| keys.contains(&word.as_str()))
    }

    /// Nobody has answered: the run waits for somebody, or the guest is told.
    pub fn nobody(&self, why: &str, question: &Question) -> Fault {
        let code = if self.run.resumable {
            LATER
        } else {
            wreimage_facts::code::NOBODY
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
    let mut above = Page::default();
    above.gap();
    above.line(format!("Question: {}", question.question));
    for (key, label) in &question.choices {
        above.line(format!("  {:<10} {}", one_line(key), one_line(label)));
    }
    let mut prompt = Prompt {
        above,
        last: one_line(">"),
    };
    for _ in 0..TRIES {
        let choice = keyboard.ask(face, &prompt).await?;
        // One that cannot be typed is typed as it is shown.
        let is_it = |key: &str| key == choice || one_line(key).as_str() == choice;
        if let Some((key, _)) = question.choices.iter().find(|(key, _)| is_it(key)) {
            return Some(key.clone());
        }
        prompt.above = Page::default();
        let keys = keys(question).join(", ");
        prompt
            .above
            .line(format!("Answer one of: {}", one_line(&keys)));
    }
    None
}

fn keys(question: &Question) -> Vec<&str> {
    let keys = question.choices.iter().map(|(key, _)| key.as_str());
    keys.collect()
}

/// Whether an operator is at this terminal, who can be asked.
pub fn is_operator_there() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

impl Operator for Terminal {
    fn given(&self, question: &Question) -> Option<Given> {
        let (choice, by) = self
            .run
            .journal
            .given_answer(question.call)
            .ok()
            .flatten()?;
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
            let asks = is_operator_there() && !self.run.questions.pause;
            if !asks && !has_default {
                let why = if self.run.questions.pause {
                    "the run pauses at its questions; this one was"
                } else {
                    "nobody can be asked, this is not a terminal; the question was"
                };
                return Err(self.nobody(why, question));
            }
            // A question with a deadline is a wait like others; without one, the lab goes on.
            let _idle = match &self.run.seat {
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
