//! A run's report for people.

use std::fmt::Write;

use indicatif::{HumanBytes, HumanCount, HumanDuration};
use outflow_engine::report::{RunReport, Status};

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
    };
    let _ = writeln!(text, "{}: {headline}", report.pipeline);
    for file in &report.files {
        let rows = file
            .rows
            .map_or_else(|| format!("{:>12}", file.role), |rows| format!("{:>7} rows", HumanCount(rows).to_string()));
        let _ = writeln!(text, "  {rows}  {:>10}  {}", HumanBytes(file.bytes).to_string(), file.path);
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
    if let Some(path) = &report.rejects.path {
        let codes = report.rejects.codes.iter().map(|(code, count)| format!("{count} {code}")).collect::<Vec<_>>();
        let _ = writeln!(text, "  rejected rows ({}) are in {path}", codes.join(", "));
    }
    for warning in &report.warnings {
        let _ = writeln!(text, "  warning: {warning}");
    }
    let _ = writeln!(text, "  run {}", report.run_id);
    text
}
