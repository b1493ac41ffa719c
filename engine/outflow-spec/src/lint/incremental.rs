//! OF601: windows that fit the day and the transforms. Whether an instant is one is seen where instants are read.

use crate::diagnostic::Finding;
use crate::incremental::Span;
use crate::lint::Scope;
use crate::lint::outputs::is_set;

/// Seconds of a day without a change of clocks.
const DAY: u64 = 86_400;

/// Applies the rule.
pub fn check(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    let every = scope.text_at("/incremental/every").and_then(|text| text.parse::<Span>().ok());
    if let Some(Span::Seconds(seconds)) = every
        && !DAY.is_multiple_of(seconds)
    {
        let message = "windows of this length do not fill a day";
        let help = "write a part of a day such as `10m`, `1h` or `6h`, or whole days such as `1d`";
        findings.push(Finding::windows(scope.span("/incremental/every"), message, help));
    }
    let own = ["key", "overlap"].map(|option| format!("/incremental/{option}"));
    for (index, option) in own.iter().enumerate().filter(|(_, option)| is_set(scope, option)) {
        if !is_set(scope, "/source/postgres") {
            let message = "late rows of files are told without `key` and `overlap`";
            findings.push(Finding::windows(scope.key_span(option), message, "leave both out"));
        } else if !is_set(scope, &own[1 - index]) {
            let message = "`key` and `overlap` find late rows together";
            let help = "write both: `key: [id], overlap: 15m`";
            findings.push(Finding::windows(scope.key_span(option), message, help));
        }
    }
    if scope.value.get("incremental").is_some_and(|block| !block.is_null())
        && let Some(changes) = scope.transforms("changes").first()
    {
        let message = "`changes` compares the whole input with the last one, and a window is a part of it";
        let help = "remove `incremental`: `changes` delivers what is new by itself";
        findings.push(Finding::windows(scope.key_span(changes), message, help));
    }
}
