//! How a report comes to be while a run goes on: what is told of a window and a sink adds to what was told before.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    DeliveryReport, FailureReport, FileReport, LayoutReport, OutputReport, RejectsReport, RowsReport, RunReport,
    SCHEMA, Status, TransformReport,
};
use crate::delivery::Recovery;
use crate::error::Error;
use crate::ledger::{Manifest, Role, Slot};
use crate::pipeline::Pipeline;
use crate::store::Sink;

impl RunReport {
    /// The report of a run that has done nothing yet.
    pub fn begun(pipeline: &Pipeline, run_id: &str, now: Timestamp) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            run_id: run_id.to_owned(),
            pipeline: pipeline.name(),
            status: Status::AlreadyDelivered,
            scheduled: now,
            window: String::new(),
            target: String::new(),
            deliveries: Vec::new(),
            layout: LayoutReport {
                name: pipeline.layout.name.clone(),
                version: pipeline.layout.version.clone(),
                digest: pipeline.layout.digest.clone(),
            },
            rows: RowsReport::default(),
            transforms: Vec::new(),
            rejects: RejectsReport::default(),
            outputs: Vec::new(),
            files: Vec::new(),
            recovered: Vec::new(),
            inputs: Vec::new(),
            reads: 0,
            phases: Vec::new(),
            retired: 0,
            warnings: Vec::new(),
        }
    }

    /// What is told of a run that ended with an error, whose words hold nothing to hide.
    pub fn failed(run_id: &str, pipeline: &str, message: &str, error: &Error) -> serde_json::Value {
        serde_json::json!({
            "schema": SCHEMA, "run_id": run_id, "pipeline": pipeline, "status": "failed",
            "error": message, "domain": error.domain(), "retry": error.retry(), "class": error.class(),
        })
    }

    /// Tells what earlier runs left and recovery made of it.
    pub fn tell_recovery(&mut self, recovery: &Recovery) {
        self.recovered = recovery.published.iter().map(|(slot, _)| slot.key.window.clone()).collect();
        self.warnings.extend(recovery.published.iter().filter_map(|(_, published)| published.warning()));
        for slot in &recovery.quarantined {
            let reason = slot.reason.as_deref().unwrap_or("no reason is recorded");
            self.warnings.push(format!("an unfinished delivery was set aside: {reason}"));
        }
        for slot in &recovery.unspooled {
            let window = &slot.key.window;
            self.warnings
                .push(format!("the sealed files of an unfinished delivery of {window} are not in this state folder"));
        }
        for slot in &recovery.stranded {
            self.warnings.push(format!(
                "an unfinished delivery waits for its target {}, which the pipeline no longer has",
                slot.key.target
            ));
        }
    }

    /// Tells a delivery that is there already, or that recovery has just finished.
    pub fn tell_known(&mut self, pipeline: &Pipeline, slot: &Slot, manifest: &Manifest, sink: &dyn Sink) {
        let recovered = self.recovered.contains(&slot.key.window);
        let status = if recovered { Status::Delivered } else { Status::AlreadyDelivered };
        let first = self.deliveries.iter().all(|delivery| delivery.window != slot.key.window);
        self.tell_delivery(slot, manifest, sink, status, first.then_some(&[]));
        let changed = [
            (slot.plan.config_hash != pipeline.digest, "the pipeline file"),
            (slot.plan.layout_digest != pipeline.layout.digest, "the layout's code"),
        ];
        for (_, what) in changed.iter().filter(|(changed, _)| *changed) {
            let warning = format!("{what} has changed since this window was delivered");
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
    }

    /// Adds what an extraction came to.
    pub fn tell_extraction(
        &mut self,
        rows: &RowsReport,
        rejects: &RejectsReport,
        transforms: &[TransformReport],
        reads: u64,
    ) {
        self.reads += reads;
        self.rows.read += rows.read;
        self.rows.rejected += rows.rejected;
        self.rows.written += rows.written;
        if let Some(late) = rows.late_rows {
            *self.rows.late_rows.get_or_insert_default() += late;
        }
        if self.rejects.path.is_none() {
            self.rejects.path.clone_from(&rejects.path);
        }
        for (code, count) in &rejects.codes {
            *self.rejects.codes.entry(code.clone()).or_default() += count;
        }
        for told in transforms {
            match self.transforms.iter_mut().find(|known| known.transform == told.transform) {
                Some(known) => {
                    for (name, count) in &told.rows {
                        *known.rows.entry(name.clone()).or_default() += count;
                    }
                }
                None => self.transforms.push(told.clone()),
            }
        }
    }

    /// Tells the delivery of a window at a sink. The first of the window brings the `datasets` of its outputs, which
    /// are told even without files.
    pub fn tell_delivery(
        &mut self,
        slot: &Slot,
        manifest: &Manifest,
        sink: &dyn Sink,
        status: Status,
        datasets: Option<&[String]>,
    ) {
        let ordered = manifest.of(Role::Data).into_iter().chain(manifest.of(Role::Companion));
        let files = ordered.map(|file| FileReport::of(file, sink)).collect::<Vec<_>>();
        if let Some(datasets) = datasets {
            self.tell_outputs(&files, datasets);
        }
        self.deliveries.push(DeliveryReport {
            window: slot.key.window.clone(),
            target: sink.identity().to_owned(),
            status,
            scheduled: Timestamp::from_millisecond(slot.plan.scheduled_ms).ok(),
            files: files.len() as u64,
            rows: files.iter().filter_map(|file| file.rows).sum(),
            watermark: manifest.watermark(),
            failure: None,
        });
        if let Some(scheduled) = self.deliveries.last().and_then(|delivery| delivery.scheduled) {
            self.scheduled = scheduled;
        }
        self.files.extend(files);
    }

    fn tell_outputs(&mut self, files: &[FileReport], datasets: &[String]) {
        let mut places: BTreeMap<String, usize> =
            self.outputs.iter().enumerate().map(|(place, output)| (output.dataset.clone(), place)).collect();
        let told =
            files.iter().flat_map(|file| file.dataset.iter().chain(file.entries.iter().map(|entry| &entry.dataset)));
        for dataset in datasets.iter().chain(told) {
            places.entry(dataset.clone()).or_insert_with(|| {
                self.outputs.push(OutputReport { dataset: dataset.clone(), files: 0, rows: 0 });
                self.outputs.len() - 1
            });
        }
        for file in files {
            let own = file.dataset.iter().map(|dataset| (dataset, file.rows.unwrap_or(0)));
            let entries = file.entries.iter().map(|entry| (&entry.dataset, entry.rows));
            for (dataset, rows) in own.chain(entries) {
                if let Some(place) = places.get(dataset) {
                    self.outputs[*place].files += 1;
                    self.outputs[*place].rows += rows;
                }
            }
        }
    }

    /// Tells that a window could not be delivered to a sink. `hide` takes out of a text what must not show.
    pub fn tell_failure(&mut self, window: &str, target: &str, error: &Error, hide: impl Fn(&str) -> String) {
        self.deliveries.push(DeliveryReport {
            window: window.to_owned(),
            target: target.to_owned(),
            status: Status::Failed,
            scheduled: None,
            files: 0,
            rows: 0,
            watermark: None,
            failure: Some(FailureReport {
                error: hide(&error.to_string()),
                hint: error.hint_text().map(hide),
                domain: error.domain(),
                retry: error.retry(),
                class: error.class(),
            }),
        });
    }

    /// Takes over what was told of other windows of the run.
    pub fn join(&mut self, other: Self) {
        self.tell_extraction(&other.rows, &other.rejects, &other.transforms, other.reads);
        (self.window, self.scheduled) = (other.window, other.scheduled);
        for output in other.outputs {
            match self.outputs.iter_mut().find(|known| known.dataset == output.dataset) {
                Some(known) => {
                    known.files += output.files;
                    known.rows += output.rows;
                }
                None => self.outputs.push(output),
            }
        }
        for phase in other.phases {
            match self.phases.iter_mut().find(|known| known.name == phase.name) {
                Some(known) => known.millis += phase.millis,
                None => self.phases.push(phase),
            }
        }
        self.deliveries.extend(other.deliveries);
        self.files.extend(other.files);
        self.warnings.extend(other.warnings);
    }

    /// Says how the run ended, from what became of its deliveries.
    pub fn conclude(&mut self) {
        let any = |status: Status| self.deliveries.iter().any(|delivery| delivery.status == status);
        self.status = if any(Status::Failed) {
            Status::Partial
        } else if any(Status::Delivered) || (self.deliveries.is_empty() && !self.recovered.is_empty()) {
            Status::Delivered
        } else if any(Status::AlreadyDelivered) || self.deliveries.is_empty() {
            Status::AlreadyDelivered
        } else {
            Status::Empty
        };
    }
}
