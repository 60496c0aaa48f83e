//! The person at the terminal: consent and questions.

use crate::face::Face;
use crate::tell::{one_line, plain};
use std::io::{BufRead, IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;
use wreimage_capability::{BoxFuture, Fault};
use wreimage_engine::{Consent, ConsentRequest, LATER, Operator};
use wreimage_journal::{Question, RunDatabase};

/// How often a wrong answer is asked again.
const TRIES: u32 = 3;

/// How often an answer from another terminal is looked for.
const LOOK: Duration = Duration::from_millis(300);

/// Asks on stderr and reads stdin, when both are terminals.
pub struct Terminal {
    face: Arc<dyn Face>,
    /// The host for which consent was given on the command line.
    consented: Option<String>,
    /// Where answers from other terminals come in.
    journal: Arc<RunDatabase>,
    /// Whether a question can wait for another process.
    resumable: bool,
}

impl Terminal {
    /// A person behind this face.
    pub fn new(
        face: Arc<dyn Face>,
        consented: Option<String>,
        journal: Arc<RunDatabase>,
        resumable: bool,
    ) -> Self {
        Terminal {
            face,
            consented,
            journal,
            resumable,
        }
    }

    /// The answer that comes from another terminal.
    async fn answer_from_elsewhere(&self, question: &Question) -> String {
        loop {
            if let Ok(Some((choice, actor))) = self.journal.given_answer(question.call)
                && question.choices.iter().any(|(key, _)| *key == choice)
            {
                self.face.line(&format!("{actor} has answered: {choice}"));
                return choice;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The answer that is typed here.
    async fn answer_here(&self, question: &Question) -> Option<String> {
        let mut prompt = format!("\n{}\n", plain(&question.question));
        for (key, label) in &question.choices {
            prompt.push_str(&format!("  {:<10} {}\n", one_line(key), one_line(label)));
        }
        prompt.push_str("> ");
        for _ in 0..TRIES {
            let answer = self.read_line(prompt.clone()).await?;
            if question.choices.iter().any(|(key, _)| *key == answer) {
                return Some(answer);
            }
            let keys: Vec<&str> = question
                .choices
                .iter()
                .map(|(key, _)| key.as_str())
                .collect();
            prompt = format!("Answer one of: {}\n> ", keys.join(", "));
        }
        None
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

    /// Prints, and reads a line without holding the executor or the terminal: records and signals go on meanwhile.
    /// `None` at the end of the input.
    async fn read_line(&self, prompt: String) -> Option<String> {
        self.face.pause();
        let read = tokio::task::spawn_blocking(move || {
            {
                let mut err = std::io::stderr().lock();
                let _ = write!(err, "{prompt}").and_then(|()| err.flush());
            }
            let mut line = String::new();
            match std::io::stdin().lock().read_line(&mut line) {
                Ok(read) if read > 0 => Some(line.trim().to_owned()),
                _ => None,
            }
        });
        let _resume = Resume(&self.face);
        read.await.ok().flatten()
    }
}

/// Gives the screen back, also when the question is dropped.
struct Resume<'a>(&'a Arc<dyn Face>);

impl Drop for Resume<'_> {
    fn drop(&mut self) {
        self.0.resume();
    }
}

/// Whether somebody can be asked.
fn somebody() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
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
    for (capability, functions) in &request.capabilities {
        let functions = match functions.as_slice() {
            [] => "only to look".to_owned(),
            functions => functions.join(", "),
        };
        text.push_str(&format!("  may use   {capability}: {functions}\n"));
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
            if let Some(host) = &self.consented {
                return if *host == request.host {
                    Ok(())
                } else {
                    Err(format!(
                        "`--yes {host}` gives consent for another host than `{}`",
                        request.host
                    ))
                };
            }
            if !somebody() {
                return Err(format!(
                    "nobody confirmed: this is not a terminal. Give consent in advance with `--yes {}`",
                    request.host
                ));
            }
            let prompt = format!(
                "{}All data on {} may be lost. Type the host's name to go on: ",
                summary(request),
                request.host
            );
            match self.read_line(prompt).await {
                Some(answer) if answer == request.host => Ok(()),
                Some(answer) if !answer.is_empty() => Err(format!(
                    "`{answer}` is not `{}`: not confirmed",
                    request.host
                )),
                _ => Err("not confirmed".to_owned()),
            }
        })
    }
}

impl Operator for Terminal {
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Result<String, Fault>> {
        Box::pin(async move {
            // One that was left before anybody asked here.
            let given = self.answer_from_elsewhere(question);
            if let Ok(answer) = tokio::time::timeout(Duration::ZERO, given).await {
                return Ok(answer);
            }
            if !somebody() {
                let why = "nobody can be asked, this is not a terminal; the question was";
                return Err(self.nobody(why, question));
            }
            let typed = tokio::select! {
                typed = self.answer_here(question) => typed,
                answer = self.answer_from_elsewhere(question) => Some(answer),
            };
            typed.ok_or_else(|| self.nobody("there was no answer to", question))
        })
    }
}
