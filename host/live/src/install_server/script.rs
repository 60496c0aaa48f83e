//! A script as it is sent to the install server.

use crate::ssh::quote;

/// Functions, then variables, then the call of `main` in the last line: a script that arrives cut does nothing.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    text: String,
}

impl Script {
    /// A script with these functions.
    pub(crate) fn new(parts: &[&str]) -> Self {
        let mut text = String::new();
        for part in parts {
            text.push_str(part);
            text.push('\n');
        }
        Script { text }
    }

    /// Sets a variable.
    #[must_use]
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        let value = value.replace('\'', r"'\''");
        self.text.push_str(&format!("{name}='{value}'\n"));
        self
    }

    /// Defines a function that runs one command.
    #[must_use]
    pub(crate) fn command<S: AsRef<str>>(self, name: &str, argv: &[S]) -> Self {
        self.function(name, &quote(argv))
    }

    /// Defines a function with this body, a command of the shell or more.
    #[must_use]
    pub(crate) fn function(mut self, name: &str, body: &str) -> Self {
        self.text.push_str(&format!("{name}() {{\n{body}\n}}\n"));
        self
    }

    /// The same after an edit by a test.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn edited(self, edit: &(dyn Fn(String) -> String + Send + Sync)) -> Self {
        Script {
            text: edit(self.text),
        }
    }

    /// The whole text.
    pub(crate) fn text(&self) -> String {
        // The commands of the script must not read what the shell still has to.
        format!("{}main < /dev/null\nexit 0\n", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::Script;

    #[test]
    fn a_script_that_arrives_cut_does_nothing() {
        let script = Script::new(&["main() {\n    echo \"$one\"\n}"])
            .set("one", "it's $(one)\nand 'two'")
            .command("unused", &["a b", "c"])
            .text();
        let run = |text: &str| {
            let mut child = std::process::Command::new("sh")
                .arg("-s")
                .stdin(std::process::Stdio::piped())
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap();
            std::io::Write::write_all(child.stdin.as_mut().unwrap(), text.as_bytes()).unwrap();
            String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
        };
        assert_eq!(run(&script), "it's $(one)\nand 'two'\n");
        let end = script.find("main < ").unwrap();
        for at in (0..end + 4)
            .step_by(3)
            .filter(|at| script.is_char_boundary(*at))
        {
            assert_eq!(run(&script[..at]), "", "cut at {at}");
        }
    }
}
