//! Consent of a run that takes turns with the others of its batch.

use crate::turns::Turns;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wreimage_capability::{BoxFuture, Fault};
use wreimage_engine::{Consent, ConsentRequest, Given};
use wreimage_journal::Question;
use wreimage_lab::Participant;

/// Waits for the turn of a run before its first change; consent itself is another's.
pub(crate) struct ConsentInTurn {
    pub consent: Arc<dyn Consent>,
    pub turns: Arc<Turns>,
    /// The host of the run.
    pub host: String,
    /// The run has had its turn, or needs none.
    pub has_turn: AtomicBool,
    /// The run's part in a lab that others share.
    pub seat: Option<Arc<Participant>>,
}

impl Consent for ConsentInTurn {
    fn in_advance(&self, request: &ConsentRequest, stands: bool) -> Option<Result<(), String>> {
        self.consent.in_advance(request, stands)
    }

    fn turn(&self) -> BoxFuture<'_, Result<bool, Fault>> {
        Box::pin(async move {
            // Consent may be asked for again when something has changed meanwhile; the turn stays.
            let had = self.has_turn.swap(true, Ordering::SeqCst);
            if had || !self.turns.are_taken() {
                return Ok(false);
            }
            // The lab goes on while a run waits for the others of its batch.
            let _idle = self.seat.as_ref().map(|seat| seat.idle());
            match self.turns.wait(&self.host).await {
                None | Some(true) => Ok(true),
                Some(false) => Err(Fault::cancelled("the batch begins with no further host")),
            }
        })
    }

    fn ask<'a>(
        &'a self,
        request: &'a ConsentRequest,
        question: &'a Question,
    ) -> BoxFuture<'a, Result<Given, Fault>> {
        self.consent.ask(request, question)
    }
}
