//! Version 0.1 of the plugin interface: an instance of a guest as a [`Layout`].
//! A guest that failed is thrown away and opened afresh at the next call, which its purity allows.

mod answer;
mod columns;
mod convert;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzz;
mod io;
mod transform;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::{HasSelf, Linker, ResourceAny};
use wasmtime::{Result, Store};

use self::bindings::exports::outflow::plugin::layout::Manifest as GuestManifest;
use self::bindings::outflow::plugin::host::{self, Level};
use super::failure::{self, Failure, explain};
use super::guest::Guest;
use super::host::Ready;
use crate::layout::{
    Artifact, Column, Dataset, FileFacts, FileIntent, FileName, Layout, LayoutError, LogLevel, LogLine, Manifest,
    Output, RunInfo, Written,
};
use crate::name::Register;
use crate::transform::MemoryAccount;

#[allow(missing_docs)]
pub(super) mod bindings {
    wasmtime::component::bindgen!({
        path: "../../plugins/outflow-plugin-sdk/wit/v0.1.0",
        world: "layout-plugin",
        exports: { default: async },
    });
}

#[allow(missing_docs)]
pub(super) mod transform_bindings {
    wasmtime::component::bindgen!({
        path: "../../plugins/outflow-plugin-sdk/wit/v0.1.0",
        world: "transform-plugin",
        exports: { default: async },
        with: {
            "outflow:plugin/types": super::bindings::outflow::plugin::types,
            "outflow:plugin/host": super::bindings::outflow::plugin::host,
        },
    });
}

pub use bindings::LayoutPluginPre;
pub(super) use convert::readable;
pub use transform::{Declared, Transform, describe as describe_transform};
pub use transform_bindings::TransformPluginPre;

impl host::Host for Guest {
    fn log(&mut self, level: Level, message: String) {
        let level = match level {
            Level::Debug => LogLevel::Debug,
            Level::Info => LogLevel::Info,
            Level::Warn => LogLevel::Warn,
            Level::Error => LogLevel::Error,
        };
        Guest::log(self, level, convert::readable(&message));
    }
}

/// Offers the host's own interface to guests.
pub fn add_host(linker: &mut Linker<Guest>) -> Result<()> {
    host::add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)
}

/// A guest that runs, before its options are read.
struct Instance {
    store: Store<Guest>,
    exports: bindings::LayoutPlugin,
}

/// Room for a guest.
fn store<C>(plugin: &Ready<C>, now_ms: i64, account: Option<Arc<dyn MemoryAccount>>) -> Store<Guest> {
    let mut store = Store::new(&plugin.engine, Guest::new(&plugin.limits, now_ms, account));
    store.limiter(|guest| &mut guest.memory);
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    // What a guest returns is bounded too: several lists of it may lie in the same memory.
    store.set_hostcall_fuel(plugin.limits.memory_bytes);
    store
}

/// Waits for an answer as long as a call may take.
async fn timed<T, C>(plugin: &Ready<C>, call: impl Future<Output = Result<T>>) -> Result<T, Failure> {
    within(plugin.limits.call, call).await.unwrap_or_else(|| Err(Failure::Timeout(plugin.limits.call)))
}

/// Waits for a guest as long as it may take to start.
async fn started<T, C>(plugin: &Ready<C>, start: impl Future<Output = Result<T>>) -> Result<T, Failure> {
    within(plugin.limits.start, start).await.unwrap_or_else(|| Err(Failure::Late(plugin.limits.start)))
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T>>) -> Option<Result<T, Failure>> {
    Some(tokio::time::timeout(limit, work).await.ok()?.map_err(Failure::Trapped))
}

/// Asks a plugin who it is.
pub async fn describe(plugin: &Ready<LayoutPluginPre<Guest>>) -> Result<GuestManifest, LayoutError> {
    let mut store = store(plugin, 0, None);
    let call = async {
        let exports = plugin.component.instantiate_async(&mut store).await?;
        exports.outflow_plugin_layout().call_describe(&mut store).await
    };
    let answer = started(plugin, call).await;
    answer.map_err(|failure| explain(&plugin.name, &failure, store.data(), plugin.limits.memory_bytes))
}

/// A guest's manifest as the host knows manifests.
pub fn manifest(guest: GuestManifest, config_schema: serde_json::Value, digest: String) -> Manifest {
    let column = |c: convert::Column| Column { name: c.name, data_type: c.data_type, nullable: c.nullable };
    let requires = guest.requires.into_iter();
    Manifest {
        name: guest.name,
        version: guest.version,
        summary: guest.summary,
        config_schema,
        requires: requires
            .map(|d| Dataset { name: d.name, columns: d.columns.into_iter().map(column).collect() })
            .collect(),
        digest,
    }
}

/// A plugin with its options, ready to plan one run.
pub struct Opened {
    plugin: Arc<Ready<LayoutPluginPre<Guest>>>,
    options: String,
    run: RunInfo,
    /// The guest, unless the last call lost it.
    guest: Option<(Instance, ResourceAny)>,
    names: Register,
    log: Vec<LogLine>,
}

impl Opened {
    /// Opens the plugin and lets it check its options.
    pub async fn open(
        plugin: Arc<Ready<LayoutPluginPre<Guest>>>,
        options: String,
        run: RunInfo,
    ) -> Result<Self, LayoutError> {
        let mut opened = Self { plugin, options, run, guest: None, names: Register::default(), log: Vec::new() };
        opened.guest = Some(opened.start().await?);
        Ok(opened)
    }

