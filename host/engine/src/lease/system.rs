//! What the operating system contributes: time that passes during a suspend, and randomness.

use std::io::Read;
use std::time::{Duration, Instant};
use wreimage_capability::lease::{Token, Uptime};

/// `CLOCK_BOOTTIME` of this machine, in steps of 10 ms: the kernel writes it to `/proc/uptime`.
#[derive(Debug, Clone, Copy)]
pub struct BootTime {
    /// Where there is no `/proc`.
    since: Instant,
}

impl Default for BootTime {
    fn default() -> Self {
        BootTime {
            since: Instant::now(),
        }
    }
}

impl Uptime for BootTime {
    fn uptime(&self) -> Duration {
        read().unwrap_or_else(|| self.since.elapsed())
    }
}

fn read() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    let seconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// A token of 128 random bits.
///
/// # Errors
/// When the system has no randomness to give.
pub fn random_token() -> std::io::Result<Token> {
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(Token(
        bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    ))
}

#[cfg(test)]
mod tests {
    use super::{BootTime, random_token};
    use std::time::Duration;
    use wreimage_capability::lease::Uptime;

    #[test]
    fn uptime_grows() {
        let clock = BootTime::default();
        let before = clock.uptime();
        std::thread::sleep(Duration::from_millis(30));
        let passed = clock.uptime().saturating_sub(before);
        assert!(passed >= Duration::from_millis(20), "{passed:?}");
        assert!(passed < Duration::from_secs(20), "{passed:?}");
    }

    #[test]
    #[allow(clippy::unwrap_used)]
    fn tokens_differ() {
        let (one, other) = (random_token().unwrap(), random_token().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.0.len(), 32);
        assert!(one.0.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
