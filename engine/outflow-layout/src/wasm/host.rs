//! The engine and its rules: loads components, compiles them once, and says how long and how large a guest may be.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use arrow::datatypes::Schema;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Config, Engine, OptLevel};

use super::cache::Cache;
use super::failure::{chain, load};
use super::guest::Guest;
use super::inspect::{INTERFACE, Inspection, Surface, World};
use super::v0_1::{self, LayoutPluginPre, Opened, Transform, TransformPluginPre, add_host};
use super::{failure, sha256};
use crate::layout::{LayoutError, Manifest, RunInfo};
use crate::transform::MemoryAccount;

/// What one guest may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Time until a guest runs and has read its options. An interpreter sets itself up in it, so it is longer than a
    /// call, and it is spent once a run, and once more for each guest that failed.
    pub start: Duration,
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
        Self {
            start: Duration::from_secs(10),
            call: Duration::from_secs(1),
            memory_bytes: 64 << 20,
            component_bytes: 64 << 20,
            stderr_bytes: 8 << 10,
        }
    }
}

impl Limits {
    /// The limits of transforms, which hold rows.
    pub fn of_transforms() -> Self {
        Self { call: Duration::from_secs(10), memory_bytes: 256 << 20, ..Self::default() }
    }
}

/// An engine with the interfaces that guests may import.
pub struct Host {
    engine: Engine,
    linker: Linker<Guest>,
    limits: Limits,
    transforms: Limits,
    cache: Cache,
    /// Components by their digest.
    linked: Mutex<HashMap<String, InstancePre<Guest>>>,
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
        let transforms = Limits::of_transforms();
        Ok(Self { engine, linker, limits, transforms, cache, linked: Mutex::default() })
    }

    /// The same host with these limits for transforms.
    #[must_use]
    pub fn with_transforms(self, transforms: Limits) -> Self {
        Self { transforms, ..self }
    }

    /// Makes a layout ready to open: from memory, from the cache, or by compiling it.
    pub fn load(&self, name: &str, wasm: &[u8]) -> Result<Plugin, LayoutError> {
        let ready = self.ready(name, wasm, World::Layout, &self.limits)?;
        let component = LayoutPluginPre::new(ready.component.clone()).map_err(|error| load(name, &chain(&error)))?;
        Ok(Plugin(Arc::new(ready.with(component))))
    }

    /// The same for a transform.
    pub fn load_transform(&self, name: &str, wasm: &[u8]) -> Result<TransformPlugin, LayoutError> {
        let ready = self.ready(name, wasm, World::Transform, &self.transforms)?;
        let component = TransformPluginPre::new(ready.component.clone()).map_err(|error| load(name, &chain(&error)))?;
        Ok(TransformPlugin(Arc::new(ready.with(component))))
    }

    /// What a component is, by its bytes and by its own word. Needs a tokio runtime with timers.
    pub async fn inspect(&self, name: &str, wasm: &[u8]) -> Result<Inspection, LayoutError> {
        let surface = Surface::of(wasm);
        let (world, manifest) = match &surface.exported {
            Some((World::Transform, _)) => (World::Transform, self.load_transform(name, wasm)?.describe().await?),
            Some((World::Layout, _)) | None => (World::Layout, self.load(name, wasm)?.describe().await?),
        };
        Ok(Inspection {
            world,
            interface: surface.exported.map_or_else(|| INTERFACE.to_owned(), |(_, version)| version),
            imports: surface.imports,
            name: manifest.name,
            version: manifest.version,
            summary: manifest.summary,
            config_schema: manifest.config_schema,
            digest: manifest.digest,
            bytes: wasm.len(),
        })
    }

    fn ready(
        &self,
        name: &str,
        wasm: &[u8],
        wanted: World,
        limits: &Limits,
    ) -> Result<Ready<InstancePre<Guest>>, LayoutError> {
        if wasm.len() > limits.component_bytes {
            let why = format!("it has {} bytes; at most {} are allowed", wasm.len(), limits.component_bytes);
            return Err(load(name, &why));
        }
        let surface = Surface::of(wasm);
        surface.check_version(name)?;
        if let Some((world, _)) = surface.exported
            && world != wanted
        {
            let message = format!("the plugin `{name}` is a {}, and here stands a {}", world.name(), wanted.name());
            return Err(LayoutError::Plugin { code: "plugin/world", message });
        }
        let digest = sha256(wasm);
        let component = self.link(wasm, &digest).map_err(|why| load(name, &surface.explain(&why)))?;
        Ok(Ready { name: name.to_owned(), digest, limits: limits.clone(), engine: self.engine.clone(), component })
    }

    fn link(&self, wasm: &[u8], digest: &str) -> Result<InstancePre<Guest>, String> {
        let mut linked = self.linked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = linked.get(digest) {
            return Ok(known.clone());
        }
        let component = match self.cache.load(&self.engine, digest) {
            Some(component) => component,
            None => {
                let component = Component::from_binary(&self.engine, wasm).map_err(|error| chain(&error))?;
                self.cache.store(&self.engine, digest, &component);
                component
            }
        };
        let fresh = self.linker.instantiate_pre(&component).map_err(|error| chain(&error))?;
        linked.insert(digest.to_owned(), fresh.clone());
        Ok(fresh)
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
pub struct Ready<C> {
    /// What messages call it.
    pub name: String,
    /// SHA-256 of the component.
    pub digest: String,
    /// What a guest may use.
    pub limits: Limits,
    /// The engine.
    pub engine: Engine,
    /// The component.
    pub component: C,
}

impl<C> Ready<C> {
    fn with<D>(self, component: D) -> Ready<D> {
        let Self { name, digest, limits, engine, .. } = self;
        Ready { name, digest, limits, engine, component }
    }

    /// The schema that a plugin gave for its options.
    fn schema(&self, text: &str) -> Result<serde_json::Value, LayoutError> {
        serde_json::from_str(text)
            .map_err(|error| failure::answer(&self.name, &format!("`config-schema` is not JSON: {error}")))
    }
}

/// A layout that is compiled and linked.
#[derive(Clone)]
pub struct Plugin(Arc<Ready<LayoutPluginPre<Guest>>>);

impl Plugin {
    /// Opens the plugin with options for a run.
    pub async fn open(&self, options: &serde_json::Value, run: &RunInfo) -> Result<Opened, LayoutError> {
        Opened::open(self.0.clone(), options.to_string(), run.clone()).await
    }

    /// Asks the plugin who it is. For built-in plugins `builtin::manifests` has the same without running them.
    pub async fn describe(&self) -> Result<Manifest, LayoutError> {
        let manifest = v0_1::describe(&self.0).await?;
        let config_schema = self.0.schema(&manifest.config_schema)?;
        Ok(v0_1::manifest(manifest, config_schema, self.0.digest.clone()))
    }
}

/// A transform that is compiled and linked.
#[derive(Clone)]
pub struct TransformPlugin(Arc<Ready<TransformPluginPre<Guest>>>);

impl TransformPlugin {
    /// Opens the plugin with options for rows of these columns. Its memory is borrowed from the account.
    pub async fn open(
        &self,
        options: &serde_json::Value,
        input: &Schema,
        account: Option<Arc<dyn MemoryAccount>>,
    ) -> Result<Transform, LayoutError> {
        Transform::open(self.0.clone(), options.to_string(), input, account).await
    }

    /// Asks the plugin who it is.
    pub async fn describe(&self) -> Result<Manifest, LayoutError> {
        let manifest = v0_1::describe_transform(&self.0).await?;
        Ok(Manifest {
            config_schema: self.0.schema(&manifest.config_schema)?,
            name: manifest.name,
            version: manifest.version,
            summary: manifest.summary,
            requires: Vec::new(),
            digest: self.0.digest.clone(),
        })
    }
}
