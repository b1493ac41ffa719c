//! One extraction for the slots of a window that may share it, and what each slot gets of it: its data files as
//! links to the same bytes, and companions that speak of its own target. Publishes nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use outflow_formats::digest::Algorithm;
use outflow_layout::layout::{Dataset, Layout, LogLine};

use super::Work;
use super::due::Due;
use super::phases::Phases;
use crate::dead_letter::DeadLetter;
use crate::delivery;
use crate::error::{Error, Result};
use crate::extract::{self, Extracted, Extraction, View};
use crate::ledger::{LastNumbers, Manifest, Role, SealedFile, Slot, make_private, positions, spool_folder};
use crate::membership::Membership;
use crate::report::{self, RejectsReport, RowsReport, TransformReport};
use crate::source::Input;
use crate::source::arrivals::{Arrived, Known};
use crate::spool::{self, Spool, SpooledFile};
use crate::store::Sink;
use crate::transform::Notes;
use crate::window::Watermark;

/// A slot to fill.
pub(super) struct Place {
    /// The number of its sink.
    pub(super) goal: usize,
    /// Its sink.
    pub(super) sink: Arc<dyn Sink>,
    /// The slot.
    pub(super) slot: Slot,
    /// The numbers that its names go on from.
    pub(super) numbers: LastNumbers,
}

/// Slots that one extraction may fill: their names are drawn alike.
pub(super) fn alike(places: Vec<Place>) -> Vec<Vec<Place>> {
    let mut groups: Vec<Vec<Place>> = Vec::new();
    for place in places {
        let drawn = |place: &Place| {
            let plan = &place.slot.plan;
            (plan.run_id.clone(), plan.scheduled_ms, plan.nonce_seed.clone())
        };
        let fits = |group: &&mut Vec<Place>| drawn(&group[0]) == drawn(&place) && group[0].numbers == place.numbers;
        match groups.iter_mut().find(fits) {
            Some(group) => group.push(place),
            None => groups.push(vec![place]),
        }
    }
    groups
}

/// What an extraction made.
pub(super) struct Made {
    files: Vec<SpooledFile>,
    columns: Vec<Dataset>,
    counters: Vec<(String, u64)>,
    layout: Box<dyn Layout>,
    notes: Arc<Notes>,
    watermark: Option<Watermark>,
    seen: Vec<(String, Known)>,
    /// Datasets of the outputs, in order.
    pub(super) datasets: Vec<String>,
    /// Rows by what became of them.
    pub(super) rows: RowsReport,
    /// Rejected rows.
    pub(super) rejects: RejectsReport,
    /// What transforms counted.
    pub(super) transforms: Vec<TransformReport>,
    /// Times the input was read.
    pub(super) reads: u64,
    /// What the layout had to say.
    pub(super) warnings: Vec<String>,
}

