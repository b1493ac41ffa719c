//! Every numbered requirement of a vendor is named by a test that shows it.

use std::collections::BTreeSet;

use crate::support::process::repository as root;
use crate::tidy::sources;

/// Families whose layouts are built, with the highest number of each.
const FAMILIES: [(&str, u32); 5] = [("SIMON", 40), ("SAIL", 24), ("ACT", 30), ("CIO", 25), ("APSIS", 32)];

/// Requirements that no layout can meet, with what is to bring them.
const OPEN: &[(&str, &[u32], &str)] = &[
    ("SAIL", &[13], "documentation of bucket policies, which comes with the delivery to buckets of clients"),
    ("ACT", &[5, 6], "scheduling: a hint about the time of day, and an alert where files are late"),
    ("CIO", &[12], "the HTTP source with its endpoint and token"),
    ("APSIS", &[7, 8, 9, 10, 11, 12, 13], "the export API: poll URLs, their statuses and how long they live"),
    ("APSIS", &[16, 32], "the export API: downloads again and again, in the encoding asked for, by token"),
    ("APSIS", &[29, 30, 31], "the export API: limits of pending exports and of size, and what its errors say"),
];

/// Each number is named by a test or open, never both.
#[test]
fn every_requirement_is_named_by_a_test_or_open() {
    let tests = sources().into_iter().filter(|path| {
        let path = path.strip_prefix(root()).unwrap();
        path.starts_with("tests")
            || path.components().any(|part| part.as_os_str() == "tests")
            || path.ends_with("tests.rs")
    });
    let text = tests.map(|path| std::fs::read_to_string(path).unwrap()).collect::<String>();
    let faults = FAMILIES.iter().flat_map(|(family, count)| faults(family, *count, &named(&text, family), OPEN));
    let faults = faults.collect::<Vec<_>>();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn faults(family: &str, count: u32, named: &BTreeSet<u32>, open: &[(&str, &[u32], &str)]) -> Vec<String> {
    let why = |number| {
        open.iter().find(|(other, numbers, _)| *other == family && numbers.contains(&number)).map(|(.., why)| why)
    };
    let fault = |number: u32| match (named.contains(&number), why(number)) {
        (false, None) => Some(format!("no test names {family}-{number}")),
        (true, Some(why)) => Some(format!("{family}-{number} is open ({why}), and a test names it")),
        _ => None,
    };
    (1..=count).filter_map(fault).collect()
}

#[test]
fn open_and_named_exclude_each_other() {
    let open: [(&str, &[u32], &str); 1] = [("XYZ", &[2, 3], "later")];
    let found = faults("XYZ", 4, &BTreeSet::from([1, 3]), &open);
    assert_eq!(found, ["XYZ-3 is open (later), and a test names it", "no test names XYZ-4"]);
}

fn named(text: &str, family: &str) -> BTreeSet<u32> {
    let after = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    text.split(&format!("{family}-")).skip(1).filter_map(after).collect()
}

#[test]
fn numbers_are_read_whole() {
    assert_eq!(named("// XYZ-4, XYZ-12: both", "XYZ"), BTreeSet::from([4, 12]));
}
