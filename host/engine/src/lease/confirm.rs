//! Whether this run still has the lease, asked after each intent and before the call.

use super::Standing;
use crate::gate::call_context::CallContext;
use crate::gate::run_gate::RunGate;
use crate::run::stop::Stop;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wreimage_capability::lease::{HeldClaim, LeaseError, Renewed};
use wreimage_capability::{Call, Effect, Fault, Subject};
use wreimage_journal::{Origin, Record};

/// What this process may do.
enum Leave {
    /// The claim is this run's for so long.
    Valid(Box<HeldClaim>, Duration),
    /// The remote system itself knows whose the thing is.
    Unclaimed,
    /// No; why.
    No(String),
}

impl RunGate {
    /// Confirms the lease for a call whose intent is recorded: with the server where the call must not happen twice or changes
    /// the boot device, else by what was confirmed before. A call that may not be made is withheld and pauses the run; what
    /// the host undoes, and what a guest calls in its closing words, gets a fault instead.
    pub(crate) async fn confirm_lease(
        self: &Arc<Self>,
        context: CallContext<'_>,
        call: &mut Call,
    ) -> Result<Option<Fault>, Stop> {
        if self.holder.leasing.is_none() || self.context.dry_run || self.state().mode().is_in_twin()
        {
            return Ok(None);
        }
        let function = context.function;
        let why = match self.leave(context).await? {
            Leave::Valid(claim, left) => {
                call.claim = Some(*claim);
                call.valid_until = Instant::now().checked_add(left);
                return Ok(None);
            }
            Leave::Unclaimed => return Ok(None),
            Leave::No(why) => why,
        };
        let is_closing = self.state().mode().is_closing();
        if context.origin == Origin::Undo || is_closing {
            return Ok(Some(Fault::denied(
                "gate.lease",
                "wreimage",
                format!("{function} was not called: {why}"),
            )));
        }
        if self.cancel.is_cancelled() {
            return Ok(Some(Fault::cancelled(format!(
                "the run was cancelled; {function} was not called"
            ))));
        }
        self.record_durably(Record::Withheld {
            call: call.sequence,
            why: why.clone(),
        })?;
        Err(Stop::Paused(format!("{function} was not called: {why}")))
    }

    async fn leave(self: &Arc<Self>, context: CallContext<'_>) -> Result<Leave, Stop> {
        let CallContext {
            function, origin, ..
        } = context;
        if self.holder.standing() == Standing::Free && origin != Origin::Undo {
            self.ensure_lease().await?;
        }
        if let Standing::Lost(why) = self.holder.standing() {
            let is_known_there = match origin {
                Origin::Undo => function.names_its_run(),
                // Its own task may hear of it.
                Origin::Guest | Origin::Host => {
                    self.state().mode().is_closing()
                        && matches!(self.context.catalogue.subject(function), Subject::Task)
                }
            };
            return Ok(if is_known_there {
                Leave::Unclaimed
            } else {
                Leave::No(self.only_cleanup(&why))
            });
        }
        // A boot override that is another run's must not be replaced or cleared.
        let is_verified = function.effect == Effect::Once
            || matches!(
                self.context.catalogue.subject(function),
                Subject::Controller
            ) && function.effect.mutates();
        if !is_verified
            && let (Some(left), Some(claim)) = (self.holder.validity(), self.holder.claim())
        {
            return Ok(Leave::Valid(Box::new(claim), left));
        }
        self.verify_lease().await
    }

    /// Asks the server. One that does not answer is asked again for the time to live of a claim.
    async fn verify_lease(&self) -> Result<Leave, Stop> {
        let (Some(leasing), Some(claim)) = (&self.holder.leasing, self.holder.claim()) else {
            // A renewal may have lost it just now.
            return Ok(Leave::No(match self.holder.standing() {
                Standing::Lost(why) => self.only_cleanup(&why),
                _ => self.only_cleanup("it is released"),
            }));
        };
        let verified = self
            .insist(leasing, u32::MAX, || leasing.lease.verify(&claim))
            .await;
        Ok(match verified {
            Ok((sent, confirmed)) => {
                self.holder.confirm(sent, &confirmed);
                match self.holder.validity() {
                    Some(left) => Leave::Valid(Box::new(claim.clone()), left),
                    None => Leave::No(self.unknown("its answer came too late")),
                }
            }
            Err(LeaseError::NoAnswer(fault)) => Leave::No(self.unknown(&fault.message)),
            Err(error) => {
                let why = error.to_string();
                self.holder.lose(&why);
                Leave::No(self.only_cleanup(&why))
            }
        })
    }

    fn unknown(&self, why: &str) -> String {
        format!(
            "whether this run still has the lease on {} is unknown: {why}. The run continues when the server answers: \
             `wreimage resume {}`",
            self.context.host, self.context.run
        )
    }
}
