//! Compilation of components: in this process without bounds, or in a process of its own with bounds on memory, processor
//! time and time. Either fills wasmtime's cache, from which this process then loads.

use crate::guest::compiler::{CODE, CompileLimits, Compiler};
use crate::guest::engine::Engine;
use crate::guest::error::GuestError;
use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use wasmtime::component::Component;

/// A file for each component that is known to be in the cache, with the place of its code.
const KNOWN: &str = "known";

/// Bytes of the words of a compiler that are repeated.
const WORDS: usize = 2000;

impl Engine {
    /// Loads a component from the cache, or compiles it within the bounds.
    /// `digest` is its SHA-256.
    pub(crate) async fn compile(
        &self,
        component: &[u8],
        digest: &str,
    ) -> Result<Component, GuestError> {
        if let Compiler::Process {
            program,
            arguments,
            limits,
        } = &self.inner.compiler
        {
            let known = self.known(digest);
            if !self.is_cached(&known) {
                let folder = tempfile::Builder::new()
                    .prefix("new-")
                    .tempdir_in(&self.inner.cache)
                    .map_err(|error| self.no_cache(&error))?;
                let mut command = Command::new(program);
                command
                    .args(arguments)
                    .arg(folder.path())
                    .arg(limits.memory.to_string())
                    .arg(limits.cpu.as_secs().max(1).to_string());
                run(command, component, limits).await?;
                self.take_over(folder.path(), &known)
                    .map_err(|error| self.no_cache(&error))?;
            }
        }
        Component::from_binary(&self.inner.wasm, component)
            .map_err(|error| GuestError::Broken(format!("{error:#}")))
    }

    /// Refuses a file that is larger than a component may be.
    pub(crate) fn check_size(&self, bytes: &[u8]) -> Result<(), GuestError> {
        match &self.inner.compiler {
            Compiler::Process { limits, .. } if bytes.len() as u64 > limits.component => {
                Err(GuestError::TooLarge {
                    size: bytes.len() as u64,
                    limit: limits.component,
                })
            }
            _ => Ok(()),
        }
    }

    fn no_cache(&self, error: &std::io::Error) -> GuestError {
        GuestError::Compiler(format!(
            "compiled guests cannot be kept in {}: {error}",
            self.inner.cache.display()
        ))
    }

    /// The file that says where the code of this component is.
    fn known(&self, digest: &str) -> PathBuf {
        let name = format!("{digest}-{:016x}", self.inner.settings);
        self.inner.cache.join(KNOWN).join(name)
    }

    /// Whether the code is in the cache still; wasmtime removes what was not used for long.
    fn is_cached(&self, known: &Path) -> bool {
        let Ok(place) = std::fs::read_to_string(known) else {
            return false;
        };
        let place = Path::new(place.trim());
        let is_below = place
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        is_below && self.inner.cache.join(CODE).join(place).is_file()
    }

    /// Moves the code that a compiler has left in a folder of its own into the cache.
    fn take_over(&self, folder: &Path, known: &Path) -> std::io::Result<()> {
        let from = folder.join(CODE);
        let place = find_code(&from, Path::new(""), 0)?.ok_or_else(|| {
            std::io::Error::other("the compiler has left no code: its cache cannot be written")
        })?;
        let to = self.inner.cache.join(CODE).join(&place);
        for folder in [to.parent(), known.parent()].into_iter().flatten() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::rename(from.join(&place), to)?;
        // Written whole or not at all: another process may read it now.
        let note = folder.join("known");
        std::fs::write(&note, place.as_os_str().as_encoded_bytes())?;
        std::fs::rename(note, known)
    }
}

