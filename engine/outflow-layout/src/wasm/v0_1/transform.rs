//! A transform of version 0.1: one guest at a time, thrown away when it failed and after a number of batches, since
//! its memory never shrinks. What it answers is checked before any of it is used.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::Schema;
use wasmtime::Store;
use wasmtime::component::ResourceAny;

use super::columns::{Children, carrier, pack, unpack};
use super::convert;
use super::transform_bindings::exports::outflow::plugin::transform::{Batch, Io as GuestIo, Manifest, Step};
use super::transform_bindings::{TransformPlugin, TransformPluginPre};
use super::{io, started, store, timed};
use crate::layout::{HIDDEN_PREFIX, LayoutError, LogLine};
use crate::transform::{Applied, Io, MemoryAccount, Mode, Refused};
use crate::wasm::failure::{self, explain};
use crate::wasm::guest::Guest;
use crate::wasm::host::Ready;

type Transforms = Ready<TransformPluginPre<Guest>>;

/// Batches that one guest gets.
const BATCHES: u32 = 1024;

/// Longest code of a reject.
const MAX_CODE: usize = 100;

/// Asks a plugin who it is.
pub async fn describe(plugin: &Transforms) -> Result<Manifest, LayoutError> {
    let mut store = store(plugin, 0, None);
    let call = async {
        let exports = plugin.component.instantiate_async(&mut store).await?;
        exports.outflow_plugin_transform().call_describe(&mut store).await
    };
    let answer = started(plugin, call).await;
    answer.map_err(|failure| explain(&plugin.name, &failure, store.data(), plugin.limits.memory_bytes))
}

/// A guest whose options are read.
struct Running {
    store: Store<Guest>,
    exports: TransformPlugin,
    instance: ResourceAny,
    batches: u32,
}

/// A transform with its options, for rows of certain columns, and what it says it reads and writes.
#[derive(Clone)]
pub struct Declared {
    plugin: Arc<Transforms>,
    options: String,
    input: Vec<convert::Column>,
    io: Arc<Io>,
}

impl Declared {
    /// What it reads and writes.
    pub fn io(&self) -> &Arc<Io> {
        &self.io
    }

    /// The transform for one stream of rows, with a guest of its own on borrowed memory.
    pub fn transform(&self, account: Option<Arc<dyn MemoryAccount>>) -> Transform {
        Transform { declared: self.clone(), account, running: None, log: Vec::new() }
    }
}

/// A transform at work.
pub struct Transform {
    declared: Declared,
    account: Option<Arc<dyn MemoryAccount>>,
    /// The guest, unless the last call lost it or it had its share.
    running: Option<Running>,
    log: Vec<LogLine>,
}

impl Transform {
    /// Opens the plugin, lets it check its options, and asks what it reads and writes.
    pub async fn open(
        plugin: Arc<Transforms>,
        options: String,
        input: &Schema,
        account: Option<Arc<dyn MemoryAccount>>,
    ) -> Result<Self, LayoutError> {
        let visible = input.fields().iter().filter(|field| !field.name().starts_with(HIDDEN_PREFIX));
        let visible: Vec<_> = visible.cloned().collect();
        let column = |field: &arrow::datatypes::FieldRef| convert::Column {
            name: field.name().clone(),
            data_type: shown_type(field.data_type()),
            nullable: field.is_nullable(),
            doc: None,
        };
        let empty = Io { reads: vec![], writes: vec![], drops: vec![], mode: Mode::OneToOne, rows_per_batch: 0 };
        let input = visible.iter().map(column).collect();
        let declared = Declared { plugin, options, input, io: Arc::new(empty) };
        let mut opened = declared.transform(account);
        let (running, answer) = opened.start(true).await?;
        opened.running = Some(running);
        if let Some(answer) = answer {
            let name = &opened.declared.plugin.name;
            opened.declared.io = Arc::new(io::io(name, answer, &Schema::new(visible))?);
        }
        Ok(opened)
    }

    /// The transform without its guest.
    pub fn declared(&self) -> &Declared {
        &self.declared
    }

    /// What it reads and writes.
    pub fn io(&self) -> &Arc<Io> {
        &self.declared.io
    }

    /// Bytes of memory that its guest has by now.
    pub fn memory(&self) -> usize {
        self.running.as_ref().map_or(0, |running| running.store.data().memory.used)
    }

