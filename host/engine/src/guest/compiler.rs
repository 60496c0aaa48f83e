//! How components are compiled, and within which bounds.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Bounds on components and on their compilation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompileLimits {
    /// Bytes of a component's file.
    pub component: u64,
    /// Bytes of memory of a compilation.
    pub memory: u64,
    /// Processor time of a compilation, on all cores together.
    pub cpu: Duration,
    /// How long a compilation may take.
    pub time: Duration,
}

impl Default for CompileLimits {
    /// 64 MiB a file, 2 GiB of memory, two minutes of processor time and of time.
    fn default() -> Self {
        CompileLimits {
            component: 64 << 20,
            memory: 2 << 30,
            cpu: Duration::from_secs(120),
            time: Duration::from_secs(120),
        }
    }
}

/// How components are compiled.
#[derive(Debug, Clone, Default)]
pub enum Compiler {
    /// In this process and without bounds: for components that are trusted, and for tests.
    #[default]
    InProcess,
    /// In a process of its own: this program with these arguments, and behind them a folder, the bytes of memory and the
    /// seconds of processor time. It must call [`compile_for_parent`](crate::compile_for_parent) with them.
    Process {
        /// The program.
        program: PathBuf,
        /// What stands before the arguments of the engine.
        arguments: Vec<OsString>,
        /// The bounds.
        limits: CompileLimits,
    },
}

/// Where the code that is compiled in a process of its own goes, below the folder of the cache: wasmtime removes from its own
/// folder what it does not know.
pub(crate) const CODE: &str = "code";
