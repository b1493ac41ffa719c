//! Replies are taken apart without trust in what they say of themselves.

use super::*;

fn attributes(flags: u32, rest: &[u8]) -> Result<Found> {
    let mut body = Bytes::from([&flags.to_be_bytes()[..], rest].concat());
    found(&mut body)
}

#[test]
fn attributes_are_read_by_their_flags() {
    let all = [&9_u64.to_be_bytes()[..], &[0; 8], &0o100_644_u32.to_be_bytes(), &[0; 4], &7_u32.to_be_bytes()].concat();
    let file = Found { sort: Sort::File, bytes: 9, modified: Some(7) };
    assert_eq!(attributes(15, &all).unwrap(), file);
    assert_eq!(attributes(4, &0o040_755_u32.to_be_bytes()).unwrap().sort, Sort::Folder);
    assert_eq!(attributes(4, &0o120_777_u32.to_be_bytes()).unwrap().sort, Sort::Other);
    assert_eq!(attributes(0, &[]).unwrap(), Found { sort: Sort::Other, bytes: 0, modified: None });
    for short in 0..all.len() {
        assert_eq!(attributes(15, &all[..short]).unwrap_err().kind(), Kind::Lost);
    }
}

#[test]
fn statuses_say_what_they_mean() {
    let reply = |code: u32, text: &str| {
        let mut body = code.to_be_bytes().to_vec();
        put(&mut body, text.as_bytes());
        refusal(Reply { kind: STATUS, body: body.into() })
    };
    for (code, text, kind, shown) in [
        (2, "No such file", Kind::Missing, "no such file"),
        (3, "", Kind::Denied, "permission denied"),
        (4, "Failure", Kind::Failed, "failure"),
        (4, "disk\u{1b} quota", Kind::Failed, "failure (disk quota)"),
        (8, "Operation unsupported", Kind::Unsupported, "not supported (Operation unsupported)"),
        (0, "", Kind::Lost, "the server said yes where it had to say what"),
    ] {
        let error = reply(code, text);
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, shown));
    }
    let bare = refusal(Reply { kind: STATUS, body: Bytes::from_static(&[0, 0, 0, 4]) });
    assert_eq!(bare.kind(), Kind::Failed, "a status without text is a status");
    assert_eq!(refusal(Reply { kind: DATA, body: Bytes::new() }).kind(), Kind::Lost);
}

#[test]
fn lengths_beyond_the_packet_are_refused() {
    let mut body = Bytes::from_static(&[0xff, 0xff, 0xff, 0xff, 1]);
    assert_eq!(take(&mut body).unwrap_err().kind(), Kind::Lost);
    let named = [&3_u32.to_be_bytes()[..], &17_u32.to_be_bytes(), b"fsync@openssh.com", &1_u32.to_be_bytes(), b"1"];
    assert!(extensions(named.concat().into()).unwrap().fsync);
    assert!(extensions(Bytes::from_static(&[0, 0, 0, 3, 0, 0, 0, 9, 1])).is_err());
}
