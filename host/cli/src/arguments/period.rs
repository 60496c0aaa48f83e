//! Times on the command line.

use std::time::Duration;

/// `30s`, `10m`, `2h`.
pub fn period(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
    let (number, unit) = text.split_at(text.len() - text.chars().last().map_or(0, char::len_utf8));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err("give a time such as 30s, 10m or 2h".to_owned()),
    };
    let number: u64 = number
        .parse()
        .map_err(|_| "give a time such as 30s, 10m or 2h".to_owned())?;
    let period = Duration::from_secs(number.saturating_mul(seconds));
    if period > LONGEST {
        return Err("a week is the longest time".to_owned());
    }
    Ok(period)
}
