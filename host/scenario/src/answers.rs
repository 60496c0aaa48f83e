//! An operator who answers as a scenario or a case of a sweep says.

use crate::file::AnswerFile;
use std::sync::{Arc, Mutex, PoisonError};
use wreimage_capability::{BoxFuture, Fault};
use wreimage_engine::{Given, LATER, Nobody, Operator};
use wreimage_journal::{OnFailure, Question};

/// The answer to a step that failed, in the words of the guest's questions.
const RETRY: &str = "retry";

/// What the operator does at questions that the scenario does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attendance {
    /// No operator is attached to the run.
    Nobody,
    /// The run pauses until it is resumed, as it does with `--on-failure pause`.
    Later,
    /// The operator reads the question and does not answer.
    Silent,
    /// The operator has a step that failed done once more.
    Retries,
}

/// Answers questions that hold a text, so many times each.
#[derive(Debug, Clone)]
pub(crate) struct Answers {
    left: Arc<Mutex<Vec<AnswerFile>>>,
    others: Attendance,
}

impl Answers {
    pub(crate) fn new(answers: &[AnswerFile], on_failure: OnFailure) -> Self {
        Answers {
            left: Arc::new(Mutex::new(answers.to_vec())),
            others: match on_failure {
                OnFailure::Pause => Attendance::Later,
                OnFailure::Undo | OnFailure::Ask => Attendance::Nobody,
            },
        }
    }

    /// The same answers, by an operator who does this at other questions.
    pub(crate) fn with(&self, others: Attendance) -> Self {
        Answers {
            left: self.left.clone(),
            others,
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

    /// What the operator does at a question that the scenario does not answer.
    async fn other(&self, question: &Question) -> Result<Given, Fault> {
        match self.others {
            Attendance::Later => Err(Fault::denied(
                LATER,
                "the scenario",
                format!("the run pauses at its questions: {}", question.question),
            )),
            Attendance::Silent => std::future::pending().await,
            Attendance::Retries if question.choices.iter().any(|(key, _)| key == RETRY) => {
                Ok(Given {
                    choice: RETRY.to_owned(),
                    by: "the sweep".to_owned(),
                })
            }
            Attendance::Nobody | Attendance::Retries => Nobody.ask(question).await,
        }
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
                None => self.other(question).await,
            }
        })
    }
}
