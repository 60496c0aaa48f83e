//! An entry whose run has gone must not stay: a machine that boots from the network years later would be reinstalled. So the
//! install server takes it out by itself when it was not renewed for the time that the site file has.
//!
//! The record of an entry has the install server's boot ID and uptime of the last renewal; a timer there compares them each
//! minute. No wall clock is read.

use super::automation::Automation;
use super::renewals::{Renewals, Renewed};
use crate::install_server::Answer;
use jiff::Timestamp;
use std::time::Duration;
use wreimage_capability::Fault;

/// `extra` of a published entry: when it expires.
pub(super) fn extra(expires: Option<Timestamp>) -> Vec<(String, String)> {
    expires
        .map(|time| ("expires".to_owned(), time.to_string()))
        .into_iter()
        .collect()
}

/// When something expires that has this long, by this controller's clock: for people.
fn time(remaining: Duration) -> Option<Timestamp> {
    let seconds = i64::try_from(remaining.as_secs()).ok()?;
    let now = Timestamp::now().as_second();
    Timestamp::from_second(now.checked_add(seconds)?).ok()
}

/// When the entry of an answer expires; `None` for one that does not.
pub(super) fn expires(answer: &Answer) -> Option<Timestamp> {
    time(Duration::from_millis(answer.number("remaining-ms")?))
}

impl Automation {
    /// Renews the entry of that run. When it expires now; `None` when the run has none.
    ///
    /// # Errors
    /// `conflict` with the code `dhcp.entry-lost` when the run had one that is no longer its own.
    pub(super) async fn renew_entry(
        &self,
        renewals: &Renewals,
        run: &str,
    ) -> Result<Option<Timestamp>, Fault> {
        let Some(expiry) = self.expiry() else {
            return Ok(None);
        };
        let why = match self.renew(renewals, run).await {
            Ok(Renewed::Until(remaining)) => return Ok(remaining.and_then(time)),
            Ok(Renewed::None) => return Ok(None),
            Ok(Renewed::Lost { how, by }) => return Err(self.lost(&how, by.as_deref())),
            Ok(Renewed::Failed(why)) => why,
            Err(fault) => fault.message,
        };
        Err(self.rejected(
            "dhcp.not-renewed",
            format!(
                "the expiry of the DHCP entry of {} on {} could not be renewed: {why}; without a renewal the server takes \
                 the entry out {} s after the last one",
                self.host(),
                self.system(),
                expiry.after.as_secs()
            ),
        ))
    }

    fn lost(&self, how: &str, by: Option<&str>) -> Fault {
        let by = by.map_or_else(|| "another process".to_owned(), |run| format!("run {run}"));
        let what = match how {
            "expired" => {
                "expired: it was not renewed in time, and the server took it out".to_owned()
            }
            "replaced" => format!("was replaced by {by}"),
            "removed" => format!("was removed by {by}"),
            _ => "was changed or removed by another process".to_owned(),
        };
        Fault::conflict(
            "dhcp.entry-lost",
            self.system(),
            format!(
                "the DHCP entry of {} on {} {what}",
                self.host(),
                self.system()
            ),
        )
    }

    /// Whether the install server can take entries out by itself.
    pub(super) fn judge_expiry(&self, answer: &Answer) -> Result<String, Fault> {
        let Some(expiry) = self.expiry() else {
            return Ok(
                "NONE! The site file says `expiry = \"none\"`: the entry of a run that dies stays until somebody removes \
                 it, and its machine is installed anew whenever it boots from the network"
                    .to_owned(),
            );
        };
        if let Some(why) = answer.text("no-expiry") {
            return Err(self.rejected(
                "dhcp.no-scheduler",
                format!("{why}; see `expiry` and `schedule` of [dhcp] in the site file"),
            ));
        }
        let warning = match answer.get("standing-timer") {
            Some(_) => {
                ", but not after a restart of the server: it has no timer wreimage-dhcp-expiry, see 'When machines restart' \
                 in the book"
            }
            None => "",
        };
        Ok(format!(
            "{} s after the last renewal, by {}{warning}",
            expiry.after.as_secs(),
            expiry.scheduler()
        ))
    }
}
