//! What is kept of what plugins log.

use outflow_layout::layout::{LogLevel, LogLine};

use super::{MOST, Remarks};

#[test]
fn warnings_are_kept_once_and_not_without_end() {
    let remarks = Remarks::default();
    let line = |level, message: &str| LogLine { level, message: message.to_owned() };
    let levels = [LogLevel::Debug, LogLevel::Info, LogLevel::Warn, LogLevel::Error];
    remarks.add("a", levels.iter().map(|level| line(*level, &format!("{level:?}"))).collect());
    remarks.add("a", vec![line(LogLevel::Warn, "Warn")]);
    remarks.add("b", vec![line(LogLevel::Warn, "Warn")]);
    assert_eq!(remarks.report(), ["plugin `a`: Warn", "plugin `a`: Error", "plugin `b`: Warn"]);
    remarks.add("b", (0..MOST).map(|number| line(LogLevel::Warn, &number.to_string())).collect());
    let told = remarks.report();
    assert_eq!((told.len(), told[MOST].as_str()), (MOST + 1, "plugins logged 3 further warnings"));
    remarks.clear();
    assert!(remarks.report().is_empty());
}
