//! Source to spool: learn the columns, plan, write the files of every output in one pass over the rows; and do it
//! again with wider columns when the rows turn out to hold more than the head of the input told.

use std::path::Path;
use std::sync::Arc;

use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit};
use datafusion::physical_plan::common::spawn_buffered;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::{DataFrame, SessionContext};
use futures::future::{try_join_all, try_join3};
use jiff::Timestamp;
use outflow_formats::format::Compression;
use outflow_formats::workers::threads;
use outflow_layout::layout::{Dataset, Layout, Output};
use outflow_spec::delivery::OnEmpty;
use tokio::sync::Mutex;

use crate::counters::Counters;
use crate::dead_letter::DeadLetter;
use crate::encrypt::Encryption;
use crate::error::{Error, Result};
use crate::lane::{self, Road};
use crate::ledger::LastNumbers;
use crate::pipeline::Pipeline;
use crate::plan::{self, Flow, LaidOutput, Lanes, PlannedOutput};
use crate::progress::Progress;
use crate::source::arrivals::{Arrived, Wanted};
use crate::source::files::FilesTable;
use crate::source::{Asked, Input, InputTable, Reading};
use crate::spool::{self, Spool, SpooledFile, running};
use crate::tee::Tee;
use crate::transform::{Notes, TransformContext};
use crate::unseen::Unseen;

/// Batches of an output that may wait for its files.
const WAITING: usize = 2;

/// What is extracted.
pub struct Extraction<'a> {
    /// The pipeline.
    pub pipeline: &'a Pipeline,
    /// What the source has to read.
    pub input: &'a Input,
    /// The rows that are wanted; unset: all.
    pub wanted: Option<Wanted>,
    /// The logical instant.
    pub scheduled: Timestamp,
    /// Bytes of memory. Half of them are for rows that operators and files hold and for transform plugins; batches on their way and
    /// the program itself have the rest.
    pub memory: usize,
    /// Stops after so many rows of the source; for previews.
    pub limit: Option<usize>,
    /// Leaves containers off and hides personal values; for previews.
    pub view: View,
    /// The numbers that the layout's counters go on from.
    pub numbers: &'a LastNumbers,
    /// Where transforms leave what they counted and remember.
    pub notes: Arc<Notes>,
    /// Who watches.
    pub progress: &'a Arc<dyn Progress>,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// As they are delivered.
    Delivered,
    /// Without container.
    Bare,
    /// Without container, personal values hidden.
    Masked,
}

/// What came of an extraction.
#[derive(Debug)]
pub struct Extracted {
    /// The files of all outputs, in the order of these.
    pub files: Vec<SpooledFile>,
    /// Rows read, rejected ones included.
    pub rows: u64,
    /// Times the input was read from its beginning.
    pub reads: u64,
    /// What the layout saw of the rows.
    pub columns: Vec<Dataset>,
    /// Datasets of the outputs, in order.
    pub datasets: Vec<String>,
    /// What the reading of a window came to.
    pub arrived: Arrived,
    /// Whether a window without rows has files all the same.
    pub writes_when_empty: bool,
    /// The last number drawn of each counter, for the commit.
    pub counters: Vec<(String, u64)>,
}

