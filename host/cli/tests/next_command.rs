//! Every end that is no success prints a command that can be copied.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::User;

#[test]
fn every_end_that_is_no_success_names_a_command() {
    let user = User::new();
    let site = user.file("site.toml", "name = \"x\"\nno-such-key = 1\n");
    for (arguments, code) in [
        // The call is wrong, in the eyes of clap, of this program, of the guest, and of its files.
        (&["run", "reimage", "--lab", "--no-such-option"][..], 64),
        (
            &[
                "run", "reimage", "--lab", "--host", "host[", "--os", "bullseye",
            ],
            64,
        ),
        (
            &[
                "run", "reimage", "--lab", "--host", "host1001", "--os", "../x", "--yes",
                "host1001",
            ],
            64,
        ),
        (&["run", "no-such-guest", "--lab", "--host", "host1001"], 64),
        (&["site", "check", "--site", &site], 64),
        (&["show", "no-such-run"], 64),
        // Refused: nobody consents, and a host that is not known.
        (
            &[
                "run", "reimage", "--lab", "--host", "host1001", "--os", "bullseye",
            ],
            40,
        ),
        (
            &[
                "run", "reimage", "--lab", "--host", "host9999", "--os", "bullseye", "--yes",
                "host9999",
            ],
            40,
        ),
        // Failed: the BMC of host1010 does not answer.
        (
            &[
                "run", "reimage", "--lab", "--host", "host1010", "--os", "bullseye", "--yes",
                "host1010",
            ],
            40,
        ),
    ] {
        let done = user.wreimage(arguments);
        assert_eq!(done.code, code, "{arguments:?}: {}", done.said());
        let named = done.err.lines().any(|line| line.contains("wreimage "));
        assert!(named, "{arguments:?} names no command: {}", done.said());
    }
}
