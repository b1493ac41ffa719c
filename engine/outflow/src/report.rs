//! A run's report for people.

use std::fmt::Write;

use indicatif::{HumanBytes, HumanCount, HumanDuration};
use outflow_engine::report::{DeliveryReport, RunReport, Status};

/// Files that are named one by one.
const SHOWN: usize = 12;

/// Tells a run in a few lines.
pub fn human(report: &RunReport) -> String {
    let mut text = String::new();
    for slot in &report.recovered {
        let _ = writeln!(text, "recovered: finished the interrupted delivery {slot}");
    }
    let headline = match report.status {
        Status::Delivered => format!("delivered to {}", report.target),
        Status::AlreadyDelivered => format!("already delivered to {}: nothing written", report.target),
        Status::Empty => "no rows to deliver: nothing written".to_owned(),
        Status::Partial => "some deliveries failed".to_owned(),
        Status::Failed => "failed".to_owned(),
    };
    let _ = writeln!(text, "{}: {headline}", report.pipeline);
    if report.deliveries.len() > 1 {
        deliveries(&report.deliveries, &mut text);
    }
    for file in report.files.iter().take(SHOWN) {
        let rows = file
            .rows
            .map_or_else(|| format!("{:>12}", file.role), |rows| format!("{:>7} rows", HumanCount(rows).to_string()));
        let _ = writeln!(text, "  {rows}  {:>10}  {}", HumanBytes(file.bytes).to_string(), file.path);
    }
    if let Some(more) = report.files.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(text, "  … and {} more", counted(more, "file"));
    }
    if report.outputs.len() > 1 && report.reads > 0 {
        let written = report.outputs.iter().filter(|output| output.files > 0).count();
        let reads = counted(report.reads as usize, "reading");
        let _ =
            writeln!(text, "  outputs: {written} of {} have files, from {reads} of the input", report.outputs.len());
    }
    if report.status != Status::AlreadyDelivered {
        let rows = report.rows;
        let elapsed = std::time::Duration::from_millis(report.phases.iter().map(|phase| phase.millis).sum());
        let _ = writeln!(
            text,
            "  rows: {} read, {} rejected, {} written; {}",
            HumanCount(rows.read),
            HumanCount(rows.rejected),
            HumanCount(rows.written),
            if elapsed.as_secs() == 0 {
                format!("{} ms", elapsed.as_millis())
            } else {
                HumanDuration(elapsed).to_string()
            },
        );
    }
    if let Some(late) = report.rows.late_rows.filter(|late| *late > 0) {
        let _ = writeln!(text, "  late rows, delivered with this window: {}", HumanCount(late));
    }
    for transform in &report.transforms {
        for (name, rows) in transform.rows.iter().filter(|(_, rows)| **rows > 0) {
            let (place, rows) = (transform.transform, HumanCount(*rows));
            let _ = writeln!(text, "  transform {place} ({}): {rows} {}", transform.name, name.replace('_', " "));
        }
    }
    if let Some(path) = &report.rejects.path {
        let codes = report.rejects.codes.iter().map(|(code, count)| format!("{count} {code}")).collect::<Vec<_>>();
        let _ = writeln!(text, "  rejected rows ({}) are in {path}", codes.join(", "));
    }
    if report.retired > 0 {
        let _ = writeln!(
            text,
            "  retired: {} taken away, for the time they stay is over",
            counted(report.retired as usize, "file")
        );
    }
    for warning in &report.warnings {
        let _ = writeln!(text, "  warning: {warning}");
    }
    let _ = writeln!(text, "  run {}", report.run_id);
    text
}

/// What became of each window at each sink; of many, the last ones, and every failure.
fn deliveries(all: &[DeliveryReport], text: &mut String) {
    let left_out = all.len().saturating_sub(SHOWN);
    if left_out > 0 {
        let _ = writeln!(text, "  … {} before", counted(left_out, "delivery"));
    }
    for (index, delivery) in all.iter().enumerate() {
        if index < left_out && delivery.failure.is_none() {
            continue;
        }
        let became = match &delivery.failure {
            Some(failure) => format!("failed: {}", failure.error),
            None => match delivery.status {
                Status::AlreadyDelivered => "already delivered".to_owned(),
                Status::Empty => "no rows".to_owned(),
                _ => format!("{}, {} rows", counted(delivery.files as usize, "file"), HumanCount(delivery.rows)),
            },
        };
        let _ = writeln!(text, "  {} to {}: {became}", delivery.window, delivery.target);
        if let Some(hint) = delivery.failure.as_ref().and_then(|failure| failure.hint.as_ref()) {
            let _ = writeln!(text, "    hint: {hint}");
        }
    }
}

/// A number of things.
pub fn counted(count: usize, what: &str) -> String {
    let what = match (count, what.strip_suffix('y')) {
        (1, _) => what.to_owned(),
        (_, Some(stem)) => format!("{stem}ies"),
        (_, None) => format!("{what}s"),
    };
    format!("{} {what}", HumanCount(count as u64))
}
