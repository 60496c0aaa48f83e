//! What machines and other programs send.

use crate::text;
use wreimage_live::fuzzing;

/// A file of known host keys. The first line is the host's name.
pub fn known_hosts(data: &[u8]) {
    let text = text(data);
    let (name, file) = text
        .split_once('\n')
        .unwrap_or(("host1001.lab1.test", &text));
    for port in [22, 2222] {
        assert!(
            fuzzing::known_hosts(file, name, port),
            "a key that no one has is accepted"
        );
    }
}

/// What `ipmitool` prints: standard output, an empty line, standard error.
pub fn ipmitool(data: &[u8]) {
    let text = text(data);
    let (stdout, stderr) = text.split_once("\n\n").unwrap_or((&text, &text));
    fuzzing::ipmi_answer(stdout, stderr);
}

/// What the scripts on a machine or on the install server print.
pub fn scripts(data: &[u8]) {
    let text = text(data);
    fuzzing::script_answer(&text);
    fuzzing::install_server_answer(&text);
}

/// A command of a guest, one word a line: the far shell gets exactly its words back, and a pattern of these words fits it.
pub fn commands(data: &[u8]) {
    let text = text(data).replace('\0', "");
    let words: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let line = fuzzing::quote(&words);
    assert_eq!(shlex::split(&line), Some(words.clone()), "{line}");
    if words.iter().all(|word| !word.contains('*')) {
        assert!(fuzzing::command_matches(&words, &words));
    }
}
