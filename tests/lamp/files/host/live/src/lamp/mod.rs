//! `lamp`: the locator lamp of the machine, switched by a program of the site.

use crate::ConfigError;
use crate::capability::{Choice, LiveCapability, Served};
use crate::check::CheckLine;
use crate::child::{Child, ChildFailure, last_line};
use crate::defaults::ten_seconds;
use crate::host::Host;
use crate::rules::Rules;
use crate::secrets::Secrets;
use crate::shared::Shared;
use crate::units::Period;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use toml::Spanned;
use wreimage_capability::lamp::Provider;
use wreimage_capability::{Call, Capability, Fault, Function, Reconciled, lamp};

/// So that a call ends before the gate gives it up.
const TIMEOUT: Period = Period::secs(60);

/// Who serves `lamp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LampProvider {
    /// A program of the site.
    Program,
    /// The simulated data centre.
    Lab,
    /// The site has none.
    Absent,
}

/// `[lamp]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LampTable {
    /// Who serves it.
    pub provider: Spanned<LampProvider>,
    /// The program with its first arguments; it gets `state` or `press`, and the name of the host.
    #[serde(default)]
    pub program: Vec<String>,
    /// How long it may take; 60 s at most.
    #[serde(default = "ten_seconds")]
    pub timeout: Period,
}

/// The lamps of a site.
pub struct Lamp {
    table: Arc<LampTable>,
}

impl Lamp {
    fn of(&self, host: &Host) -> Switch {
        Switch {
            table: self.table.clone(),
            host: host.target.host.clone(),
        }
    }
}

impl LiveCapability for Lamp {
    const CAPABILITY: &'static Capability = &lamp::CAPABILITY;
    type Table = LampTable;

    fn choice(table: &LampTable) -> Choice {
        match table.provider.get_ref() {
            LampProvider::Program => Choice::Live,
            LampProvider::Lab => Choice::Lab,
            LampProvider::Absent => Choice::Absent,
        }
    }

    fn validate(table: &LampTable, rules: &Rules<'_>) -> Result<(), ConfigError> {
        let at = table.provider.span();
        let is_whole = Self::choice(table) != Choice::Live || !table.program.is_empty();
        rules.needs(is_whole, at.clone(), "lamp", "program", "program")?;
        rules.at_most(table.timeout, TIMEOUT, at, "lamp", "timeout")
    }

    fn new(table: Arc<LampTable>, _secrets: &Secrets, _shared: &Shared) -> Self {
        Lamp { table }
    }

    fn open(&self, host: &Host) -> Served {
        lamp::serve(self.of(host))
    }

    async fn check_host(&self, host: &Host, call: &Call) -> Vec<CheckLine> {
        let lit = self.of(host).is_lit(call).await;
        let words = |lit| if lit { "lit" } else { "not lit" }.to_owned();
        vec![CheckLine::of_answer("lamp", lit.map(words))]
    }
}

/// The live provider, for one host.
struct Switch {
    table: Arc<LampTable>,
    host: String,
}

impl Switch {
    async fn run(&self, call: &Call, word: &str) -> Result<String, Fault> {
        let system = format!("lamp of {}", self.host);
        let mut argv = self.table.program.clone();
        argv.extend([word.to_owned(), self.host.clone()]);
        let Some(child) = Child::until(&argv, call.valid_until) else {
            return Err(Fault::unreachable("lamp.program", system, "no program"));
        };
        let ended = child.run(self.table.timeout.0).await.map_err(|failure| {
            let why = failure.to_string();
            match failure {
                ChildFailure::NotStarted(..) | ChildFailure::Late(_) => {
                    Fault::unreachable("lamp.program", system.clone(), why)
                }
                _ => Fault::timeout("lamp.timeout", system.clone(), why),
            }
        })?;
        if !ended.success() {
            let why = format!("{}: {}", ended.exit(), last_line(&ended.stderr));
            return Err(Fault::rejected("lamp.refused", system, why));
        }
        Ok(String::from_utf8_lossy(&ended.stdout).trim().to_owned())
    }
}

impl Provider for Switch {
    async fn is_lit(&self, call: &Call) -> Result<bool, Fault> {
        match self.run(call, "state").await?.as_str() {
            "on" => Ok(true),
            "off" => Ok(false),
            _ => Err(Fault::rejected(
                "lamp.answer",
                format!("lamp of {}", self.host),
                "the program printed neither `on` nor `off`",
            )),
        }
    }

    async fn press(&self, call: &Call) -> Result<(), Fault> {
        self.run(call, "press").await.map(|_| ())
    }

    async fn witness(
        &self,
        call: &Call,
        _function: &'static Function,
        _arguments: &Value,
    ) -> Result<Value, Fault> {
        Ok(self.is_lit(call).await?.into())
    }

    async fn reconcile(
        &self,
        call: &Call,
        _function: &'static Function,
        _arguments: &Value,
        witness: &Value,
    ) -> Result<Reconciled, Fault> {
        let Some(was_lit) = witness.as_bool() else {
            return Ok(Reconciled::Unknown("the lamp was not read before".to_owned()));
        };
        Ok(if self.is_lit(call).await? == was_lit {
            Reconciled::DidNot
        } else {
            Reconciled::happened()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::LeaseTable;
    use crate::{Naming, Place, Prompter, Systems, Tables, terminal};
    use std::path::Path;
    use toml::de::DeTable;

    /// Keeps its state in a file.
    const SWITCH: &str = "case $1 in state) cat lamp;; press) [ \"$(cat lamp)\" = on ] && echo off > lamp || echo on > lamp;; esac";

    fn systems(file: &Path, text: &str) -> Systems {
        let mut keys = DeTable::parse(text).unwrap();
        let tables = Tables::take(keys.get_mut()).unwrap();
        tables.validate(&Rules::new(file, text)).unwrap();
        let prompter: Prompter = Arc::new(terminal::ask);
        let place = Place {
            name: "lab1".to_owned(),
            naming: Naming {
                domain: "lab1.test".to_owned(),
                management: "{host}.mgmt.{domain}".to_owned(),
            },
            file: file.to_owned(),
            cache: None,
            proc: "/proc".to_owned(),
        };
        Systems::new(&tables, &LeaseTable::default(), place, &prompter)
    }

    #[tokio::test]
    async fn a_lost_press_is_found_by_the_lamp() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("lamp"), "off\n").unwrap();
        let script = format!("cd {}; {SWITCH}", folder.path().display());
        let text = format!(
            "[lamp]\nprovider = \"program\"\nprogram = [\"sh\", \"-c\", '''{script}''', \"switch\"]\n"
        );
        let systems = systems(&folder.path().join("site.toml"), &text);
        let host = systems.host("host1001").unwrap();
        let provider = systems.open(&host).get("lamp").unwrap();
        let (call, press) = (Call::alone(), &lamp::functions::press);
        let none = serde_json::json!({});
        let witness = provider.witness(&call, press, &none).await.unwrap();
        assert_eq!(witness, Value::Bool(false));
        let asked = provider.reconcile(&call, press, &none, &witness).await;
        assert_eq!(asked.unwrap(), Reconciled::DidNot);
        provider.perform(&call, press, &none).await.unwrap();
        let asked = provider.reconcile(&call, press, &none, &witness).await;
        assert_eq!(asked.unwrap(), Reconciled::happened());
        let lines = systems.check_host(&host).await;
        assert_eq!(lines.last().unwrap().message, "lit");
    }
}