/// The file of compiled code below a folder of wasmtime's cache, relative to it. The names of others have a dot.
fn find_code(root: &Path, below: &Path, depth: u32) -> std::io::Result<Option<PathBuf>> {
    const DEEPEST: u32 = 3;
    for entry in std::fs::read_dir(root.join(below))? {
        let entry = entry?;
        let place = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            if depth < DEEPEST
                && let Some(found) = find_code(root, &place, depth + 1)?
            {
                return Ok(Some(found));
            }
        } else if place.extension().is_none() {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// Runs a compiler to its end, or to the end of its time.
async fn run(
    mut command: Command,
    component: &[u8],
    limits: &CompileLimits,
) -> Result<(), GuestError> {
    let failed = |error: std::io::Error| {
        GuestError::Compiler(format!("the compiler cannot be started: {error}"))
    };
    let mut child = command
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let stdin = child.stdin.take();
    let hand_over = async {
        if let Some(mut stdin) = stdin {
            // A compiler that does not read it to its end says why.
            let _ = stdin.write_all(component).await;
        }
    };
    let both = async { tokio::join!(hand_over, child.wait_with_output()).1 };
    match tokio::time::timeout(limits.time, both).await {
        Ok(output) => judge(&output.map_err(failed)?, limits),
        Err(_) => Err(GuestError::Compilation {
            what: format!("it takes longer than {} s", limits.time.as_secs_f64()),
            key: "limits.compile-time",
        }),
    }
}

fn judge(output: &Output, limits: &CompileLimits) -> Result<(), GuestError> {
    let words = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim();
        let end = text.floor_char_boundary(WORDS);
        text.get(..end).unwrap_or_default().to_owned()
    };
    let (out, err) = (words(&output.stdout), words(&output.stderr));
    if output.status.success() {
        return Ok(());
    }
    if ["memory allocation of", "Cannot allocate memory"]
        .iter()
        .any(|it| out.contains(it) || err.contains(it))
    {
        return Err(GuestError::Compilation {
            what: format!("it takes more than {} MiB of memory", limits.memory >> 20),
            key: "limits.compile-memory",
        });
    }
    const SIGXCPU: i32 = 24;
    match (output.status.code(), output.status.signal()) {
        (_, Some(SIGXCPU)) => Err(GuestError::Compilation {
            what: format!(
                "it takes more than {} s of processor time",
                limits.cpu.as_secs().max(1)
            ),
            key: "limits.compile-cpu",
        }),
        (Some(BROKEN), _) => Err(GuestError::Broken(out)),
        _ => Err(GuestError::Compiler(format!(
            "the compiler of the component died ({}): {err}",
            output.status
        ))),
    }
}

/// How a compiler ends that cannot compile a component; its output says why.
const BROKEN: i32 = 1;

/// Compiles the component on standard input into a folder, in a process that another engine has started for this; never
/// returns. The bounds hold from here on for the whole process.
pub fn compile_for_parent(folder: &Path, memory: u64, cpu_seconds: u64) -> ! {
    let end = match compile_within(folder, memory, cpu_seconds) {
        Ok(()) => 0,
        Err(why) => {
            let _ = writeln!(std::io::stdout(), "{why}");
            BROKEN
        }
    };
    std::process::exit(end)
}

fn compile_within(folder: &Path, memory: u64, cpu_seconds: u64) -> Result<(), String> {
    let bound = |resource, most| {
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        setrlimit(resource, limit)
            .map_err(|error| format!("a bound on the compiler cannot be set: {error}"))
    };
    // The process that waits for this one must not leave it behind.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    bound(Resource::Core, 0)?;
    bound(Resource::Data, memory)?;
    let cpu = Rlimit {
        current: Some(cpu_seconds),
        maximum: Some(cpu_seconds.saturating_add(5)),
    };
    setrlimit(Resource::Cpu, cpu)
        .map_err(|error| format!("a bound on the compiler cannot be set: {error}"))?;
    let mut component = Vec::new();
    std::io::stdin()
        .read_to_end(&mut component)
        .map_err(|error| format!("the component cannot be read: {error}"))?;
    let engine = Engine::new(Some(folder)).map_err(|error| format!("{error:#}"))?;
    Component::from_binary(&engine.inner.wasm, &component)
        .map(drop)
        .map_err(|error| format!("{error:#}"))
}
