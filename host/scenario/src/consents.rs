//! Who agrees to changes in a scenario, besides an operator who has done it in advance.

use wreimage_capability::{BoxFuture, Fault};
use wreimage_engine::{Consent, ConsentRequest, Given};
use wreimage_journal::Question;

/// Nobody agrees.
pub(crate) struct NoConsent;

impl Consent for NoConsent {
    fn in_advance(&self, request: &ConsentRequest, _stands: bool) -> Option<Result<(), String>> {
        Some(Err(format!(
            "nobody consented to changes of {}, as the scenario has it",
            request.host
        )))
    }
}

/// An operator at a terminal, who agrees to what is shown.
pub(crate) struct Attended;

impl Consent for Attended {
    fn in_advance(&self, _request: &ConsentRequest, _stands: bool) -> Option<Result<(), String>> {
        None
    }

    fn ask<'a>(
        &'a self,
        request: &'a ConsentRequest,
        _question: &'a Question,
    ) -> BoxFuture<'a, Result<Given, Fault>> {
        Box::pin(async move {
            Ok(Given {
                choice: request.host.clone(),
                by: "operator".to_owned(),
            })
        })
    }
}