/// Fills the spool and the dead letter.
pub async fn extract(
    extraction: &Extraction<'_>,
    spool: &Spool<'_>,
    layout: &mut dyn Layout,
    dead: &Arc<DeadLetter>,
) -> Result<Extracted> {
    let pipeline = extraction.pipeline;
    let layout = Mutex::new(layout);
    let encryption = Encryption::of(pipeline, Timestamp::now())?;
    let mut input = extraction.input.clone();
    input.open().await?;
    if let Some(wanted) = &extraction.wanted {
        input.select(wanted).await?;
    }
    let mut reads = 0;
    loop {
        let session = plan::session(extraction.memory / 2)?;
        let context = TransformContext {
            index: 0,
            at: extraction.scheduled,
            timezone: pipeline.zone().clone(),
            rejects: dead.clone(),
            base: pipeline.base.clone(),
            notes: extraction.notes.clone(),
            offline: false,
        };
        let table = input.table(Reading {
            dead_letter: dead.clone(),
            limit: extraction.limit,
            progress: extraction.progress.clone(),
        });
        // A transform may read its rows more than once; the source is read once even then.
        let mut source = Tee::new(session.read_table(table.provider()).map_err(running)?);
        let rows = plan::rows(&session, source.table(), &pipeline.spec.transforms, &context).await?;
        let columns = vec![plan::dataset(&rows)];
        let mut outputs = layout.lock().await.outputs(&columns).await?;
        outputs.iter_mut().for_each(|output| when_empty(pipeline.spec.delivery.on_empty, output));
        if let (Some(_), Some(output)) = (&encryption, outputs.iter().find(|output| output.name_after)) {
            return Err(named_after(output));
        }
        if outputs.is_empty() {
            return Err(Error::user("the layout asks for no output of these columns"));
        }
        let datasets = outputs.iter().map(|output| output.dataset.clone()).collect();
        let writes_when_empty = outputs.iter().any(|output| output.write_when_empty);
        let counters = Counters::for_outputs(extraction.numbers, &outputs)?;
        let rows = plan::kept(rows, &outputs, dead)?;
        let writing = Writing { session, view: extraction.view, counters: counters.clone(), dead };
        let files = writing.run(&table, source, rows, outputs, spool, &layout).await?;
        reads += table.reads();
        if !input.widen(&table)? {
            dead.finish()?;
            let mut files = spool::merge(files).await?;
            let is_delivery = extraction.view == View::Delivered;
            // Of rows that were left out nothing is known, and nothing is delivered.
            let arrived = if extraction.limit.is_none() { table.arrived()? } else { Arrived::default() };
            if is_delivery && pipeline.spec.delivery.on_empty == OnEmpty::Fail {
                refuse_none(&files)?;
            }
            match encryption {
                Some(encryption) if is_delivery => files = encryption.apply(files).await?,
                Some(encryption) => encryption.rename(&mut files),
                None => {}
            }
            return Ok(Extracted {
                files,
                rows: table.rows_read(),
                reads,
                columns,
                datasets,
                arrived,
                writes_when_empty,
                counters: counters.drawn(),
            });
        }
        dead.clear()?;
        extraction.notes.tally.clear();
        extraction.notes.remarks.clear();
        empty(spool.folder)?;
    }
}

/// What `on_empty` makes of an output.
fn when_empty(policy: OnEmpty, output: &mut Output) {
    match policy {
        OnEmpty::Layout => {}
        OnEmpty::Skip | OnEmpty::Fail => output.write_when_empty = false,
        OnEmpty::HeaderOnly => output.write_when_empty = true,
    }
}

fn refuse_none(files: &[SpooledFile]) -> Result<()> {
    if files.iter().any(|file| file.rows() > 0) {
        return Ok(());
    }
    let error = Error::external("there is no row to deliver, and this pipeline is never empty (`on_empty: fail`)");
    Err(error.hint("look at what fills its source; nothing was published").while_running())
}

fn named_after(output: &Output) -> Error {
    Error::user(format!("output `{}`: its names tell of the file before it is encrypted", output.dataset))
        .hint("leave rows, bytes and digests out of names; companions tell those of the encrypted file")
}

/// How the outputs are written.
struct Writing<'a> {
    session: SessionContext,
    view: View,
    counters: Arc<Counters>,
    dead: &'a Arc<DeadLetter>,
}

/// An output whose plan is made and not begun.
struct Ready {
    laid: LaidOutput,
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
}

/// What lanes begin with.
struct Begun {
    table: Arc<FilesTable>,
    asked: Asked,
    most: usize,
}

