//! A scenario as its file has it.

use crate::expect::Expect;
use serde::Deserialize;
use serde_json::Value;
use std::path::PathBuf;
use toml::Table;

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct File {
    #[serde(default)]
    pub summary: String,
    #[serde(default = "default_host")]
    pub host: String,
    pub base_world: Option<PathBuf>,
    #[serde(default)]
    pub world: Table,
    #[serde(default)]
    pub options: Table,
    #[serde(default)]
    pub run: RunFile,
    #[serde(default)]
    pub earlier: Vec<EarlierFile>,
    #[serde(default)]
    pub fault: Vec<FaultFile>,
    #[serde(default)]
    pub answer: Vec<AnswerFile>,
    #[serde(default)]
    pub expect: Expect,
}

/// The healthy machine of the built-in world.
fn default_host() -> String {
    "host1001".to_owned()
}

/// What the host is told of the run.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct RunFile {
    pub dry_run: bool,
    pub on_failure: OnFailureFile,
    pub actor: String,
    pub consent: bool,
    pub absent: Vec<String>,
}

impl Default for RunFile {
    fn default() -> Self {
        RunFile {
            dry_run: false,
            on_failure: OnFailureFile::Undo,
            actor: "tester".to_owned(),
            consent: true,
            absent: Vec::new(),
        }
    }
}

/// What a step that fails does.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OnFailureFile {
    Undo,
    Ask,
    Pause,
}

/// A run that was made before, in the same world.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct EarlierFile {
    #[serde(default)]
    pub options: Table,
    #[serde(default)]
    pub fault: Vec<FaultFile>,
    #[serde(default)]
    pub answer: Vec<AnswerFile>,
    pub outcome: String,
}

/// An answer to questions that hold a text.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct AnswerFile {
    pub question: String,
    pub choice: String,
    #[serde(default = "once")]
    pub times: u32,
}

fn once() -> u32 {
    1
}

/// A fault, with everything that one can have.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct FaultFile {
    pub call: String,
    pub nth: Option<u64>,
    pub from: Option<u64>,
    pub after: Option<String>,
    pub times: Option<u64>,
    pub when: Option<String>,
    pub fault: Option<String>,
    pub code: Option<String>,
    pub message: Option<String>,
    pub retryable: Option<bool>,
    pub happens: Option<bool>,
    pub delay: Option<String>,
    pub lie: Option<Value>,
    pub noise: Option<String>,
    pub value: Option<Value>,
    pub crash: Option<String>,
    pub cancel: Option<bool>,
    pub meanwhile: Option<MeanwhileFile>,
}

/// What somebody else does.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct MeanwhileFile {
    pub call: String,
    #[serde(default)]
    pub arguments: Value,
}
