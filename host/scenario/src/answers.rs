//! An operator who answers as a scenario says.

use crate::file::AnswerFile;
use std::sync::{Arc, Mutex, PoisonError};
use wreimage_capability::{BoxFuture, Fault};
use wreimage_engine::{Given, LATER, Nobody, Operator};
use wreimage_journal::{OnFailure, Question};

/// Answers questions that hold a text, so many times each; nobody answers the others.
#[derive(Debug, Clone)]
pub(crate) struct Answers {
    left: Arc<Mutex<Vec<AnswerFile>>>,
    /// The run pauses at the others, as it does with `--on-failure pause`.
    pauses: bool,
}

impl Answers {
    pub(crate) fn new(answers: &[AnswerFile], on_failure: OnFailure) -> Self {
        Answers {
            left: Arc::new(Mutex::new(answers.to_vec())),
            pauses: on_failure == OnFailure::Pause,
        }
    }

    fn take(&self, question: &Question) -> Option<String> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |it: &&mut AnswerFile| {
            it.times > 0
                && question.question.contains(&it.question)
                && question.choices.iter().any(|(key, _)| *key == it.choice)
        };
        let answer = left.iter_mut().find(fits)?;
        answer.times -= 1;
        Some(answer.choice.clone())
    }

    /// Answers that were not given.
    pub(crate) fn unused(&self) -> Vec<String> {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.iter()
            .filter(|it| it.times > 0)
            .map(|it| {
                format!(
                    "the answer `{}` was not asked for ({} left): no question that offers it holds `{}`",
                    it.choice, it.times, it.question
                )
            })
            .collect()
    }
}

impl Operator for Answers {
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Result<Given, Fault>> {
        Box::pin(async move {
            match self.take(question) {
                Some(choice) => Ok(Given {
                    choice,
                    by: "the scenario".to_owned(),
                }),
                None if self.pauses => Err(Fault::denied(
                    LATER,
                    "the scenario",
                    format!("the run pauses at its questions: {}", question.question),
                )),
                None => Nobody.ask(question).await,
            }
        })
    }
}
