//! What the runtimes of Python and JavaScript leave on standard error when an exception was not caught.
//!
//! Both write the exception and then die of a panic of their own, whose words help nobody.

/// What Python writes before the frames of an exception.
const PYTHON: &str = "Traceback (most recent call last)";

/// What the runtime of `componentize-qjs` writes before an exception.
const QUICKJS: &str = "Exception { message: Some(";

/// An exception that a guest did not catch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exception {
    /// Such as `ValueError: no disk`.
    message: String,
    /// Its frames as the language writes them.
    traceback: String,
}

impl Exception {
    /// The one that these lines end with. One that was caught and written down is followed by no panic.
    pub(super) fn find(lines: &[&str]) -> Option<Self> {
        Exception::of_python(lines).or_else(|| Exception::of_quickjs(lines))
    }

    fn of_python(lines: &[&str]) -> Option<Self> {
        let panic = lines.iter().rposition(|line| is_panic(line))?;
        let before = lines.get(..panic)?;
        let begins = before.iter().rposition(|line| line.starts_with(PYTHON))?;
        let traceback: Vec<&str> = before.iter().skip(begins).copied().collect();
        let traceback = traceback.join("\n").trim_end().to_owned();
        // A message of several lines begins where the frames end: with the first line that is not indented.
        let message = traceback
            .lines()
            .skip(1)
            .find(|line| !line.is_empty() && !line.starts_with(' '))?
            .to_owned();
        Some(Exception { message, traceback })
    }

    fn of_quickjs(lines: &[&str]) -> Option<Self> {
        let text = lines.join("\n");
        let (_, rest) = text.rsplit_once(QUICKJS)?;
        let (message, rest) = quoted(rest)?;
        let stack = rest
            .split_once("stack: Some(")
            .and_then(|(_, rest)| quoted(rest));
        let stack = stack.map_or(String::new(), |(stack, _)| stack);
        Some(Exception {
            traceback: format!("{message}\n{stack}").trim_end().to_owned(),
            message,
        })
    }

    /// For people: whose fault it is first, then where.
    pub(super) fn told(&self) -> String {
        format!(
            "{}: an exception that it did not catch; its author must mend it\n{}",
            self.message, self.traceback
        )
    }
}

fn is_panic(line: &str) -> bool {
    line.starts_with("thread '") && line.contains(" panicked at ")
}

/// The text in the quotes that `text` begins with, and what follows them; escapes are those of Rust.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut chars = text.strip_prefix('"')?.char_indices();
    let mut out = String::new();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((out, text.get(at + 2..)?)),
            '\\' => match chars.next()?.1 {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                other => out.push(other),
            },
            other => out.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::Exception;

    fn told(text: &str) -> Option<String> {
        let lines: Vec<&str> = text.lines().collect();
        Exception::find(&lines).map(|it| it.told())
    }

    #[test]
    fn the_last_exception_of_python_without_the_panic_of_its_runtime() {
        let text = "x\nTraceback (most recent call last):\n  a\nE: 1\n\nTraceback (most recent call last):\n  File \
                    \"/0/guest.py\", line 19, in run\nValueError: no\n  disk\n\nthread '<unnamed>' (1) panicked at \
                    lib.rs:1:2:\nPython function threw an unexpected exception";
        assert_eq!(
            told(text).as_deref(),
            Some(
                "ValueError: no: an exception that it did not catch; its author must mend it\nTraceback (most recent call \
                 last):\n  File \"/0/guest.py\", line 19, in run\nValueError: no\n  disk"
            )
        );
    }

    #[test]
    fn an_exception_of_javascript_is_unwrapped() {
        let text = "thread '<unnamed>' (1) panicked at interpreter.rs:51:31:\nFailed to call 'run': \
                    Value(Exception(\nException { message: Some(\"no \\\"disk\\\"\"), stack: Some(\"    at run \
                    (/guest.js:7:5)\\n\") })\n)\nnote: run with";
        assert_eq!(
            told(text).as_deref(),
            Some(
                "no \"disk\": an exception that it did not catch; its author must mend it\nno \"disk\"\n    at run (/guest.js:7:5)"
            )
        );
    }

    #[test]
    fn other_words_are_no_exception() {
        assert_eq!(told("out of memory"), None);
        assert_eq!(told("Traceback (most recent call last):\n  a"), None);
        // It was caught: what came of it later is something else.
        let caught = "Traceback (most recent call last):\n  a\nValueError: no disk\ngoing on";
        assert_eq!(told(caught), None);
        assert_eq!(told("Exception { message: Some(\"torn"), None);
    }
}
