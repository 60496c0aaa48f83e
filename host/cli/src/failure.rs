//! Why the program ends before a run has its own word on it.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use wreimage_engine::GuestError;
use wreimage_journal::LogError;
use wreimage_kit::KitError;
use wreimage_lab::{KeptError, WorldError};
use wreimage_runs::{ErrorKind, RunsError};
use wreimage_scenario::ScenarioError;
use wreimage_site::ConfigError;

/// For what kind of reason: the exit code follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The call, or what it names, is wrong.
    Usage,
    /// Nothing was touched, and will not be.
    Refused,
    /// Part of it is done, and part is left.
    Left,
    /// An operator stopped it, and nothing is left.
    Cancelled,
    /// It waits for an operator as it did before.
    Paused,
    /// The host failed.
    Internal,
}

impl From<ErrorKind> for FailureKind {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Usage => FailureKind::Usage,
            ErrorKind::Refused => FailureKind::Refused,
            ErrorKind::Paused => FailureKind::Paused,
            ErrorKind::Internal => FailureKind::Internal,
        }
    }
}

/// Why the program ends before a run has its own word on it. A message has all that a person needs, with the words of the
/// source.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The call, or what it names, is wrong.
    #[error("{0}")]
    Usage(String),
    /// Nothing was touched, and will not be.
    #[error("{0}")]
    Refused(String),
    /// Part of it is done, and part is left.
    #[error("{0}")]
    Left(String),
    /// The program is not as it must be.
    #[error("{0}")]
    Internal(String),
    /// Something cannot be done with the runs of this machine.
    #[error(transparent)]
    Runs(#[from] RunsError),
    /// A site file, its inventory or its secrets are wrong.
    #[error(transparent)]
    Site(#[from] ConfigError),
    /// A secret was not given.
    #[error(transparent)]
    Secret(ConfigError),
    /// The folder of a lab's world cannot be used.
    #[error(transparent)]
    World(#[from] KeptError),
    /// The built-in world is wrong.
    #[error(transparent)]
    BuiltinWorld(WorldError),
    /// The locks of a state folder cannot be used.
    #[error(transparent)]
    Locks(#[from] LogError),
    /// The lease folder cannot be created.
    #[error("{source}")]
    LeaseFolder {
        /// Whether it is a lab's.
        in_lab: bool,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A guest cannot be loaded.
    #[error("{label}: {source}")]
    Guest {
        /// Its file, with what is plugged in.
        label: String,
        /// Why.
        source: Box<GuestError>,
    },
    /// A guest was built that cannot be loaded.
    #[error("{name} was built, but cannot be used: {source}. {} was not written", path.display())]
    Built {
        /// Its name.
        name: String,
        /// The file that it was for.
        path: PathBuf,
        /// Why.
        source: Box<GuestError>,
    },
    /// A guest cannot be made or built.
    #[error(transparent)]
    Kit(#[from] KitError),
    /// A scenario or a file of invariants is wrong.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A file cannot be read or written.
    #[error("{} cannot be {what}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// `read` or `written`.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A path means nothing here.
    #[error("{}: {source}", path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system refuses what the program needs.
    #[error("{what}: {source}")]
    System {
        /// What it needs, as the subject of a sentence.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A part of the program failed.
    #[error("{message}")]
    Part {
        /// What a person reads, with the words of the source.
        message: String,
        /// What failed.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl Failure {
    /// The call, or what it names, is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Failure::Usage(message.into())
    }

    /// A part of the program failed: `what`, and the words of the source.
    pub fn part(what: &str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let source = source.into();
        let message = if what.is_empty() {
            source.to_string()
        } else {
            format!("{what}: {source}")
        };
        Failure::Part { message, source }
    }

    /// For what kind of reason.
    pub fn kind(&self) -> FailureKind {
        match self {
            Failure::Runs(error) => error.kind().into(),
            Failure::Kit(KitError::Stopped) => FailureKind::Cancelled,
            Failure::Usage(_)
            | Failure::Site(_)
            | Failure::World(_)
            | Failure::Locks(_)
            | Failure::Kit(_)
            | Failure::Scenario(_)
            | Failure::File { .. }
            | Failure::Path { .. } => FailureKind::Usage,
            Failure::Refused(_)
            | Failure::Secret(_)
            | Failure::LeaseFolder { in_lab: false, .. }
            | Failure::Guest { .. }
            | Failure::Built { .. } => FailureKind::Refused,
            Failure::Left(_) => FailureKind::Left,
            Failure::Internal(_)
            | Failure::BuiltinWorld(_)
            | Failure::LeaseFolder { in_lab: true, .. }
            | Failure::System { .. }
            | Failure::Part { .. } => FailureKind::Internal,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_keeps_its_kind_and_its_source() {
        let failure = Failure::File {
            path: "a.wasm".into(),
            what: "read",
            source: io::ErrorKind::PermissionDenied.into(),
        };
        assert_eq!(failure.kind(), FailureKind::Usage);
        let source = failure.source().unwrap();
        let source = source.downcast_ref::<io::Error>().unwrap();
        assert_eq!(source.kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(
            failure.to_string(),
            "a.wasm cannot be read: permission denied"
        );
        let driven = RunsError::BatchDriven("b".to_owned());
        assert_eq!(Failure::from(driven).kind(), FailureKind::Refused);
    }
}
