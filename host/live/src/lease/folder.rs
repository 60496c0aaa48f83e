//! The lease folder of an install server.

use super::table::LeaseTable;
use super::{CLAIMS, REQUESTS, why};
use crate::install_server::{Answer, InstallServer, LIBRARY, Lane, Script};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use wreimage_capability::Fault;
use wreimage_capability::lease::{LeaseError, LeaseResult};

/// Of a request: it waits 5 s for the folder's lock at most.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The code of an answer about a claim that could not be written.
pub(super) const UNWRITABLE: &str = "unwritable";

/// Where the lease folder is.
pub(crate) struct LeaseFolder {
    pub(super) server: Arc<InstallServer>,
    path: String,
    ttl: Duration,
    /// Creates the folder.
    command: String,
    /// What tests put before the functions of a script, and what they change in it.
    #[cfg(test)]
    pub(super) edit: Option<Arc<dyn Fn(String) -> String + Send + Sync>>,
}

impl LeaseFolder {
    /// The one in that folder of the install server; `site` is the site file, for messages.
    pub(crate) fn new(
        server: Arc<InstallServer>,
        folder: &str,
        table: &LeaseTable,
        site: &Path,
    ) -> Self {
        LeaseFolder {
            server,
            path: format!("{folder}/.wreimage-lease"),
            ttl: table.ttl.get_ref().0,
            command: format!("wreimage lock init --site {}", site.display()),
            #[cfg(test)]
            edit: None,
        }
    }

    /// Its path on the install server.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Creates it, with this time to live or the site's; what was done, for people.
    ///
    /// # Errors
    /// [`LeaseError::Folder`] where it cannot be, [`LeaseError::NoAnswer`].
    pub(crate) async fn create(&self, ttl: Option<Duration>) -> LeaseResult<String> {
        let ttl = ttl.unwrap_or(self.ttl);
        let script = self
            .script("create")
            .set("ttl", &ttl.as_millis().to_string());
        let answer = self.run(&script).await?;
        let seconds = answer.number("ttl-ms").unwrap_or_default() / 1000;
        let system = self.server.system();
        let aside = answer.text("aside").map_or_else(String::new, |path| {
            format!(", after the folder that was there, a copy, was moved to {path}")
        });
        match answer.status.as_str() {
            "created" => Ok(format!(
                "{system}: the lease folder {} is created{aside}; a claim is fresh for {seconds} s, and no run acquires one \
                 for the next {seconds} s. Keep the folder out of backups",
                self.path
            )),
            "exists" => Ok(format!(
                "{system}: the lease folder {} is there already; a claim is fresh for {seconds} s",
                self.path
            )),
            _ => Err(self.unusable(&answer)),
        }
    }

    /// The answer of a check about this folder.
    pub(crate) fn judge(&self, answer: &Answer) -> Result<String, Fault> {
        let lease = Answer {
            status: answer.word("lease.status").to_owned(),
            fields: answer
                .fields
                .iter()
                .filter_map(|(key, value)| {
                    Some((key.strip_prefix("lease.")?.to_owned(), value.clone()))
                })
                .collect(),
        };
        if lease.status != "ok" {
            let system = self.server.system();
            let message = self.why(&lease);
            return Err(Fault::rejected("dhcp.lease-folder", system, message));
        }
        let ttl = lease.number("ttl-ms").unwrap_or_default();
        let mut message = format!("{}, a claim is fresh for {} s", self.path, ttl / 1000);
        let settling = lease.number("settling-ms").unwrap_or_default();
        if settling > 0 {
            message.push_str(&format!(
                "; the server has booted or the folder was created lately, so no run acquires a host for another {} s",
                settling.div_ceil(1000)
            ));
        }
        if Duration::from_millis(ttl) != self.ttl {
            message.push_str(&format!(
                ". The site file has another `ttl` ({} s); to change it, wait until no run is under way, remove the folder \
                 and run `{}`",
                self.ttl.as_secs(),
                self.command
            ));
        }
        if self.server.is_here() {
            message.push_str(
                ". The install server is this machine: only runs of this machine are ordered",
            );
        }
        Ok(message)
    }

    /// What is wrong with the folder, and what to do.
    fn why(&self, answer: &Answer) -> String {
        why::folder(&self.server.system(), &self.command, answer)
    }

    pub(super) fn script(&self, request: &str) -> Script {
        Script::new(&[LIBRARY, CLAIMS, REQUESTS])
            .set("request", request)
            .set("lease", &self.path)
            .set("lease_wait", "5")
    }

    /// Runs a request.
    pub(super) async fn run(&self, script: &Script) -> LeaseResult<Answer> {
        #[cfg(test)]
        let script = &match &self.edit {
            Some(edit) => script.clone().edited(edit.as_ref()),
            None => script.clone(),
        };
        self.server
            .run(Lane::Quick, script, TIMEOUT, |_| {})
            .await
            .map_err(LeaseError::NoAnswer)
    }

    /// The error of an answer that reports neither success nor a judgement.
    pub(super) fn unusable(&self, answer: &Answer) -> LeaseError {
        let system = self.server.system();
        let later = |message: String| {
            let fault = Fault::unreachable("dhcp.lease", system.clone(), message);
            LeaseError::NoAnswer(fault.retryable())
        };
        match answer.status.as_str() {
            // A disk that is full for a while takes no claim away.
            "folder" if answer.word("code") == UNWRITABLE => later(self.why(answer)),
            "folder" => LeaseError::Folder(self.why(answer)),
            "failed" => later(format!(
                "{system}: {}",
                answer.text("why").unwrap_or_default()
            )),
            other => LeaseError::NoAnswer(Fault::rejected(
                "dhcp.answer",
                system.clone(),
                format!("{system} answers `{other}` to a request about a lease"),
            )),
        }
    }
}