impl Work<'_> {
    /// What files are sealed with: what a target, a reader or the layout asks for, or what is quick.
    fn algorithm(&self, layout: &dyn Layout, places: &[Place]) -> Algorithm {
        let told = self.pipeline.spec.delivery.checksums.is_some() || layout.needs_sha256();
        if told || places.iter().any(|place| place.sink.digest() == Algorithm::Sha256) {
            return Algorithm::Sha256;
        }
        Algorithm::Xxh3
    }

    /// Extracts a window into the spool of the first slot.
    pub(super) async fn extract(
        &self,
        due: &Due,
        places: &[Place],
        found: &Input,
        letters: PathBuf,
        clock: &mut Phases<'_>,
    ) -> Result<Made> {
        let Place { slot, numbers, .. } = &places[0];
        let scheduled = timestamp(slot.plan.scheduled_ms)?;
        let info = self.pipeline.run_info_of(&slot.plan.run_id, scheduled, due.window());
        let mut layout = self.pipeline.open_layout(&info).await?;
        let folder = spool_folder(&self.options.state, slot);
        empty_folder(&folder)?;
        let membership = match self.pipeline.compares() {
            true => Membership::of(&self.options.state, due.last.as_ref(), slot)?,
            false => Membership::default(),
        };
        let notes = Arc::new(Notes { membership, ..Notes::default() });
        clock.begin("extract", found.bytes());
        let extraction = Extraction {
            pipeline: self.pipeline,
            input: found,
            wanted: due.range.as_ref().map(|range| range.wanted.clone()),
            scheduled,
            memory: self.options.memory,
            limit: None,
            view: View::Delivered,
            numbers,
            notes: notes.clone(),
            progress: self.progress,
        };
        let limit = self.options.max_rejects.or(self.pipeline.spec.delivery.max_rejects);
        let dead = Arc::new(DeadLetter::create(&letters, limit).hiding(self.options.hidden.clone()));
        let algorithm = self.algorithm(layout.as_ref(), places);
        let spool = Spool::new(&folder, &slot.plan.nonce_seed, algorithm, self.progress.as_ref());
        let extracted = tokio::select! {
            biased;
            () = self.options.stop.cancelled() => return Err(stopped()),
            extracted = extract::extract(&extraction, &spool, layout.as_mut(), &dead) => extracted?,
        };
        found.still_there(due.range.is_some()).await?;
        let (watermark, warnings) = (self.watermark(due, &extracted)?, untold(&extracted.arrived));
        let written = extracted.files.iter().map(SpooledFile::rows).sum();
        Ok(Made {
            columns: extracted.columns,
            counters: extracted.counters,
            layout,
            datasets: extracted.datasets,
            rows: RowsReport {
                read: extracted.rows,
                rejected: dead.count(),
                written,
                late_rows: due.range.as_ref().map(|_| extracted.arrived.late),
            },
            rejects: rejects(&dead, &letters),
            transforms: notes.tally.report(),
            reads: extracted.reads,
            warnings: [warnings, notes.remarks.report()].concat(),
            watermark,
            seen: extracted.arrived.seen,
            files: extracted.files,
            notes,
        })
    }

    /// Where the next window begins once this one is delivered: behind windows that hold no row too, unless each of
    /// those has its files.
    fn watermark(&self, due: &Due, extracted: &Extracted) -> Result<Option<Watermark>> {
        let (Some(range), Some(schedule)) = (&due.range, self.pipeline.schedule()) else { return Ok(None) };
        let Some(floor) = range.wanted.late_from.clone() else { return Ok(None) };
        let window = &range.wanted.window;
        let position = match extracted.writes_when_empty || !extracted.arrived.tells_next {
            true => window.hi.clone(),
            false => schedule.over_empty(window, extracted.arrived.next, &range.high)?,
        };
        Ok(Some(Watermark { position, floor }))
    }

    /// Seals what a slot publishes; one without files stays as it is, and so does one that was sealed elsewhere.
    /// `leads`: the files lie in its spool already.
    pub(super) async fn seal(&self, due: &Due, made: &mut Made, place: &mut Place, leads: bool) -> Result<Manifest> {
        let files = self.files(due, made, place, leads).await?;
        let mut remembered = made.notes.membership.remembered(&due.input, &due.key)?;
        if let Some(watermark) = &made.watermark {
            remembered.push((positions::name(&due.scope), to_json(watermark)?));
        }
        let manifest = Manifest { files, counters: made.counters.clone(), remembered, seen: made.seen.clone() };
        // A window without rows is delivered without files: the next one begins where it ends.
        let publishes = !manifest.files.is_empty() || due.range.is_some();
        if publishes && !place.slot.state.is_pinned() {
            self.ledger.spooled(&mut place.slot).await?;
            delivery::seal(self.ledger, &self.options.state, &mut place.slot, &manifest).await?;
        }
        Ok(manifest)
    }

    /// The files of a slot in its spool folder, companions last.
    pub(super) async fn files(
        &self,
        due: &Due,
        made: &mut Made,
        place: &Place,
        leads: bool,
    ) -> Result<Vec<SealedFile>> {
        let folder = spool_folder(&self.options.state, &place.slot);
        if !leads {
            empty_folder(&folder)?;
        }
        let mut files = made.files.iter().cloned().filter_map(sealed_data).collect::<Vec<_>>();
        if !leads {
            files.iter_mut().try_for_each(|file| link(file, &folder))?;
        }
        if !files.is_empty() {
            self.companions(due, made, place, &folder, &mut files).await?;
        }
        let serious = made.layout.take_log().into_iter().filter(LogLine::is_serious);
        made.warnings.extend(serious.map(|line| line.message));
        files.iter_mut().zip(0..).for_each(|(file, ordinal)| file.ordinal = ordinal);
        Ok(files)
    }

    /// Adds the layout's companions for the slot's target, written beside the data files.
    async fn companions(
        &self,
        due: &Due,
        made: &mut Made,
        place: &Place,
        folder: &Path,
        files: &mut Vec<SealedFile>,
    ) -> Result<()> {
        let target = place.sink.target();
        let scheduled = timestamp(place.slot.plan.scheduled_ms)?;
        let mut info = self.pipeline.run_info_of(&place.slot.plan.run_id, scheduled, due.window());
        let mut other;
        let layout: &mut dyn Layout = if info.target == *target {
            made.layout.as_mut()
        } else {
            info.target = target.clone();
            other = self.pipeline.open_layout(&info).await?;
            other.outputs(&made.columns).await?;
            other.as_mut()
        };
        let mut artifacts = spool::checksums(self.pipeline.spec.delivery.checksums, &made.files)?;
        artifacts.extend(spool::companions(layout, &made.files, target).await?);
        for artifact in artifacts {
            let spool_path = folder.join(format!("{:06}", files.len()));
            write_synced(&spool_path, &artifact.body)?;
            files.push(SealedFile {
                ordinal: 0,
                role: Role::Companion,
                path: artifact.path,
                spool_path,
                rows: 0,
                bytes: artifact.body.len() as u64,
                digest: Algorithm::Sha256.of(&artifact.body),
                content_type: Some(artifact.content_type),
                metadata: Vec::new(),
                details: "null".to_owned(),
            });
        }
        Ok(())
    }
}

