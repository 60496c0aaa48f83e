//! The runs of a state folder.

use crate::batch::Batch;
use crate::detached;
use crate::error::RunsError;
use crate::index::{Index, IndexedRun};
use crate::run_id::{host_of, started_at};
use crate::standing::{RunState, Standing, header_of};
use std::io;
use std::path::{Path, PathBuf};
use wreimage_journal::{Entry, Folder, Header, Mode, OpenError, Process, Record, StampedRun};

/// The runs of a state folder, whoever drives them.
#[derive(Debug, Clone)]
pub struct RunStore {
    state: PathBuf,
}

/// A run of a store.
#[derive(Debug)]
pub struct ListedRun {
    /// Its id.
    pub run: String,
    /// Where it stands; `None` when it never began, an error when its journal cannot be read.
    pub standing: Result<Option<Standing>, OpenError>,
}

/// What the header of a run says that decides who may remove its records.
#[derive(Debug, Clone)]
pub struct RunOrigin {
    /// Id of the run.
    pub run: String,
    /// Short name of its host.
    pub host: String,
    /// Name of its site.
    pub site: String,
    /// What it works on.
    pub mode: Mode,
    /// The batch that it is one of.
    pub batch: Option<String>,
    /// Whether another process can continue it.
    pub resumable: bool,
}

impl RunStore {
    /// The runs of this state folder, which need not be there.
    pub fn new(state: impl Into<PathBuf>) -> Self {
        RunStore {
            state: state.into(),
        }
    }

    /// The state folder.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// The ids of all runs, the oldest first: they begin with the time.
    ///
    /// # Errors
    /// When the folder cannot be read; one that is missing has no runs.
    pub fn ids(&self) -> Result<Vec<String>, RunsError> {
        self.present(wreimage_journal::runs(&self.state))
    }

    fn stamped(&self) -> Result<Vec<StampedRun>, RunsError> {
        self.present(wreimage_journal::stamped_runs(&self.state))
    }

    fn present<T>(&self, runs: io::Result<Vec<T>>) -> Result<Vec<T>, RunsError> {
        match runs {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            runs => runs.map_err(|source| RunsError::RunsUnreadable {
                state: self.state.clone(),
                source,
            }),
        }
    }

    /// The full id of the run that is meant: an id, or so much of its begin or end that only one run has it.
    ///
    /// # Errors
    /// When no run is meant, or several are.
    pub fn find(&self, given: &str) -> Result<String, RunsError> {
        let all = self.ids()?;
        if all.iter().any(|id| id == given) {
            return Ok(given.to_owned());
        }
        let given_to_end = |id: &&String| id.starts_with(given) || id.ends_with(given);
        let mut near: Vec<String> = all.iter().filter(given_to_end).cloned().collect();
        match (near.pop(), near.is_empty()) {
            (Some(one), true) => Ok(one),
            (Some(last), false) => {
                near.push(last);
                Err(RunsError::SeveralRuns {
                    given: given.to_owned(),
                    runs: near,
                })
            }
            (None, _) if Batch::read(&self.state, given)?.is_some() => {
                Err(RunsError::IsBatch(given.to_owned()))
            }
            (None, _) => Err(RunsError::NoRun {
                given: given.to_owned(),
                state: self.state.clone(),
            }),
        }
    }

    /// All records of a run.
    ///
    /// # Errors
    /// When there is no such run, or its journal cannot be read.
    pub fn read(&self, run: &str) -> Result<Vec<Entry>, RunsError> {
        Ok(wreimage_journal::read(&self.state, run)?)
    }

    /// The process that drives a run now, for people: `process 4711`.
    ///
    /// # Errors
    /// When there is no such run.
    pub fn driver(&self, run: &str) -> Result<Option<String>, RunsError> {
        Ok(wreimage_journal::driver(&self.state, run)?)
    }

    fn is_driven(&self, run: &str) -> bool {
        wreimage_journal::driver(&self.state, run).is_ok_and(|driver| driver.is_some())
    }

