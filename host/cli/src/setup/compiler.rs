//! The process in which guests are compiled: this program once more, with bounds.

use crate::failure::Failure;
use crate::setup::files;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use wreimage_engine::{CompileLimits, Compiler, Engine, compile_for_parent};
use wreimage_site::SiteFile;

/// The word by which this program is started as a compiler. It is for this program only.
const WORD: &str = "compile-for-parent";

/// Compiles and ends, when this process was started for that.
pub fn compile_if_asked(arguments: &[OsString]) {
    let [_, word, folder, memory, seconds] = arguments else {
        return;
    };
    let number = |text: &OsStr| text.to_str().and_then(|text| text.parse().ok());
    if word == WORD
        && let (Some(memory), Some(seconds)) = (number(memory), number(seconds))
    {
        compile_for_parent(Path::new(folder), memory, seconds);
    }
}

/// The engine, with the compilation cache and a compiler within these bounds.
pub fn engine(limits: CompileLimits) -> Result<Engine, Failure> {
    let failed =
        |why: String| Failure::Internal(format!("the WebAssembly engine cannot start: {why}"));
    // By the kernel's link and not by its path: an upgrade may replace the file while this program runs.
    let compiler = Compiler::Process {
        program: PathBuf::from("/proc/self/exe"),
        arguments: vec![WORD.into()],
        limits,
    };
    let cache = files::cache();
    Engine::with_compiler(cache.as_deref(), compiler).map_err(|error| failed(format!("{error:#}")))
}

/// The bounds that a site sets, or the defaults. A site file that cannot be read is an error of the code that opens it.
pub fn limits(site: Option<&Path>) -> CompileLimits {
    let path = site.map(Path::to_owned).or_else(files::site_file);
    path.and_then(|path: PathBuf| SiteFile::read(&path).ok())
        .map_or_else(CompileLimits::default, |file| CompileLimits {
            component: file.limits.component.0,
            memory: file.limits.compile_memory.0,
            cpu: file.limits.compile_cpu.0,
            time: file.limits.compile_time.0,
        })
}
