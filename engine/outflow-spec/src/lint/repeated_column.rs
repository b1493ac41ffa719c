//! OF209: lists of columns name each column once.

use crate::diagnostic::Finding;
use crate::lint::Scope;
use crate::lint::outputs::places;

/// Applies the rule.
pub fn check(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    let mut lists = vec!["/source/files/columns".to_owned(), "/source/postgres/columns".to_owned()];
    lists.extend(places(scope, "split_by"));
    let in_transforms = [
        ("changes", "key"),
        ("deduplicate", "by"),
        ("hash", "columns"),
        ("lookup", "columns"),
        ("lookup", "on"),
        ("select", "columns"),
    ];
    for (component, list) in in_transforms {
        lists.extend(scope.transforms(component).into_iter().map(|block| format!("{block}/{list}")));
    }
    for list in lists {
        let items = scope.items(&list);
        for (index, (pointer, column)) in items.iter().enumerate() {
            let first = items[..index].iter().find(|(_, earlier)| earlier == column);
            if let (Some((first, _)), Some(_)) = (first, scope.text_at(pointer)) {
                findings.push(Finding::repeated_column(
                    scope.span(pointer),
                    scope.written_at(pointer),
                    scope.span(first),
                ));
            }
        }
    }
}