    /// What was logged since the last time this was asked.
    pub fn take_log(&mut self) -> Vec<LogLine> {
        std::mem::take(&mut self.log)
    }

    async fn start(&mut self, declare: bool) -> Result<(Running, Option<GuestIo>), LayoutError> {
        let plugin = self.declared.plugin.clone();
        let mut store = store(&plugin, 0, self.account.clone());
        let call = async {
            let exports = plugin.component.instantiate_async(&mut store).await?;
            let guest = exports.outflow_plugin_transform();
            let opened = guest.instance().call_open(&mut store, &self.declared.options, &self.declared.input).await?;
            let io = match &opened {
                Ok(instance) if declare => Some(guest.instance().call_io(&mut store, *instance).await?),
                _ => None,
            };
            Ok((exports, opened, io))
        };
        let answer = started(&plugin, call).await;
        self.log.append(&mut store.data_mut().log);
        match answer {
            Ok((exports, Ok(instance), io)) => Ok((Running { store, exports, instance, batches: 0 }, io)),
            Ok((_, Err(found), _)) => Err(LayoutError::Options(convert::diagnostics(found))),
            Err(failure) => Err(explain(&plugin.name, &failure, store.data(), plugin.limits.memory_bytes)),
        }
    }

    /// Applies the transform to a batch of the columns it was opened for. A failure costs the guest, not the transform.
    pub async fn apply(&mut self, batch: &RecordBatch) -> Result<Applied, LayoutError> {
        let (columns, refused) = io::read(&self.declared.io, batch).map_err(LayoutError::Refused)?;
        if refused.is_empty() {
            return self.call(&columns, batch.num_rows()).await;
        }
        let bad: std::collections::BTreeSet<u32> = refused.iter().map(|refused| refused.row).collect();
        let rows: UInt32Array = (0..batch.num_rows() as u32).filter(|row| !bad.contains(row)).collect();
        let kept =
            columns.iter().map(|column| take(column, &rows, None).map_err(internal)).collect::<Result<Vec<_>, _>>();
        let mut applied = self.call(&kept?, rows.len()).await?;
        // The guest counted the rows that it was given.
        applied.refused.iter_mut().for_each(|refused| refused.row = rows.value(refused.row as usize));
        applied.refused.extend(refused);
        applied.refused.sort_by_key(|refused| refused.row);
        applied.source = Some(match applied.source {
            None => rows,
            Some(source) => source.values().iter().map(|&row| rows.value(row as usize)).collect(),
        });
        Ok(applied)
    }

    async fn call(&mut self, columns: &[ArrayRef], rows: usize) -> Result<Applied, LayoutError> {
        let mut batch = Batch { rows: rows as u32, columns: Vec::with_capacity(columns.len()), children: Vec::new() };
        for column in columns {
            batch.columns.push(pack(column, &mut batch.children).map_err(LayoutError::Refused)?);
        }
        let mut running = match self.running.take() {
            Some(running) => running,
            None => self.start(false).await?.0,
        };
        let Running { store, exports, instance, .. } = &mut running;
        let guest = exports.outflow_plugin_transform();
        let answer = timed(&self.declared.plugin, guest.instance().call_apply(&mut *store, *instance, &batch)).await;
        self.log.append(&mut store.data_mut().log);
        let answer = answer.map_err(|failure| {
            explain(&self.declared.plugin.name, &failure, store.data(), self.declared.plugin.limits.memory_bytes)
        })?;
        running.batches += 1;
        if running.batches < BATCHES {
            self.running = Some(running);
        }
        let step = answer.map_err(|why| LayoutError::Refused(convert::readable(&why)))?;
        answered(step, rows, &self.declared.io).map_err(|why| failure::answer(&self.declared.plugin.name, &why))
    }
}

fn internal(error: arrow::error::ArrowError) -> LayoutError {
    LayoutError::Plugin { code: "plugin/engine", message: error.to_string() }
}

/// How guests are told a type: text has one name.
fn shown_type(data_type: &arrow::datatypes::DataType) -> String {
    match io::engine_type(data_type) {
        arrow::datatypes::DataType::Utf8View => "Utf8".to_owned(),
        other => other.to_string(),
    }
}