    async fn start(&mut self) -> Result<(Instance, ResourceAny), LayoutError> {
        let plugin = self.plugin.clone();
        let mut store = store(&plugin, self.run.scheduled.epoch_ms, None);
        let run = convert::run(&self.run);
        let call = async {
            let exports = plugin.component.instantiate_async(&mut store).await?;
            let plan = exports.outflow_plugin_layout().plan().call_open(&mut store, &self.options, &run).await?;
            Ok((exports, plan))
        };
        let answer = started(&plugin, call).await;
        self.log.append(&mut store.data_mut().log);
        match answer {
            Ok((exports, Ok(plan))) => Ok((Instance { store, exports }, plan)),
            Ok((_, Err(found))) => Err(LayoutError::Options(convert::diagnostics(found))),
            Err(failure) => Err(explain(&plugin.name, &failure, store.data(), plugin.limits.memory_bytes)),
        }
    }

    /// The guest, taken out: it comes back with [`Self::keep`] when the call went well.
    async fn guest(&mut self) -> Result<(Instance, ResourceAny), LayoutError> {
        match self.guest.take() {
            Some(guest) => Ok(guest),
            None => self.start().await,
        }
    }

    fn keep<T>(&mut self, mut guest: (Instance, ResourceAny), answer: Result<T, Failure>) -> Result<T, LayoutError> {
        let data = guest.0.store.data_mut();
        self.log.append(&mut data.log);
        match answer {
            Ok(value) => {
                self.guest = Some(guest);
                Ok(value)
            }
            Err(failure) => Err(explain(&self.plugin.name, &failure, data, self.plugin.limits.memory_bytes)),
        }
    }

    fn wrong(&self, why: &str) -> LayoutError {
        failure::answer(&self.plugin.name, why)
    }

    fn artifacts(
        &mut self,
        files: &[Written],
        answer: Result<Vec<convert::Artifact>, String>,
    ) -> Result<Vec<Artifact>, LayoutError> {
        let artifacts = answer.map_err(|why| LayoutError::Refused(convert::readable(&why)))?;
        let artifacts = answer::artifacts(artifacts).map_err(|why| self.wrong(&why))?;
        self.names.artifacts(files, &artifacts).map_err(|why| self.wrong(&why))?;
        Ok(artifacts)
    }
}

#[async_trait::async_trait]
impl Layout for Opened {
    async fn outputs(&mut self, inputs: &[Dataset]) -> Result<Vec<Output>, LayoutError> {
        let inputs: Vec<_> = inputs.iter().map(convert::dataset).collect();
        let mut guest = self.guest().await?;
        let (Instance { store, exports }, plan) = &mut guest;
        let layout = exports.outflow_plugin_layout();
        let answer = timed(&self.plugin, layout.plan().call_outputs(store, *plan, &inputs)).await;
        let outputs = self.keep(guest, answer)?;
        let outputs = outputs.map_err(|found| LayoutError::Options(convert::diagnostics(found)))?;
        answer::outputs(outputs).map_err(|why| self.wrong(&why))
    }

    async fn name_files(&mut self, files: &[(FileIntent, Option<FileFacts>)]) -> Result<Vec<FileName>, LayoutError> {
        let intents: Vec<_> = files.iter().map(|(intent, facts)| convert::intent(intent, facts.as_ref())).collect();
        let mut guest = self.guest().await?;
        let (Instance { store, exports }, plan) = &mut guest;
        let layout = exports.outflow_plugin_layout();
        let answer = timed(&self.plugin, layout.plan().call_name_files(store, *plan, &intents)).await;
        let names = self.keep(guest, answer)?.map_err(|why| LayoutError::Refused(convert::readable(&why)))?;
        if names.len() != files.len() {
            return Err(self.wrong(&format!("{} names for {} files", names.len(), files.len())));
        }
        let names: Vec<_> = names.into_iter().map(convert::name).collect();
        let named = files.iter().map(|(intent, _)| intent).zip(&names);
        self.names.data_files(named).map_err(|why| self.wrong(&why))?;
        Ok(names)
    }

    async fn files_written(&mut self, files: &[Written]) -> Result<Vec<Artifact>, LayoutError> {
        let written: Vec<_> = files.iter().map(convert::written).collect();
        let mut guest = self.guest().await?;
        let (Instance { store, exports }, plan) = &mut guest;
        let layout = exports.outflow_plugin_layout();
        let answer = timed(&self.plugin, layout.plan().call_files_written(store, *plan, &written)).await;
        let answer = self.keep(guest, answer)?;
        self.artifacts(files, answer)
    }

    async fn run_written(&mut self, files: &[Written]) -> Result<Vec<Artifact>, LayoutError> {
        let written: Vec<_> = files.iter().map(convert::written).collect();
        let mut guest = self.guest().await?;
        let (Instance { store, exports }, plan) = &mut guest;
        let layout = exports.outflow_plugin_layout();
        let answer = timed(&self.plugin, layout.plan().call_run_written(store, *plan, &written)).await;
        let answer = self.keep(guest, answer)?;
        self.artifacts(files, answer)
    }

    fn take_log(&mut self) -> Vec<LogLine> {
        std::mem::take(&mut self.log)
    }

    fn memory_bytes(&self) -> Option<usize> {
        self.guest.as_ref().map(|(instance, _)| instance.store.data().memory.used)
    }
}
