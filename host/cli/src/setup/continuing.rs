//! What the commands that continue or end a run have in common.

use crate::arguments::{Going, Place, consented};
use crate::failure::Failure;
use crate::output::print;
use crate::setup::backend::{self, notice};
use crate::setup::leases;
use crate::terminal::session::Session;
use std::sync::Arc;
use wreimage_journal::Mode;
use wreimage_lab::Pace;
use wreimage_runs::{Backend, Hosts, Launcher, RunStore};

/// The run that is meant; one of another controller is named with the place of its journal.
pub async fn find(store: &RunStore, going: &Going) -> Result<String, Failure> {
    match store.find(&going.run) {
        Ok(run) => Ok(run),
        Err(error) => Err(leases::elsewhere(&going.place, &going.run)
            .await
            .unwrap_or(error.into())),
    }
}

/// The session of a run that is continued or ended.
pub fn session(going: &Going, backend: &Backend, hosts: Hosts) -> Result<Arc<Session>, Failure> {
    let yes = going.yes.as_deref().map(consented).transpose()?;
    if let Some(notice) = notice(&going.place, backend) {
        print::line(&format!("note: {notice}"));
    }
    let pace = backend.pace();
    Ok(Session::new(going.output, going.strict, pace, hosts, yes))
}

/// Confirms a changed site file in advance, if that is given.
pub fn confirm_changed_site(launcher: &Launcher, going: &Going) {
    if going.changed_site {
        launcher.confirm_changed_site();
    }
}

/// Opens the place as it was for what was started there: a real site is never gone on with in a lab, nor the other way.
pub async fn open_as(
    place: &Place,
    mode: &Mode,
    pace: Pace,
    what: &str,
) -> Result<Backend, Failure> {
    let mut place = place.clone();
    if let (None, None, Mode::World(folder)) = (&place.world, &place.site, mode) {
        place.world = Some(folder.into());
    }
    let backend = backend::open(&place, pace).await?;
    if backend.mode() == *mode {
        return Ok(backend);
    }
    let shown = |mode: &Mode| match mode {
        Mode::Live => "real systems".to_owned(),
        Mode::Lab => "a lab that is not kept".to_owned(),
        Mode::World(folder) => format!("the lab's world in {folder}"),
    };
    Err(Failure::Usage(format!(
        "the {what} works on {}, and here it would be {}: {}",
        shown(mode),
        shown(&backend.mode()),
        match mode {
            Mode::Live => "name its site file with --site".to_owned(),
            Mode::Lab => "it cannot be gone on with".to_owned(),
            Mode::World(folder) => format!("name it with --world {folder}"),
        }
    )))
}
