//! The result of a command that a guest has asked for.

use crate::ssh::Ended;
use wreimage_capability::Call;
use wreimage_capability::remote::CommandResult;

/// What a command gave that ended.
pub(super) fn result_of(call: &Call, ended: Ended, fingerprint: String) -> CommandResult {
    let mut extra = vec![("host-key".to_owned(), fingerprint)];
    if ended.truncated {
        extra.push(("blob-truncated".to_owned(), "true".to_owned()));
    }
    CommandResult {
        exit: ended.exit.clone(),
        stdout_tail: ended.stdout.text(),
        stderr_tail: ended.stderr.text(),
        blob: (!ended.whole.is_empty())
            .then(|| call.keep(&ended.whole))
            .flatten(),
        extra,
    }
}