/// What a person has to know of files that were written anew.
fn untold(arrived: &Arrived) -> Vec<String> {
    match arrived.untold {
        0 => Vec::new(),
        rows => vec![format!(
            "files that were written anew hold {rows} rows before the window; they were taken for delivered"
        )],
    }
}

fn to_json(watermark: &Watermark) -> Result<String> {
    serde_json::to_string(watermark).map_err(|cause| Error::internal("a watermark cannot be written").caused_by(cause))
}

fn sealed_data(file: SpooledFile) -> Option<SealedFile> {
    let rows = file.rows();
    let details = report::details(&file);
    // Every file has a part; the first names it, and all tell the size and digest of the whole.
    let part = file.parts.into_iter().next()?;
    Some(SealedFile {
        ordinal: 0,
        role: Role::Data,
        path: part.name.path,
        spool_path: file.path,
        rows,
        bytes: part.facts.bytes,
        digest: part.facts.digest,
        content_type: part.name.content_type,
        metadata: part.name.metadata,
        details,
    })
}

/// Puts a data file into another slot's spool too: as a link, or as a copy where the disk knows none.
fn link(file: &mut SealedFile, folder: &Path) -> Result<()> {
    let own = folder.join(file.spool_path.file_name().unwrap_or_default());
    let linked =
        std::fs::hard_link(&file.spool_path, &own).or_else(|_| std::fs::copy(&file.spool_path, &own).map(drop));
    linked.map_err(|cause| Error::external(format!("cannot prepare the spool file `{}`: {cause}", own.display())))?;
    file.spool_path = own;
    Ok(())
}

fn rejects(dead: &DeadLetter, path: &Path) -> RejectsReport {
    let codes = dead.codes();
    RejectsReport { path: (!codes.is_empty()).then(|| path.display().to_string()), codes }
}

/// An instant as the ledger keeps it.
pub(super) fn timestamp(ms: i64) -> Result<Timestamp> {
    Timestamp::from_millisecond(ms)
        .map_err(|cause| Error::internal("the ledger holds an impossible time").caused_by(cause))
}

fn empty_folder(folder: &Path) -> Result<()> {
    let failed =
        |cause: std::io::Error| Error::external(format!("cannot prepare the spool `{}`: {cause}", folder.display()));
    match std::fs::remove_dir_all(folder) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => Err(failed(cause)),
        _ => make_private(folder),
    }
}

fn write_synced(path: &Path, body: &[u8]) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::File::create_new(path)?;
        std::io::Write::write_all(&mut file, body)?;
        file.sync_all()
    };
    write().map_err(|cause| Error::external(format!("cannot write `{}`: {cause}", path.display())))
}

fn stopped() -> Error {
    Error::transient("stopped before anything of this window was sealed").hint("run again: the window begins anew")
}
