//! What the id of a run tells: `TIME-HOST-NUMBER`, such as `20260131T235959-host1001-4f3a09c2`.

use jiff::Timestamp;

/// The host of a run.
pub fn host_of(run: &str) -> Option<&str> {
    let (_, rest) = run.split_once('-')?;
    Some(rest.rsplit_once('-')?.0)
}

/// When a run, or a batch, was started.
pub fn started_at(run: &str) -> Option<Timestamp> {
    let time = run.split('-').next()?;
    let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%S", time).ok()?;
    Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::{host_of, started_at};

    #[test]
    fn an_id_tells_time_and_host() {
        let run = "20260131T235959-db-host1001-4f3a09c2";
        assert_eq!(host_of(run), Some("db-host1001"));
        let at = started_at(run).map(|at| at.to_string());
        assert_eq!(at.as_deref(), Some("2026-01-31T23:59:59Z"));
        assert_eq!((host_of("x"), started_at("x")), (None, None));
    }
}
