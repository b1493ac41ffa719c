//! The engine and its rules: loads components, compiles them once, and says how long and how large a guest may be.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, OptLevel};

use super::cache::Cache;
use super::failure::{chain, load};
use super::guest::Guest;
use super::v0_1::{LayoutPluginPre, Opened, add_host};
use super::{failure, sha256};
use crate::layout::{LayoutError, Manifest, RunInfo};

/// What one guest may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Time of one call.
    pub call: Duration,
    /// Linear memory.
    pub memory_bytes: usize,
    /// Size of a component.
    pub component_bytes: usize,
    /// What is kept of stderr.
    pub stderr_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { call: Duration::from_secs(1), memory_bytes: 64 << 20, component_bytes: 64 << 20, stderr_bytes: 8 << 10 }
    }
}

/// An engine with the interfaces that guests may import.
pub struct Host {
    engine: Engine,
    linker: Linker<Guest>,
    limits: Limits,
    cache: Cache,
    loaded: Mutex<HashMap<String, Plugin>>,
}

/// How often a running guest gives way, so that its time limit can strike.
const TICK: Duration = Duration::from_millis(10);

impl Host {
    /// The host of the process, with the user's cache; made at the first call.
    pub fn shared() -> Result<&'static Self, LayoutError> {
        static SHARED: OnceLock<Result<Host, LayoutError>> = OnceLock::new();
        SHARED.get_or_init(|| Self::build(Limits::default(), Cache::of_user())).as_ref().map_err(Clone::clone)
    }

    /// A host with its own limits and cache folder; without a folder nothing is kept on disk.
    pub fn new(limits: Limits, cache: Option<PathBuf>) -> Result<Self, LayoutError> {
        Self::build(limits, Cache::new(cache))
    }

    fn build(limits: Limits, cache: Cache) -> Result<Self, LayoutError> {
        let internal = |error: wasmtime::Error| LayoutError::Plugin {
            code: "plugin/engine",
            message: format!("the WebAssembly engine does not start: {}", chain(&error)),
        };
        let mut config = Config::new();
        config.epoch_interruption(true).cranelift_opt_level(OptLevel::Speed);
        let engine = Engine::new(&config).map_err(internal)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(internal)?;
        add_host(&mut linker).map_err(internal)?;
        tick(&engine).map_err(|error| LayoutError::Plugin {
            code: "plugin/engine",
            message: format!("the thread that limits plugins' time does not start: {error}"),
        })?;
        Ok(Self { engine, linker, limits, cache, loaded: Mutex::default() })
    }

    /// Makes a component ready to open: from memory, from the cache, or by compiling it.
    pub fn load(&self, name: &str, wasm: &[u8]) -> Result<Plugin, LayoutError> {
        if wasm.len() > self.limits.component_bytes {
            let why = format!("it has {} bytes; at most {} are allowed", wasm.len(), self.limits.component_bytes);
            return Err(load(name, &why));
        }
        let digest = sha256(wasm);
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plugin) = loaded.get(&digest) {
            return Ok(plugin.clone());
        }
        let component = match self.cache.load(&self.engine, &digest) {
            Some(component) => component,
            None => {
                let component =
                    Component::from_binary(&self.engine, wasm).map_err(|error| load(name, &chain(&error)))?;
                self.cache.store(&self.engine, &digest, &component);
                component
            }
        };
        let linked = self.linker.instantiate_pre(&component).map_err(|error| load(name, &chain(&error)))?;
        let ready = LayoutPluginPre::new(linked).map_err(|error| load(name, &chain(&error)))?;
        let plugin = Plugin(Arc::new(Ready {
            name: name.to_string(),
            digest: digest.clone(),
            limits: self.limits.clone(),
            engine: self.engine.clone(),
            component: ready,
        }));
        loaded.insert(digest, plugin.clone());
        Ok(plugin)
    }
}

/// Moves the engine's clock on for as long as the engine lives.
fn tick(engine: &Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    std::thread::Builder::new().name("plugin-clock".to_string()).spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    })?;
    Ok(())
}

/// A component that is compiled and linked.
#[derive(Clone)]
pub struct Plugin(Arc<Ready>);

/// Parts of a [`Plugin`].
pub struct Ready {
    /// What messages call it.
    pub name: String,
    /// SHA-256 of the component.
    pub digest: String,
    /// What a guest may use.
    pub limits: Limits,
    /// The engine.
    pub engine: Engine,
    /// The component.
    pub component: LayoutPluginPre<Guest>,
}

impl Plugin {
    /// Opens the plugin with options for a run.
    pub async fn open(&self, options: &serde_json::Value, run: &RunInfo) -> Result<Opened, LayoutError> {
        Opened::open(self.0.clone(), options.to_string(), run.clone()).await
    }

    /// Asks the plugin who it is. For built-in plugins `builtin::manifests` has the same without running them.
    pub async fn describe(&self) -> Result<Manifest, LayoutError> {
        let manifest = super::v0_1::describe(&self.0).await?;
        let schema = serde_json::from_str(&manifest.config_schema);
        let config_schema =
            schema.map_err(|error| failure::answer(&self.0.name, &format!("`config-schema` is not JSON: {error}")))?;
        Ok(super::v0_1::manifest(manifest, config_schema, self.0.digest.clone()))
    }
}
