//! Redaction, and the cut of a text that comes after it.

use crate::text;
use wreimage_live::fuzzing;

/// What stands instead of a secret.
const REDACTED: &str = "[redacted]";
/// Shorter secrets are not searched for.
const SHORTEST: usize = 4;
/// Places in a secret at which a stream is cut.
const CUTS: usize = 32;

/// The first two lines are secrets, the rest is a text in which another system repeats them: neither is left in any part of it.
pub fn redaction(data: &[u8]) {
    let text = text(data);
    let mut lines = text.splitn(3, '\n');
    let secrets = [
        lines.next().unwrap_or_default(),
        lines.next().unwrap_or_default(),
    ];
    let text = lines.next().unwrap_or_default();
    // A secret that occurs in the mark itself cannot be distinguished from it.
    let usable = |secret: &&str| {
        secret.len() >= SHORTEST && !secret.contains(['[', ']']) && !REDACTED.contains(*secret)
    };
    let secrets: Vec<&str> = secrets.into_iter().filter(usable).collect();
    let [first, ..] = secrets.as_slice() else {
        return;
    };
    cut(first, text);
    // Programs write a secret in these ways among others; whatever else is in the text, they must be found.
    let text = format!("{text}{first}{text} {} {first:?}", hexadecimal(first));
    let clean = fuzzing::redact(&secrets, &text);
    for piece in clean.split(REDACTED) {
        for secret in &secrets {
            assert!(!piece.contains(secret), "{secret:?} is left in {clean:?}");
        }
        assert!(
            !piece.contains(&hexadecimal(first)),
            "{first:?} is left in {clean:?}"
        );
    }
}

/// A stream that repeats a secret and of which only the end was kept, cut anywhere within the secret: no piece of it that is long
/// enough to be a secret is left.
fn cut(secret: &str, text: &str) {
    let stream = format!("{secret}\n{text}");
    let step = secret.chars().count().div_ceil(CUTS).max(1);
    for (at, _) in secret.char_indices().step_by(step) {
        let (Some(piece), Some(kept)) = (secret.get(at..), stream.get(at..)) else {
            continue;
        };
        // What the text or the mark has by itself is not left of the secret.
        if piece.len() < SHORTEST || REDACTED.contains(piece) || text.contains(piece) {
            continue;
        }
        for most in [stream.len(), stream.len() / 2] {
            let tail = fuzzing::tail(&[secret], kept.as_bytes(), most);
            assert!(
                tail.len() <= most && !tail.contains(piece),
                "{piece:?} is left in {tail:?}"
            );
        }
    }
}

fn hexadecimal(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}
