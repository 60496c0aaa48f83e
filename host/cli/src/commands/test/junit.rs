//! Results as a JUnit file, for a CI that reads such.

use super::Tried;
use crate::failure::Failure;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::path::Path;
use std::time::Duration;

/// Writes them.
pub fn write(file: &Path, results: &[Tried], took: Duration) -> Result<(), Failure> {
    let mut suite = TestSuite::new("wreimage");
    for tried in results {
        let status = if tried.wrong.is_empty() {
            TestCaseStatus::success()
        } else {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(tried.wrong.first().cloned().unwrap_or_default());
            status.set_description(tried.wrong.join("\n"));
            status
        };
        let mut case = TestCase::new(tried.full_name(), status);
        if let Some(scenario) = &tried.of {
            case.set_classname(scenario.clone());
        }
        case.set_time(tried.took);
        suite.add_test_case(case);
    }
    let mut report = Report::new("wreimage test");
    report.set_time(took);
    report.add_test_suite(suite);
    let text = report
        .to_string()
        .map_err(|error| Failure::part("the JUnit report", error))?;
    std::fs::write(file, text).map_err(|source| Failure::File {
        path: file.to_owned(),
        what: "written",
        source,
    })
}
