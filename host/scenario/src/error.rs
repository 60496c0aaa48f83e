//! A scenario that cannot be played, or would prove nothing.

use std::path::{Path, PathBuf};

/// Something is wrong with a file of the guest's author.
#[derive(Debug, thiserror::Error)]
#[error("{}: {what}", path.display())]
pub struct ScenarioError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong in it, and what would be right.
    pub what: String,
}

impl ScenarioError {
    /// This is wrong in this file.
    pub fn new(path: &Path, what: impl Into<String>) -> Self {
        ScenarioError {
            path: path.to_owned(),
            what: what.into(),
        }
    }
}

/// Why there is nothing to judge.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// A file does not fit: nothing was played.
    #[error(transparent)]
    File(#[from] ScenarioError),
    /// The run did not come to an end, or one before it came to another than it must.
    #[error("{0}")]
    NoEnd(String),
}

/// `, did you mean …?`, or the whole choice when nothing is near.
pub(crate) fn suggestion<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    const NEAR: f64 = 0.8;
    let known: Vec<&str> = known.into_iter().collect();
    let near = known
        .iter()
        .map(|it| (strsim::jaro_winkler(word, it), *it))
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    match near {
        Some((score, it)) if score >= NEAR => format!("did you mean `{it}`?"),
        _ => format!("there are {}", known.join(", ")),
    }
}
