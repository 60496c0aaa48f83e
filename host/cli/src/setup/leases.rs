//! The leases of a place, to be read.

use crate::arguments::Place;
use crate::failure::Failure;
use crate::setup::backend;
use crate::setup::files;
use std::sync::Arc;
use wreimage_capability::lease::{Lease, ObservedClaim, judgement};
use wreimage_lab::Lab;

/// Where the leases of a place are, to be read: without the ownership of a lab's world, which a run may have. `None` where
/// there are none.
pub fn leases(place: &Place) -> Result<Option<Arc<dyn Lease>>, Failure> {
    if let Some(folder) = &place.world {
        let seen = Lab::seen(folder)?;
        return Ok(seen.map(|lab| -> Arc<dyn Lease> { lab.lease() }));
    }
    if place.lab.is_none()
        && let Some(path) = place.site.clone().or_else(files::site_file)
    {
        return Ok(backend::load_site(&path)?.lease());
    }
    Ok(None)
}

/// The claims of a place, or why they could not be read: whether there are any is not known then.
pub async fn claims(lease: Option<&Arc<dyn Lease>>) -> (Vec<ObservedClaim>, Option<String>) {
    let Some(lease) = lease else {
        return (Vec::new(), None);
    };
    match lease.list().await {
        Ok(there) => (there.claims, None),
        Err(error) => {
            let why = format!(
                "the leases on {} could not be read: {error}",
                lease.system()
            );
            (Vec::new(), Some(why))
        }
    }
}

/// Where the journal of a run is that is not here, by its claim.
pub async fn elsewhere(place: &Place, run: &str) -> Option<Failure> {
    let lease = leases(place).ok()??;
    let there = lease.list().await.ok()?;
    let it = there.claims.iter().find(|it| {
        let id = &it.claim.run;
        id == run || (!run.is_empty() && (id.starts_with(run) || id.ends_with(run)))
    })?;
    let claim = &it.claim;
    Some(Failure::Refused(format!(
        "the journal of the run {0} is not here: it is on {1}, in the state folder of {2}. Use `wreimage resume {0}` or `wreimage \
         cleanup {0}` there. If that controller is lost, begin a run with `--take-over {0}` when the claim is stale ({3})",
        claim.run,
        claim.controller.name,
        claim.actor,
        judgement::describe(it)
    )))
}