    /// All runs, the oldest first, and where each stands. What has not changed comes from the index, which is made anew when it
    /// is missing, of another version, or damaged.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn list(&self) -> Result<Vec<ListedRun>, RunsError> {
        let mut index = Index::load(&self.state);
        let mut changed = false;
        let mut indexed = Vec::new();
        let mut listed = Vec::new();
        for stamped in self.stamped()? {
            let known = index.take(&stamped.run);
            let known = known.filter(|it| it.is_current(&self.state, &stamped));
            if let Some(known) = known
                && (known.standing.state.has_ended() || !self.is_driven(&stamped.run))
            {
                listed.push(ListedRun {
                    run: stamped.run,
                    standing: Ok(Some(known.standing.clone())),
                });
                indexed.push(known);
                continue;
            }
            let (standing, new) = self.read_standing(&stamped);
            changed |= new.is_some();
            indexed.extend(new);
            listed.push(ListedRun {
                run: stamped.run,
                standing,
            });
        }
        // What is left of it are runs that are gone or have changed.
        if changed || !index.is_empty() {
            Index::keep(&self.state, &indexed.iter().collect::<Vec<_>>());
        }
        Ok(listed)
    }

    /// Where a run stands, from its journal, and what is to be indexed of it.
    fn read_standing(
        &self,
        stamped: &StampedRun,
    ) -> (Result<Option<Standing>, OpenError>, Option<IndexedRun>) {
        let run = &stamped.run;
        // First whether a process drives it: what that process wrote before it went away is then complete.
        let is_driven = self.is_driven(run);
        let entries = match wreimage_journal::read(&self.state, run) {
            Ok(entries) => entries,
            Err(error) => return (Err(error), None),
        };
        let standing = Standing::of(&entries, is_driven);
        let resumable = header_of(&entries).is_some_and(|header| header.resumable);
        let indexed = standing.as_ref().filter(|_| !is_driven).and_then(|it| {
            // To close the last connection to a journal moves its log into it: this is the version that was read.
            let stamped = wreimage_journal::stamped_run(&self.state, run)?;
            IndexedRun::new(&self.state, &stamped, it, resumable)
        });
        (Ok(standing), indexed)
    }

    /// Where a run stands; `None` when it never began or cannot be read.
    pub fn standing(&self, run: &str) -> Option<Standing> {
        let driver = wreimage_journal::driver(&self.state, run).ok()?;
        let entries = wreimage_journal::read(&self.state, run).ok()?;
        Standing::of(&entries, driver.is_some())
    }

    /// Whether nobody can continue a run: it has ended, or never began.
    pub fn is_over(&self, run: &str) -> bool {
        let driver = wreimage_journal::driver(&self.state, run);
        match (driver, wreimage_journal::read(&self.state, run)) {
            (Ok(None), Ok(entries)) => matches!(
                entries.last().map(|entry| &entry.record),
                None | Some(Record::Finished(_))
            ),
            (_, Err(OpenError::NoRun { .. })) => true,
            _ => false,
        }
    }

    /// Why a run of these hosts, begun since then, cannot be read, if there is one: for what it was begun, and how far it got, is
    /// not known.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn unreadable_since(
        &self,
        since: &str,
        hosts: &[String],
    ) -> Result<Option<OpenError>, RunsError> {
        for id in self.ids()? {
            let of_host = host_of(&id).is_some_and(|host| hosts.iter().any(|it| it == host));
            if of_host
                && started_at(&id) >= started_at(since)
                && let Err(error) = wreimage_journal::read(&self.state, &id)
            {
                return Ok(Some(error));
            }
        }
        Ok(None)
    }

    /// The run that has changed the host of this one since this one began: to continue this one would undo its work.
    ///
    /// # Errors
    /// When whether there is one is not known.
    pub fn overtaken_by(&self, of: &Header) -> Result<Option<String>, RunsError> {
        for id in self.ids()? {
            if id <= of.run || host_of(&id) != Some(&of.host) {
                continue;
            }
            let entries = self.read(&id)?;
            let same = |it: &Header| it.site == of.site && it.mode == of.mode && !it.dry_run;
            let changed = |entry: &Entry| matches!(entry.record, Record::Intent(_));
            if header_of(&entries).is_some_and(same) && entries.iter().any(changed) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// The runs of a batch, with their records; those that cannot be read are left out.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn runs_of_batch(&self, batch: &str) -> Result<Vec<(String, Vec<Entry>)>, RunsError> {
        let index = Index::load(&self.state);
        let mut runs = Vec::new();
        for stamped in self.stamped()? {
            let run = &stamped.run;
            let is_of = match index.header(&stamped) {
                Some(it) => it.standing.batch.as_deref() == Some(batch),
                None => wreimage_journal::header(&self.state, run)
                    .ok()
                    .flatten()
                    .is_some_and(|header| header.batch.as_deref() == Some(batch)),
            };
            // A journal that is damaged disturbs no other run.
            if is_of && let Ok(entries) = wreimage_journal::read(&self.state, run) {
                runs.push((stamped.run, entries));
            }
        }
        Ok(runs)
    }

    /// The runs that no process drives, that this process has driven last, and that are paused or lost as `state` says, with
    /// their headers and the step of each.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn left_by(
        &self,
        process: &Process,
        state: RunState,
    ) -> Result<Vec<(Header, String)>, RunsError> {
        let index = Index::load(&self.state);
        let mut left = Vec::new();
        for stamped in self.stamped()? {
            let id = &stamped.run;
            let known = index.header(&stamped);
            if known.is_some_and(|it| it.standing.state.has_ended()) {
                continue;
            }
            let was_driven =
                wreimage_journal::last_driver(&self.state, id).as_ref() == Some(process);
            if !was_driven || self.is_driven(id) {
                continue;
            }
            let Ok(entries) = wreimage_journal::read(&self.state, id) else {
                continue;
            };
            if let Some(it) = Standing::of(&entries, false)
                && it.state == state
                && let Some(header) = header_of(&entries)
            {
                left.push((header.clone(), it.step.unwrap_or_default()));
            }
        }
        Ok(left)
    }

    /// The origins of all runs that can be read, the newest first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn origins(&self) -> Result<Vec<RunOrigin>, RunsError> {
        let index = Index::load(&self.state);
        let origins = self.stamped()?.into_iter().rev().filter_map(|stamped| {
            if let Some(it) = index.header(&stamped) {
                let standing = &it.standing;
                return Some(RunOrigin {
                    run: stamped.run,
                    host: standing.host.clone(),
                    site: standing.site.clone(),
                    mode: standing.mode.clone(),
                    batch: standing.batch.clone(),
                    resumable: it.resumable,
                });
            }
            let header = wreimage_journal::header(&self.state, &stamped.run);
            let header = header.ok().flatten()?;
            Some(RunOrigin {
                run: stamped.run,
                host: header.host,
                site: header.site,
                mode: header.mode,
                batch: header.batch,
                resumable: header.resumable,
            })
        });
        Ok(origins.collect())
    }

    /// Removes the records of a run; what cannot be removed stays.
    pub fn remove(&self, run: &str) {
        let Ok(state) = Folder::of_state(&self.state) else {
            return;
        };
        let _ = state.sub("runs").and_then(|runs| runs.remove_folder(run));
        detached::remove_log(&state, run);
    }
}
