//! Asking a person for a secret on the terminal, without echo.

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use secrecy::SecretString;
use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Write};

/// What Ctrl-C sends.
const INTERRUPT: u8 = 0x03;

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
pub fn ask(label: &str) -> std::io::Result<SecretString> {
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
    let line = {
        let before = tcgetattr(&terminal)?;
        let mut silent = before.clone();
        // The signal of Ctrl-C would end the process before the terminal is as it was: it is read instead, and ends the
        // line so that it is read at once.
        silent
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ISIG);
        silent.special_codes[SpecialCodeIndex::VEOL] = INTERRUPT;
        let _guard = NoEcho {
            terminal: &terminal,
            before,
        };
        tcsetattr(&terminal, OptionalActions::Flush, &silent)?;
        typed(&terminal)
    };
    writeln!(terminal)?;
    line
}

/// Reads up to the end of the line, or of the input.
fn typed(mut from: impl Read) -> std::io::Result<SecretString> {
    let mut line = Vec::new();
    let mut buffer = [0];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        match buffer {
            [b'\n'] => break,
            [INTERRUPT] => {
                return Err(Error::new(
                    ErrorKind::ConnectionAborted,
                    "the question was cancelled with Ctrl-C",
                ));
            }
            [byte] => line.push(byte),
        }
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    String::from_utf8(line)
        .map(SecretString::from)
        .map_err(|_| Error::new(ErrorKind::InvalidData, "what was typed is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn a_line_ends_at_its_end_and_ctrl_c_cancels() {
        let line = |text: &[u8]| typed(text).map(|it| it.expose_secret().to_owned());
        assert_eq!(line(b"a b\nmore").unwrap(), "a b");
        assert_eq!(line("\u{e4}\r\n".as_bytes()).unwrap(), "\u{e4}");
        assert_eq!(line(b"no end").unwrap(), "no end");
        assert!(
            line(b"half\x03\n")
                .unwrap_err()
                .to_string()
                .contains("cancelled")
        );
        assert!(line(b"\xff\n").is_err());
    }
}
