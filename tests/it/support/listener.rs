//! An HTTP server that takes what it is sent: for webhooks. It answers with the statuses it is given, then with 200.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// A running listener; it ends with the test.
pub struct Listener {
    address: SocketAddr,
    bodies: Arc<Mutex<Vec<String>>>,
}

impl Listener {
    /// Starts it on a free port of 127.0.0.1.
    pub fn start(statuses: &[u16]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let (taken, statuses) = (bodies.clone(), statuses.to_vec());
        std::thread::spawn(move || {
            let mut statuses = statuses.into_iter();
            for stream in listener.incoming().flatten() {
                let status = statuses.next().unwrap_or(200);
                if let Some(body) = take(stream, status) {
                    taken.lock().unwrap_or_else(PoisonError::into_inner).push(body);
                }
            }
        });
        Self { address, bodies }
    }

    /// Its URL with this path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// What came so far, and forgets it.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.bodies.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn take(stream: TcpStream, status: u16) -> Option<String> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut stream = stream;
    write!(stream, "HTTP/1.1 {status} Told\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").ok()?;
    String::from_utf8(body).ok()
}
