//! Source to spool: learn the columns, plan, write files; and do it again with wider columns when the rows
//! turn out to hold more than the head of the input told.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use outflow_formats::format::Compression;
use outflow_layout::layout::Layout;
use tokio::sync::Mutex;

use crate::dead_letter::DeadLetter;
use crate::error::{Error, Result};
use crate::pipeline::Pipeline;
use crate::plan;
use crate::progress::Progress;
use crate::source::files::FilesInput;
use crate::source::listing::InputFile;
use crate::spool::{Spool, SpooledFile};
use crate::transform::TransformContext;

/// What is extracted.
pub struct Extraction<'a> {
    /// The pipeline.
    pub pipeline: &'a Pipeline,
    /// The listed input.
    pub inputs: &'a [InputFile],
    /// The logical instant.
    pub scheduled: Timestamp,
    /// Bytes that operators which hold rows may use.
    pub memory: usize,
    /// Stops after so many rows of the source; for previews.
    pub limit: Option<usize>,
    /// Leaves containers off and hides personal values; for previews.
    pub view: View,
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

/// Fills the spool and the dead letter. Gives the files and the rows read.
pub async fn extract(
    extraction: &Extraction<'_>,
    spool: &Spool<'_>,
    layout: &mut dyn Layout,
    dead: &Arc<DeadLetter>,
) -> Result<(Vec<SpooledFile>, u64)> {
    let pipeline = extraction.pipeline;
    let outflow_spec::source::SourceSpec::Files(source) = &pipeline.spec.source;
    let layout = Mutex::new(layout);
    let mut input = FilesInput::open(source, extraction.inputs).await?;
    loop {
        let session = plan::session(extraction.memory)?;
        let context = TransformContext {
            index: 0,
            at: extraction.scheduled,
            timezone: pipeline.zone().clone(),
            rejects: dead.clone(),
        };
        let table = input.table(dead.clone(), extraction.limit, extraction.progress.clone());
        let rows = plan::rows(&session, table.clone(), &pipeline.spec.transforms, &context).await?;
        let outputs = layout.lock().await.outputs(&[plan::dataset(&rows)]).await?;
        let [output] = <[_; 1]>::try_from(outputs).map_err(|outputs| {
            Error::user(format!("the layout asks for {} outputs of one source; this version writes one", outputs.len()))
        })?;
        let mut laid = plan::output(rows, output, dead).await?;
        if extraction.view != View::Delivered {
            laid.output.compression = Compression::None;
        }
        if extraction.view == View::Masked {
            laid = plan::masked(laid)?;
        }
        let planned = laid.planned().await?;
        let files = spool.write(planned, &layout, 0).await.map_err(Error::while_running)?;
        if !input.widen(&table.surprises())? {
            dead.finish()?;
            return Ok((files, table.rows_read()));
        }
        dead.clear()?;
        empty(spool.folder)?;
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
