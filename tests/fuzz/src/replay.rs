//! The records of a journal, as a process reads them that resumes a run or ends it.

use crate::shared::{component, engine, lab, runtime};
use crate::text;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use wreimage_engine::{
    GivenConsent, Going, Guest, Report, RunError, RunRequest, Services, cleanup, resumable, resume,
};
use wreimage_journal::{Entry, Header, Record, RecordedEffects};
use wreimage_lab::Lab;

/// A journal with more records is not tried: each of them is handled by itself.
const MOST: usize = 128;

/// The guest that resumes runs: small, and with questions, changes, waits and pauses.
const GUEST: &str = "power-cycle-rust.wasm";

/// When the last wait is over, in milliseconds since 1970: a day after the time of the lab. A wait is polled until then, which would
/// take for ever with a time that is far away.
const LATEST: u64 = 1_767_700_000_000;

fn guest() -> &'static Guest {
    static LOADED: OnceLock<Guest> = OnceLock::new();
    LOADED.get_or_init(|| {
        let loaded = runtime().block_on(Guest::load(engine(), &component(GUEST)));
        loaded.expect("a guest")
    })
}

/// One record a line. The run is printed, resumed with a guest, and ended: what is open is undone. Each of these happens in a lab of
/// its own, in which nothing of what the records show has happened. Whatever they show, the run ends with a report or a reason.
pub fn replay(data: &[u8]) {
    let Some((header, entries)) = journal(&text(data)) else {
        return;
    };
    for result in [resumed(&header, entries.clone()), ended(&header, entries)] {
        match result {
            Ok(report) => assert!(!report.ending.summary.is_empty()),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

/// The records of a run that can be resumed.
fn journal(text: &str) -> Option<(Header, Vec<Entry>)> {
    let mut entries: Vec<Entry> = text
        .lines()
        .map_while(|line| serde_json::from_str(line).ok())
        .take(MOST)
        .collect();
    // The database gives each record its place.
    for (number, entry) in (1..).zip(&mut entries) {
        entry.number = number;
        if let Record::Timer(timer) = &mut entry.record {
            timer.due_ms = timer.due_ms.min(LATEST);
        }
    }
    wreimage_scenario::told::run(&entries);
    if let Some(Record::Header(header)) = entries.first_mut().map(|it| &mut it.record) {
        // The journal of another version would be refused at once, and another guest only be compared with the records.
        header.effects = RecordedEffects::Functions(BTreeMap::new());
        guest().digest().clone_into(&mut header.guest_digest);
    }
    match resumable(&entries) {
        Ok(header) => Some((header.clone(), entries)),
        Err(error) => {
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

fn resumed(header: &Header, entries: Vec<Entry>) -> Result<Report, RunError> {
    let lab = lab();
    let request = RunRequest::resumed(header);
    let services = services(&lab, header);
    let going = Going::default();
    let run = resume(engine(), guest(), request, services, entries, going);
    runtime().block_on(run)
}

fn ended(header: &Header, entries: Vec<Entry>) -> Result<Report, RunError> {
    let lab = lab();
    let request = RunRequest::resumed(header);
    let services = services(&lab, header);
    let run = cleanup(engine(), None, request, services, entries, Going::default());
    runtime().block_on(run)
}

fn services(lab: &Lab, header: &Header) -> Services {
    Services {
        clock: lab.clock(),
        consent: Arc::new(GivenConsent(header.host.clone())),
        resumable: true,
        ..Services::new(lab.providers(&header.host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wreimage_engine::{OptionValues, run};
    use wreimage_journal::{MemoryLog, RunOutcome};

    /// The records of a run that nothing has disturbed, one a line.
    fn undisturbed() -> Vec<String> {
        let lab = lab();
        let log = Arc::new(MemoryLog::new());
        let mut request = RunRequest::new("host1001", "lab1");
        let given = ("no-prompt".to_owned(), "true".to_owned());
        request.options = OptionValues::recorded(vec![given]);
        let services = Services {
            clock: lab.clock(),
            consent: Arc::new(GivenConsent("host1001".to_owned())),
            resumable: true,
            log: log.clone(),
            ..Services::new(lab.providers("host1001"))
        };
        let report = runtime()
            .block_on(run(engine(), guest(), request, services))
            .unwrap();
        assert_eq!(
            report.ending.outcome,
            RunOutcome::Success,
            "{:?}",
            report.ending
        );
        let entries = log.entries();
        assert!(entries.len() <= MOST, "{} records", entries.len());
        let lines = entries.iter().map(serde_json::to_string);
        lines.collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn a_run_that_was_cut_at_any_record_is_resumed_with_its_guest() {
        let records = undisturbed();
        for cut in 1..records.len() {
            let text = records.iter().take(cut).map(|record| format!("{record}\n"));
            let (header, entries) = journal(&text.collect::<String>()).unwrap();
            assert_eq!(entries.len(), cut);
            let report = resumed(&header, entries);
            // A guest that differs from the records pauses the run. Here the run ends, if only because the recorded restart has not
            // happened in this lab.
            let ending = report.unwrap().ending;
            assert_ne!(ending.outcome, RunOutcome::Paused, "{cut}: {ending:?}");
        }
    }
}
