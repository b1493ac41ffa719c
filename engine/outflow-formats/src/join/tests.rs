//! Joined texts of every length, beside a plain way to join them.

use arrow::array::Array;

use super::*;

#[test]
fn parts_are_joined_row_by_row() {
    let cells = |step: usize| {
        let cell = move |row: usize| match row % 5 {
            0 => None,
            1 => Some(String::new()),
            _ => Some("aé".repeat(row * step % 41)),
        };
        (0..200).map(cell).collect::<Vec<_>>()
    };
    let (first, second) = (cells(1), cells(7));
    let columns = [&first, &second].map(|cells| cells.iter().map(Option::as_deref).collect::<StringViewArray>());
    let value = |column, null: &str, empty: &str| Part::Value { column, null: null.into(), empty: empty.into() };
    let long = "-".repeat(70);
    let parts = [
        value(0, "none", ""),
        Part::Text("/".into()),
        value(1, "", &long),
        Part::Text(long.clone()),
        value(0, "", "e"),
    ];
    let joined = join(&parts, &columns.each_ref(), 200).unwrap();
    let plain = |cell: &Option<String>, null: &str, empty: &str| match cell.as_deref() {
        None => null.to_owned(),
        Some("") => empty.to_owned(),
        Some(text) => text.to_owned(),
    };
    for (row, (one, two)) in first.iter().zip(&second).enumerate() {
        let expected = plain(one, "none", "") + "/" + &plain(two, "", &long) + &long + &plain(one, "", "e");
        assert_eq!(joined.value(row), expected, "row {row}");
    }
    assert_eq!((joined.len(), joined.null_count()), (200, 0));
    assert_eq!(join(&[], &[], 3).unwrap().iter().collect::<Vec<_>>(), [Some(""); 3]);
}
