//! The one configuration of the WebAssembly engine.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::{Cache, CacheConfig, Config, WasmBacktraceDetails};

/// How often guests that compute are asked to let other runs go on.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Compiles and runs guests. Cheap to clone; one serves any number of runs.
#[derive(Clone)]
pub struct Engine {
    pub(crate) wasm: wasmtime::Engine,
    _ticker: Arc<Ticker>,
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
        // The clock only makes a guest that computes step aside.
        config.epoch_interruption(true);
        // At most one call of a run is outstanding, so its record is a total order.
        config.concurrency_support(false);
        config.wasm_backtrace_details(WasmBacktraceDetails::Enable);
        if let Some(folder) = cache {
            let mut cache = CacheConfig::new();
            cache.with_directory(folder);
            config.cache(Some(Cache::new(cache)?));
        }
        let wasm = wasmtime::Engine::new(&config)?;
        Ok(Engine {
            _ticker: Arc::new(Ticker::start(&wasm)),
            wasm,
        })
    }
}

impl Engine {
    /// Compiles a component to machine code, for programs that ship guests in such a form. It is never accepted as a guest
    /// by [`Guest::load`](crate::Guest::load): nothing can check it.
    ///
    /// # Errors
    /// When it cannot be compiled.
    pub fn precompile(&self, component: &[u8]) -> wasmtime::Result<Vec<u8>> {
        self.wasm.precompile_component(component)
    }
}

/// Advances the epoch until the last engine is dropped.
struct Ticker {
    stop: std::sync::mpsc::Sender<()>,
}

impl Ticker {
    fn start(wasm: &wasmtime::Engine) -> Self {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let weak = wasm.weak();
        std::thread::spawn(move || {
            use std::sync::mpsc::RecvTimeoutError::Timeout;
            while stopped.recv_timeout(TICK) == Err(Timeout) {
                match weak.upgrade() {
                    Some(wasm) => wasm.increment_epoch(),
                    None => return,
                }
            }
        });
        Ticker { stop }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        let _ = self.stop.send(());
    }
}
