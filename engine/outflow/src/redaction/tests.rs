//! What is hidden in a message, and what is not.

use super::Redaction;

#[test]
fn whole_values_are_hidden_and_short_ones_are_not() {
    let mut redaction = Redaction::default();
    for (value, placeholder) in [("TopSecret", "${env:A}"), (" TopSecret-and-more\n", "${file:b}"), ("abc", "${env:C}")]
    {
        redaction.remember(value, placeholder);
    }
    let cases = [
        ("found: TopSecret at 1", "found: ${env:A} at 1"),
        ("no field topsecret", "no field ${env:A}"),
        ("`TopSecret-and-more`", "`${file:b}`"),
        ("abc, Top", "abc, Top"),
    ];
    for (message, hidden) in cases {
        assert_eq!(redaction.hide(message), hidden);
    }
}
