//! The fault proxy does what its scripts say: other tests build on it.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::support::proxy::{Fault, Leg, Proxy, Script};

/// A server that sends back what it gets.
fn echo() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let (mut from, mut to) = (stream.try_clone().unwrap(), stream);
                let _ = std::io::copy(&mut from, &mut to);
            });
        }
    });
    address
}

/// Sends bytes through a proxy with this script; what comes back before the end or a second of silence.
fn exchange(script: Script, sent: &[u8]) -> (Vec<u8>, Duration) {
    let proxy = Proxy::scripted(echo(), move |_| script.clone());
    let mut stream = TcpStream::connect(proxy.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let began = Instant::now();
    let _ = stream.write_all(sent);
    let mut got = vec![0; sent.len()];
    let mut at = 0;
    while at < got.len() {
        match stream.read(&mut got[at..]) {
            Ok(0) => break,
            Ok(read) => at += read,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            Err(_) => break,
        }
    }
    got.truncate(at);
    (got, began.elapsed())
}

#[test]
fn a_proxy_is_faithful_slow_or_false_as_told() {
    let sent: Vec<u8> = (0..200_000_u32).map(|n| n as u8).collect();
    assert_eq!(exchange(Script::default(), &sent).0, sent);
    let sliced = Script { up: Leg { slice: Some(700), ..Leg::default() }, ..Script::default() };
    assert_eq!(exchange(sliced, &sent).0, sent);

    let (got, time) = exchange(Script::round_trip(Duration::from_millis(200)), b"ping");
    assert!(got == b"ping" && time >= Duration::from_millis(200), "{time:?}");
    let narrow = Script { up: Leg { bandwidth: Some(400_000), ..Leg::default() }, ..Script::default() };
    let (got, time) = exchange(narrow, &sent);
    assert!(got == sent && time >= Duration::from_millis(450), "{time:?}");

    assert_eq!(exchange(Script::down(1000, Fault::Cut), &sent).0, sent[..1000]);
    assert!(exchange(Script::up(1000, Fault::Cut), &sent).0.len() <= 1000);
    let (got, time) = exchange(Script::up(1000, Fault::BlackHole), &sent);
    assert!(got == sent[..1000] && time >= Duration::from_secs(1), "{time:?}");
    let mut flipped = sent.clone();
    flipped[1000] ^= 0x20;
    assert_eq!(exchange(Script::up(1000, Fault::Corrupt), &sent).0, flipped);
    let (got, time) = exchange(Script::up(1000, Fault::Stall(Duration::from_millis(300))), &sent);
    assert!(got == sent && time >= Duration::from_millis(300), "{time:?}");
    assert!(exchange(Script { refuse: true, ..Script::default() }, &sent).0.is_empty());
}

#[test]
fn each_connection_has_its_script_and_all_can_be_cut() {
    let proxy = Proxy::scripted(echo(), |n| Script { refuse: n == 0, ..Script::default() });
    let mut buffer = [0; 4];
    let mut first = TcpStream::connect(proxy.address()).unwrap();
    assert!(matches!(first.read(&mut buffer), Ok(0) | Err(_)));
    let mut second = TcpStream::connect(proxy.address()).unwrap();
    second.write_all(b"ping").unwrap();
    second.read_exact(&mut buffer).unwrap();
    assert_eq!((&buffer, proxy.connections(), proxy.moved()), (b"ping", 2, (4, 4)));
    proxy.cut();
    assert!(matches!(second.read(&mut buffer), Ok(0) | Err(_)));
    proxy.treat(|_| Script { refuse: true, ..Script::default() });
    let mut third = TcpStream::connect(proxy.address()).unwrap();
    assert!(matches!(third.read(&mut buffer), Ok(0) | Err(_)));
}
