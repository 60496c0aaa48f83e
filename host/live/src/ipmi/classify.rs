//! What `ipmitool -v` says when it fails, sorted by what can be done about it.

use crate::redact::without_secrets;
use wreimage_capability::Fault;

/// Why a request got no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// User or password are wrong.
    WrongPassword(String),
    /// The BMC does not speak the cipher suite.
    NoSuite(String),
    /// The BMC has no session left, or is starting.
    Busy(String),
    /// No session: nothing answered, or not the way a BMC does.
    Unreachable(String),
    /// The BMC understood and refused, with this completion code (IPMI 2.0, table 5-2).
    Completion(u8, String),
    /// There was a session, and the answer got lost in it.
    Lost(String),
}

/// Why a request has no answer, for the caller to judge.
#[derive(Debug)]
pub(crate) enum Refused {
    /// A fault that needs no more judging.
    Fault(Fault),
    /// The BMC answered with this completion code.
    Completion(u8, String),
    /// There was a session; whether the request had its effect is not known.
    Lost(String),
}

/// Reads what `ipmitool -v` wrote to stderr and stdout before it exited with another status than 0.
pub(crate) fn failure(stderr: &str, stdout: &str) -> Failure {
    // Lines of it are shown, and cut.
    let (stderr, stdout) = (&*without_secrets(stderr), &*without_secrets(stdout));
    let find = |word: &str| {
        stderr
            .lines()
            .chain(stdout.lines())
            .find(|line| line.to_ascii_lowercase().contains(word))
            .map(tidy)
    };
    let any = |words: &[&str]| words.iter().find_map(|word| find(word));
    if let Some(line) = any(&[
        "rakp 2 hmac is invalid",
        "unauthorized name",
        "unauthorized guid",
        "rakp 4 message has invalid integrity check value",
        "invalid integrity check value",
        "unauthorized role",
    ]) {
        return Failure::WrongPassword(line);
    }
    if let Some(line) = any(&["insufficient resources"]) {
        return Failure::Busy(line);
    }
    if let Some(line) = any(&[
        "rakp 2 message indicates an error",
        "rakp 4 message indicates an error",
    ]) {
        return Failure::WrongPassword(line);
    }
    if let Some(line) = any(&[
        "error in open session response message",
        "unsupported cipher suite",
    ]) {
        return Failure::NoSuite(line);
    }
    if let Some((code, line)) = completion(stderr).or_else(|| completion(stdout)) {
        return Failure::Completion(code, line);
    }
    if find("unable to establish").is_some() {
        let why = any(&[
            "could not open socket",
            "address lookup",
            "timeout in open session",
            "no response from rakp",
        ]);
        return Failure::Unreachable(why.unwrap_or_else(|| "no answer".to_owned()));
    }
    if let Some(line) = any(&["address lookup for", "could not open socket"]) {
        return Failure::Unreachable(line);
    }
    Failure::Lost(
        last(stderr)
            .or_else(|| last(stdout))
            .unwrap_or_else(|| "no message".to_owned()),
    )
}

/// `… rsp=0xd5): Text`, as the raw command prints it.
fn completion(text: &str) -> Option<(u8, String)> {
    text.lines().find_map(|line| {
        let (_, rest) = line.split_once("rsp=0x")?;
        let code = u8::from_str_radix(rest.get(..2)?, 16).ok()?;
        let words = rest.split_once("): ").map_or("", |(_, words)| words);
        Some((code, words.trim().to_owned()))
    })
}

fn last(text: &str) -> Option<String> {
    text.lines()
        .rev()
        .map(tidy)
        .find(|line| !line.is_empty() && !line.starts_with("Loading IANA"))
}

fn tidy(line: &str) -> String {
    line.trim()
        .trim_start_matches("> ")
        .chars()
        .take(200)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Captured from ipmitool 1.8.19 against ipmi_sim 2.0.33 and a pyghmi BMC.
    const NOISE: &str = "Loading IANA PEN Registry...\n";
    const END: &str = "Error: Unable to establish IPMI v2 / RMCP+ session\n";

    fn of(middle: &str) -> Failure {
        failure(&format!("{NOISE}{middle}\n{END}"), "")
    }

    #[test]
    fn the_failed_step_of_the_handshake_tells_the_reason() {
        assert!(matches!(
            of("> RAKP 2 HMAC is invalid"),
            Failure::WrongPassword(_)
        ));
        assert_eq!(
            of("RAKP 2 message indicates an error : unauthorized name"),
            Failure::WrongPassword(
                "RAKP 2 message indicates an error : unauthorized name".to_owned()
            )
        );
        for suite in [
            "invalid authentication algorithm",
            "no matching cipher suite",
        ] {
            let line = format!("Error in open session response message : {suite}\n");
            assert!(matches!(of(&line), Failure::NoSuite(_)), "{suite}");
        }
        let busy = "Error in open session response message : insufficient resources for session";
        assert!(matches!(of(busy), Failure::Busy(_)));
        let dead = "Get Auth Capabilities error\nError issuing Get Channel Authentication Capabilities request";
        assert_eq!(of(dead), Failure::Unreachable("no answer".to_owned()));
    }

    #[test]
    fn completion_codes_are_read() {
        let text = "Unable to send RAW command (channel=0x0 netfn=0x0 lun=0x0 cmd=0x9 rsp=0xcc): Invalid data field in request";
        assert_eq!(
            failure(text, ""),
            Failure::Completion(0xcc, "Invalid data field in request".to_owned())
        );
    }

    #[test]
    fn anything_else_is_a_lost_answer() {
        assert_eq!(failure("", ""), Failure::Lost("no message".to_owned()));
        let text = "Unable to send RAW command (channel=0x0 netfn=0x0 lun=0x0 cmd=0x2)";
        assert!(matches!(failure(text, ""), Failure::Lost(_)));
    }
}
