//! Contracts as layouts ask them.

use super::*;
use crate::testing::input;

const TEXT: &str = r#"{"name": "clicks", "kind": "event", "doc": "Clicks.", "source": "here", "columns": [
    {"name": "id", "type": "text", "required": true, "doc": "Id."},
    {"name": "at", "type": "timestamp", "required": false, "doc": "When."}]}"#;

#[test]
fn columns() {
    let contract = Contract::read(TEXT);
    assert_eq!((contract.columns[1].kind, contract.kind.as_str()), (ColumnType::Timestamp, "event"));
    assert!(contract.has("at") && !contract.has("url"));
    assert_eq!(contract.missing(&input(&["at"])).collect::<Vec<_>>(), ["id"]);
    assert_eq!(contract.missing(&input(&["url", "id"])).count(), 0);
}

#[test]
fn columns_that_share_rows_out() {
    let found = |named, single| sharing_column(&input(&["table", "kind"]), named, "table", single);
    assert_eq!(found(None, false), Ok(Some("table".to_string())));
    assert_eq!(found(Some("kind"), true), Ok(Some("kind".to_string())));
    let absent = Err("the rows have no column `tabel`, which tells where each belongs".to_string());
    assert_eq!(found(Some("tabel"), true), absent, "a column that is named must be there");
    let none = |single| sharing_column(&input(&["id"]), None, "table", single);
    assert_eq!(none(true), Ok(None));
    assert!(none(false).is_err());
}
