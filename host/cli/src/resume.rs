//! `wreimage resume` and `wreimage cleanup`.

use crate::arguments::{Going, Resume};
use crate::drive::{self, Manner};
use crate::exit::{Exit, Failure};
use crate::look;
use crate::run::{TASK, lock, pace};
use crate::surroundings::{self, Binding};
use crate::tell;
use wreimage_engine::RunRequest;
use wreimage_journal::{Header, Record, RunDatabase};

/// Goes on with a run.
pub async fn resume(arguments: &Resume) -> Result<Exit, Failure> {
    go_on(
        &arguments.going,
        arguments.answer.as_deref(),
        arguments.guest.as_deref(),
        false,
    )
    .await
}

/// Ends a run.
pub async fn cleanup(going: &Going) -> Result<Exit, Failure> {
    go_on(going, None, None, true).await
}

async fn go_on(
    going: &Going,
    answer: Option<&str>,
    other_guest: Option<&str>,
    end: bool,
) -> Result<Exit, Failure> {
    let state = surroundings::state_of(&going.place)?;
    let run = look::find(&state, &going.run)?;
    let entries = wreimage_journal::read(&state, &run).map_err(look::unreadable)?;
    let header = wreimage_engine::resumable(&entries)
        .map_err(|error| Failure::refused(error.to_string()))?
        .clone();
    if let Some(answer) = answer {
        look::give_answer(&state, &run, &entries, answer, &drive::actor())?;
    }
    let binding = Binding {
        host: header.host.clone(),
        task: header
            .options
            .iter()
            .find(|(name, _)| name == TASK)
            .map(|(_, task)| task.clone()),
    };
    let mut at = going.place.clone();
    if let (None, None, Some(world)) = (&at.world, &at.site, &header.world) {
        at.world = Some(world.into());
    }
    let path = match other_guest {
        Some(name) => crate::files::guest(name)?,
        None => crate::files::pinned_guest(&state, &header.guest_digest),
    };
    let (engine, guest, bytes) = surroundings::load_guest_file(&path).await?;
    if other_guest.is_none() && guest.digest() != header.guest_digest {
        return Err(Failure::refused(format!(
            "{} is not the guest that the run was started with: its SHA-256 differs; give the right file with --guest",
            path.display()
        )));
    }
    let mut place =
        surroundings::choose(&at, &guest, &binding, pace(going.speed, going.output)?).await?;
    if place.site != header.site {
        return Err(Failure::usage(format!(
            "the run {run} is of the site {}, and this is {}; name its site file with --site",
            header.site, place.site
        )));
    }
    if let Some(notice) = &place.notice {
        tell::line(&format!("note: {notice}"));
    }
    crate::files::pin_guest(&state, guest.digest(), &bytes)?;
    let request = request(&header, &mut place);
    // The journal first: its driver, were there one, would lose the lock.
    let (journal, entries) = RunDatabase::resume(&state, &run).map_err(look::unreadable)?;
    let lock = lock(&state, &request)?;
    let manner = Manner {
        output: going.output,
        strict: going.strict,
        yes: going.yes.clone(),
        resumable: true,
        lock,
    };
    let changed = guest.digest() != header.guest_digest
        && !entries.iter().any(|entry| {
            matches!(&entry.record, Record::GuestChanged { digest, .. } if digest == guest.digest())
        });
    let past = drive::Past {
        entries,
        changed,
        end,
    };
    drive::drive(&engine, &guest, request, place, journal, Some(past), manner).await
}

/// What the run was started for, and what the site says now.
fn request(header: &Header, place: &mut surroundings::Surroundings) -> RunRequest {
    let mut request = RunRequest::resumed(header);
    request.grants = place.grants.clone();
    request.limits = place.limits;
    request.console = place.console.take();
    if let Some(tags) = place.protected_tags.take() {
        request.protected_tags = tags;
    }
    request
}
