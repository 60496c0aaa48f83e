//! The lease of a run in a lab.

use std::sync::Arc;
use wreimage_capability::lease::ControllerId;
use wreimage_engine::Leasing;
use wreimage_lab::Lab;

/// What a run in this lab needs to hold the lease on its host; this controller drives it for this person.
pub fn lab_leasing(lab: &Lab, controller: ControllerId, actor: &str) -> Leasing {
    let lease = lab.lease();
    let tokens = lease.clone();
    Leasing {
        renewal: lease.clone(),
        uptime: lease.clone(),
        lease,
        token: Arc::new(move || tokens.new_token()),
        controller,
        actor: actor.to_owned(),
        uid: 0,
        take_over: Vec::new(),
    }
}
