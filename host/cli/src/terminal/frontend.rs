//! The terminal as the place where runs are shown and answered for.

use crate::output::exit_code;
use crate::output::print::{Page, Prompt, one_line};
use crate::terminal::batch_end::headline;
use crate::terminal::prompt::{Terminal, is_operator_there};
use crate::terminal::session::Session;
use std::sync::Arc;
use wreimage_capability::BoxFuture;
use wreimage_journal::{Ending, Entry};
use wreimage_runs::{
    Attendance, AttendedRun, Confirmed, Frontend, HostResult, RunSource, SiteChange,
};

/// What is typed to continue with a changed site file.
const CONFIRMED: &str = "yes";

impl Frontend for Session {
    fn record(&self, from: &RunSource, entry: &Entry) {
        self.face.entry(from, entry);
    }

    fn line(&self, text: &str) {
        self.face.line(text);
    }

    fn attend(self: Arc<Self>, run: AttendedRun) -> Attendance {
        let terminal = Arc::new(Terminal { session: self, run });
        Attendance {
            operator: terminal.clone(),
            consent: terminal,
        }
    }

    fn confirm_site<'a>(&'a self, change: &'a SiteChange) -> BoxFuture<'a, Confirmed> {
        Box::pin(async move {
            if !is_operator_there() {
                return Confirmed::NotAsked;
            }
            let mut difference = Page::default();
            difference.line(format!(
                "The site file of {} is not the one by which the {} was begun; it applies as it is now.",
                change.site, change.what
            ));
            difference.line(format!("  recorded  sha256 {}", change.recorded));
            difference.line(format!("  now       sha256 {}", change.now));
            let prompt = Prompt {
                above: difference,
                last: one_line(&format!("Type {CONFIRMED} to continue with it:")),
            };
            match self.keyboard.ask(&self.face, &prompt).await {
                Some(typed) if typed == CONFIRMED => Confirmed::Yes,
                _ => Confirmed::No,
            }
        })
    }

    fn exit_code(&self, ending: &Ending) -> Option<u8> {
        Some(exit_code(ending))
    }

    fn cancelling(&self) {
        self.say_cancelling();
    }

    fn host_ended(&self, result: &HostResult) {
        self.face.line(&headline(result));
    }
}
