//! Tests of what the host serves.

use crate::seat::Seat;
use wreimage_capability::httpbb::{Provider, Report};
use wreimage_capability::{Call, Fault};

pub(crate) struct Httpbb(pub(crate) Seat);

impl Provider for Httpbb {
    async fn run_suite(&self, call: &Call, suite: String) -> Result<Report, Fault> {
        let mut report = self
            .0
            .service("httpbb", |world, host| world.run_suite(host, &suite))?;
        self.0.mark(
            call,
            "httpbb.run-suite",
            "whether the host passes its tests",
        );
        report.blob = call.keep(report.output_tail.as_bytes());
        Ok(report)
    }
}
