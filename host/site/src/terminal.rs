//! Asking a person for a secret on the terminal, without echo.

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::SecretString;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Error, ErrorKind, Write};

/// Puts the terminal back as it was, whatever happens.
struct NoEcho<'a> {
    terminal: &'a File,
    before: Termios,
}

impl Drop for NoEcho<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

/// Asks on the controlling terminal, whatever standard input and output are.
pub(crate) fn ask(label: &str) -> std::io::Result<SecretString> {
    let mut terminal = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .map_err(|_| {
            Error::new(
                ErrorKind::NotConnected,
                "there is no terminal to ask on; give it by env, file or command",
            )
        })?;
    write!(terminal, "{label}: ")?;
    terminal.flush()?;
    let mut line = String::new();
    {
        let before = tcgetattr(&terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        let _guard = NoEcho {
            terminal: &terminal,
            before,
        };
        tcsetattr(&terminal, OptionalActions::Flush, &silent)?;
        BufReader::new(&terminal).read_line(&mut line)?;
    }
    writeln!(terminal)?;
    while line.ends_with(['\n', '\r']) {
        line.pop();
    }
    Ok(SecretString::from(line))
}