/// The answer to a batch of `rows` rows, checked.
pub(super) fn answered(step: Step, rows: usize, io: &Io) -> Result<Applied, String> {
    let Step { batch, source_row, rejects } = step;
    let given = batch.rows as usize;
    if batch.columns.len() != io.writes.len() {
        return Err(format!("{} columns, and `writes` declares {}", batch.columns.len(), io.writes.len()));
    }
    let source = sources(source_row, given, rows, io.mode)?;
    let mut children = Children::new(batch.children);
    let mut columns = Vec::with_capacity(io.writes.len());
    for (array, field) in batch.columns.into_iter().zip(&io.writes) {
        let plain = carrier(field.data_type()).ok_or("a type that cannot cross")?;
        let column = unpack(array, given, &plain, &mut children).and_then(|column| io::written(&column, field));
        columns.push(column.map_err(|why| format!("column `{}`: {why}", field.name()))?);
    }
    if children.are_left() {
        return Err("it has children that belong to no list".to_owned());
    }
    let refused = refused(rejects, rows)?;
    if refused.is_empty() {
        return Ok(Applied { columns, source, refused });
    }
    without_refused(columns, source, refused, given)
}

/// Leaves out what came from refused rows.
fn without_refused(
    columns: Vec<ArrayRef>,
    source: Option<UInt32Array>,
    refused: Vec<Refused>,
    given: usize,
) -> Result<Applied, String> {
    let is_refused = |row: u32| refused.binary_search_by_key(&row, |refused| refused.row).is_ok();
    let origin = |row: u32| source.as_ref().map_or(row, |source| source.value(row as usize));
    let kept: UInt32Array = (0..given as u32).filter(|&row| !is_refused(origin(row))).collect();
    let source = kept.values().iter().map(|&row| origin(row)).collect();
    let columns = columns.iter().map(|column| take(column, &kept, None).map_err(|error| error.to_string()));
    Ok(Applied { columns: columns.collect::<Result<_, _>>()?, source: Some(source), refused })
}

/// The rows that the given ones came from. They stand in the order of the input.
fn sources(rows: Option<Vec<u32>>, given: usize, taken: usize, mode: Mode) -> Result<Option<UInt32Array>, String> {
    let Some(rows) = rows else {
        return match mode {
            Mode::OneToOne if given == taken => Ok(None),
            Mode::OneToOne => Err(format!("{given} rows for {taken}, and it declares one to one")),
            Mode::Filter | Mode::Expand => Err("no `source-row`, which filter and expand need".to_owned()),
        };
    };
    if mode == Mode::OneToOne {
        return Err("`source-row`, and it declares one to one".to_owned());
    }
    if rows.len() != given {
        return Err(format!("{} source rows for {given} rows", rows.len()));
    }
    if let Some(row) = rows.iter().find(|&&row| row as usize >= taken) {
        return Err(format!("it names row {row} of a batch of {taken}"));
    }
    let in_order = |pair: &[u32]| if mode == Mode::Filter { pair[0] < pair[1] } else { pair[0] <= pair[1] };
    if !rows.windows(2).all(in_order) {
        let each = if mode == Mode::Filter { ", each once" } else { "" };
        return Err(format!("its source rows are not in the order of the input{each}"));
    }
    Ok(Some(rows.into()))
}

fn refused(
    rejects: Vec<super::transform_bindings::exports::outflow::plugin::transform::Reject>,
    rows: usize,
) -> Result<Vec<Refused>, String> {
    if let Some(reject) = rejects.iter().find(|reject| reject.row as usize >= rows) {
        return Err(format!("it rejects row {} of a batch of {rows}", reject.row));
    }
    if let Some(reject) = rejects.iter().find(|reject| !is_code(&reject.code)) {
        let shown: String = convert::readable(&reject.code).chars().take(MAX_CODE).collect();
        return Err(format!("`{shown}` is no code for a reject; write lower-case words, `plugin-name/reason`"));
    }
    let one = |reject: super::transform_bindings::exports::outflow::plugin::transform::Reject| Refused {
        row: reject.row,
        code: reject.code,
        message: convert::readable(&reject.message),
    };
    let mut refused: Vec<Refused> = rejects.into_iter().map(one).collect();
    refused.sort_by_key(|refused| refused.row);
    match refused.windows(2).find(|pair| pair[0].row == pair[1].row) {
        Some(pair) => Err(format!("it rejects row {} twice", pair[0].row)),
        None => Ok(refused),
    }
}

fn is_code(code: &str) -> bool {
    (1..=MAX_CODE).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_/".contains(&byte))
}
