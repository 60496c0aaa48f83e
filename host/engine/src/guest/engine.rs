//! The one configuration of the WebAssembly engine.

use crate::guest::compiler::{CODE, Compiler};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use wasmtime::{Cache, CacheConfig, Config, OptLevel, WasmBacktraceDetails};

/// Compiles and runs guests. Cheap to clone; one serves any number of runs.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) wasm: wasmtime::Engine,
    pub(crate) compiler: Compiler,
    /// The folder of compiled guests; empty when they are compiled each time.
    pub(crate) cache: PathBuf,
    /// A sum over all settings that the compiled code depends on.
    pub(crate) settings: u64,
    /// The cache, when it is of this process only.
    _own: Option<TempDir>,
}

impl Engine {
    /// An engine that keeps compiled guests in `cache`, or compiles each time. It compiles in this process, without bounds.
    ///
    /// # Errors
    /// When the cache folder cannot be used.
    pub fn new(cache: Option<&Path>) -> wasmtime::Result<Self> {
        Engine::build(cache.map(Path::to_owned), Compiler::InProcess, None)
    }

    /// An engine that compiles in this way and keeps compiled guests in `cache`. Without a folder that it can write to, a
    /// compiler in a process of its own fills a folder of this process.
    ///
    /// # Errors
    /// When no cache folder can be used.
    pub fn with_compiler(cache: Option<&Path>, compiler: Compiler) -> wasmtime::Result<Self> {
        if matches!(compiler, Compiler::InProcess) {
            return Engine::build(cache.map(Path::to_owned), compiler, None);
        }
        let usable = cache.filter(|folder| {
            std::fs::create_dir_all(folder).is_ok() && tempfile::tempfile_in(folder).is_ok()
        });
        match usable {
            Some(folder) => Engine::build(Some(folder.to_owned()), compiler, None),
            None => {
                let own = tempfile::tempdir()?;
                Engine::build(Some(own.path().to_owned()), compiler, Some(own))
            }
        }
    }

    fn build(
        cache: Option<PathBuf>,
        compiler: Compiler,
        own: Option<TempDir>,
    ) -> wasmtime::Result<Self> {
        let mut config = Config::new();
        // The same bytes and arguments must give the same calls: no value of a float may depend on the machine, and a
        // guest that loops is stopped by a count of instructions, not by a clock.
        config.cranelift_nan_canonicalization(true);
        config.wasm_relaxed_simd(false);
        config.consume_fuel(true);
        // A guest waits for the world and hardly computes; each of its starts reads all of its machine code.
        config.cranelift_opt_level(OptLevel::SpeedAndSize);
        // At most one call of a run is outstanding, so its record is a total order.
        config.concurrency_support(false);
        config.wasm_backtrace_details(WasmBacktraceDetails::Enable);
        // Nothing unwinds through a guest but the engine itself, which follows frame pointers.
        config.native_unwind_info(false);
        if let Some(folder) = &cache {
            let mut cache = CacheConfig::new();
            cache.with_directory(folder.join(CODE));
            config.cache(Some(Cache::new(cache)?));
        }
        let wasm = wasmtime::Engine::new(&config)?;
        let mut settings = DefaultHasher::new();
        wasm.precompile_compatibility_hash().hash(&mut settings);
        Ok(Engine {
            inner: Arc::new(Inner {
                settings: settings.finish(),
                wasm,
                compiler,
                cache: cache.unwrap_or_default(),
                _own: own,
            }),
        })
    }

    pub(crate) fn wasm(&self) -> &wasmtime::Engine {
        &self.inner.wasm
    }

    /// Compiles a component to machine code, for programs that ship guests in such a form. It is never accepted as a guest
    /// by [`Guest::load`](crate::Guest::load): nothing can check it.
    ///
    /// # Errors
    /// When it cannot be compiled.
    pub fn precompile(&self, component: &[u8]) -> wasmtime::Result<Vec<u8>> {
        self.wasm().precompile_component(component)
    }
}
