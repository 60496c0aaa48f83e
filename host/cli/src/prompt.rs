//! The person at the terminal: consent and questions.

use crate::face::Face;
use crate::tell::{one_line, plain};
use std::io::{BufRead, IsTerminal, Write};
use std::sync::Arc;
use wreimage_capability::{BoxFuture, Fault};
use wreimage_engine::{Consent, ConsentRequest, Operator};
use wreimage_journal::Question;

/// How often a wrong answer is asked again.
const TRIES: u32 = 3;

/// Asks on stderr and reads stdin, when both are terminals.
pub struct Terminal {
    face: Arc<dyn Face>,
    /// The host for which consent was given on the command line.
    consented: Option<String>,
}

impl Terminal {
    /// A person behind this face.
    pub fn new(face: Arc<dyn Face>, consented: Option<String>) -> Self {
        Terminal { face, consented }
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
            if !somebody() {
                return Err(Fault::denied(
                    "operator.nobody",
                    "wreimage",
                    format!(
                        "nobody can be asked, this is not a terminal; the question was: {}",
                        question.question
                    ),
                ));
            }
            let mut prompt = format!("\n{}\n", plain(&question.question));
            for (key, label) in &question.choices {
                prompt.push_str(&format!("  {:<10} {}\n", one_line(key), one_line(label)));
            }
            prompt.push_str("> ");
            for _ in 0..TRIES {
                match self.read_line(prompt.clone()).await {
                    Some(answer) if question.choices.iter().any(|(key, _)| *key == answer) => {
                        return Ok(answer);
                    }
                    Some(_) => {
                        let keys: Vec<&str> = question
                            .choices
                            .iter()
                            .map(|(key, _)| key.as_str())
                            .collect();
                        prompt = format!("Answer one of: {}\n> ", keys.join(", "));
                    }
                    None => break,
                }
            }
            Err(Fault::denied(
                "operator.nobody",
                "wreimage",
                format!("there was no answer to: {}", question.question),
            ))
        })
    }
}
