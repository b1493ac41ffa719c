//! Quoting cannot be escaped.

use super::*;

#[test]
fn quotes() {
    assert_eq!(text("it's '; drop"), "'it''s ''; drop'");
    assert_eq!(column("a \"b\""), "\"a \"\"b\"\"\"");
    assert_eq!(list(["a", "b'c"]), "make_array('a', 'b''c')");
    assert_eq!(list([]), "make_array()");
}