impl Writing<'_> {
    /// Writes the files of every output, in one pass over the source.
    async fn run(
        &self,
        table: &InputTable,
        source: Tee,
        rows: DataFrame,
        outputs: Vec<Output>,
        spool: &Spool<'_>,
        layout: &Mutex<&mut dyn Layout>,
    ) -> Result<Vec<SpooledFile>> {
        let beside = outputs.len() > 1;
        let mut tee = Tee::new(rows);
        let mut ready = Vec::with_capacity(outputs.len());
        for output in outputs {
            let rows = self.session.read_table(tee.table()).map_err(running)?;
            ready.push(self.ready(rows, output).await?);
        }
        // Plans are made from the files up to the source, so that each knows its readers; rows flow the other way.
        let pass = tee.plan().await.map_err(Error::while_running)?;
        let read = source.plan().await.map_err(Error::while_running)?;
        let mut lanes = match ready.as_slice() {
            [ready] if pass.carries() && read.carries() => self.lanes(table, [read.plan(), pass.plan()], ready),
            _ => None,
        };
        let (read, pass) = (read.start()?, pass.start()?);
        let begin = |ready| self.begin(ready, beside, lanes.take());
        let planned = ready.into_iter().map(begin).collect::<Result<Vec<_>>>()?;
        let writes = planned.into_iter().enumerate().map(|(number, planned)| spool.write(planned, layout, number));
        // The first failure of any ends all.
        let passed = try_join3(read.ended(), pass.ended(), try_join_all(writes)).await;
        let ((), (), files) = passed.map_err(Error::while_running)?;
        Ok(files.into_iter().flatten().collect())
    }

    /// What lanes to a lone output begin with, if its plan lets there be any, and memory as many as are worth it.
    fn lanes(&self, table: &InputTable, before: [&dyn ExecutionPlan; 2], ready: &Ready) -> Option<Begun> {
        let table = table.carries().filter(|_| lane::carries(ready.plan.as_ref()))?;
        let plans = [before[0], before[1], ready.plan.as_ref()];
        let pool = self.session.runtime_env().memory_pool.clone();
        let room = match pool.memory_limit() {
            MemoryLimit::Finite(bytes) => bytes.saturating_sub(pool.reserved()) / 2,
            MemoryLimit::Infinite | MemoryLimit::Unknown => usize::MAX,
        };
        let holds = plans.iter().map(|plan| lane::holds(*plan)).sum();
        let most = room.checked_div(holds).unwrap_or(usize::MAX);
        let (columns, format) = (ready.laid.schema.fields().len(), &ready.laid.output.format);
        let unseen = Unseen::of(&plans, columns, table.files(), format);
        let asked = Asked { schema: lane::beginning(plans[0]), unseen };
        (most >= threads().min(2)).then(|| Begun { table: table.clone(), asked, most })
    }

    async fn ready(&self, rows: DataFrame, output: Output) -> Result<Ready> {
        let mut laid = plan::output(rows, output, self.dead).await?;
        if self.view != View::Delivered {
            laid.output.compression = Compression::None;
        }
        if self.view == View::Masked {
            laid = plan::masked(laid)?;
        }
        let context = Arc::new(laid.frame.task_ctx());
        let plan = laid.frame.clone().create_physical_plan().await;
        let plan = plan.map_err(|cause| running(cause).while_running())?;
        Ok(Ready { laid, plan, context })
    }

    /// Lets the rows of an output flow; in a task of its own where it runs beside others.
    fn begin(&self, ready: Ready, beside: bool, lanes: Option<Begun>) -> Result<PlannedOutput> {
        let Ready { laid, plan, context } = ready;
        let rows = match lanes {
            Some(Begun { table, asked, most }) => {
                Flow::Lanes(Lanes { table, asked, road: Road::new(plan, context, most) })
            }
            None => {
                let rows = execute_stream(plan, context).map_err(|cause| running(cause).while_running())?;
                Flow::Batches(if beside { spawn_buffered(rows, WAITING) } else { rows })
            }
        };
        let counters = self.counters.of(&laid.output);
        let pool = self.session.runtime_env().memory_pool.clone();
        let waiting = MemoryConsumer::new("rows that wait for their files").register(&pool);
        Ok(PlannedOutput { output: laid.output, rows, schema: laid.schema, counters, waiting })
    }
}

fn empty(folder: &Path) -> Result<()> {
    let clear = || -> std::io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            std::fs::remove_file(entry?.path())?;
        }
        Ok(())
    };
    clear().map_err(|cause| Error::external(format!("cannot clear the spool `{}`: {cause}", folder.display())))
}

#[cfg(test)]
mod tests;
