//! The one configuration of the WebAssembly engine.

use std::path::Path;
use wasmtime::{Cache, CacheConfig, Config, OptLevel, WasmBacktraceDetails};

/// Compiles and runs guests. Cheap to clone; one serves any number of runs.
#[derive(Clone)]
pub struct Engine {
    pub(crate) wasm: wasmtime::Engine,
}

impl Engine {
    /// An engine that keeps compiled guests in `cache`, or compiles each time.
    ///
    /// # Errors
    /// When the cache folder cannot be used.
    pub fn new(cache: Option<&Path>) -> wasmtime::Result<Self> {
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
        if let Some(folder) = cache {
            let mut cache = CacheConfig::new();
            cache.with_directory(folder);
            config.cache(Some(Cache::new(cache)?));
        }
        Ok(Engine {
            wasm: wasmtime::Engine::new(&config)?,
        })
    }

    /// Compiles a component to machine code, for programs that ship guests in such a form. It is never accepted as a guest
    /// by [`Guest::load`](crate::Guest::load): nothing can check it.
    ///
    /// # Errors
    /// When it cannot be compiled.
    pub fn precompile(&self, component: &[u8]) -> wasmtime::Result<Vec<u8>> {
        self.wasm.precompile_component(component)
    }
}
