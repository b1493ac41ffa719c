//! A layout that attacks its host in the way its option `attack` names; `none` behaves.
//! Each attack strikes in `outputs`, or in the returned value of the method it is about.

use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use outflow_plugin_sdk::{
    Artifact, Csv, Dataset, Diagnostic, FileIntent, FileName, Format, Layout, Level, Output, Run, Written, log,
};

/// Calls of this guest so far: the one thing in it that changes.
static CALLS: AtomicU32 = AtomicU32::new(0);

/// The layout.
pub struct Evil(String);

/// Its one option.
#[derive(serde::Deserialize)]
pub struct Options {
    attack: String,
}

impl Layout for Evil {
    const MANIFEST: &'static str =
        r#"{"name": "evil", "version": "0.1.0", "summary": "attacks", "config_schema": {}, "requires": []}"#;
    type Options = Options;

    fn open(options: Options, _run: Run) -> Result<Self, Vec<Diagnostic>> {
        match options.attack.as_str() {
            "options" => Err(vec![Diagnostic::error("evil/options", "/attack", "refused").help("ask for `none`")]),
            "open_loop" => spin(),
            _ => Ok(Self(options.attack)),
        }
    }

    fn outputs(&self, inputs: &[Dataset]) -> Result<Vec<Output>, Vec<Diagnostic>> {
        let plain = || Output::new("data", Format::Csv(Csv::default()));
        let odd = |csv: Csv| Ok(vec![Output::new("data", Format::Csv(csv))]);
        match self.0.as_str() {
            "outputs_many" => return Ok(vec![plain(); 20_000]),
            "outputs_million" => return Ok(vec![plain(); 1_000_000]),
            "output_encoding" => return odd(Csv { encoding: "klingon".into(), ..Csv::default() }),
            "output_delimiter" => return odd(Csv { delimiter: '☃', ..Csv::default() }),
            "output_terminator" => return odd(Csv { terminator: "\r".into(), ..Csv::default() }),
            "output_rule" => {
                let mut output = plain();
                output.extras.push(("rule".into(), "not JSON".into()));
                return Ok(vec![output]);
            }
            "outputs_vary" => {
                let call = CALLS.fetch_add(1, Ordering::Relaxed);
                return Ok(vec![plain().field(&format!("a{call}"), "\"a\"")]);
            }
            attack => strike(attack, inputs)?,
        }
        Ok(vec![plain().field("a", "\"a\"")])
    }

    fn name_file(&self, file: &FileIntent) -> Result<FileName, String> {
        let path = match self.0.as_str() {
            "name_parent" => "../x".to_string(),
            "name_newline" => "a\r\nb".to_string(),
            "name_nul" => "a\0b".to_string(),
            "name_long" => format!("{}x", "abcdefg/".repeat(200)),
            "name_same" => "same".to_string(),
            "name_varies" => format!("call{}.csv", CALLS.fetch_add(1, Ordering::Relaxed)),
            "name_refuse" => return Err("no name today".to_string()),
            _ => format!("{}.csv", file.part),
        };
        Ok(FileName::new(path, "text/csv"))
    }

    fn files_written(&self, files: &[Written]) -> Result<Vec<Artifact>, String> {
        let artifact = |path: &str, size| Artifact {
            path: path.to_string(),
            content_type: "text/plain".to_string(),
            body: vec![b'x'; size],
        };
        Ok(match self.0.as_str() {
            "artifact_large" => vec![artifact("big", 17 << 20)],
            "artifact_parent" => vec![artifact("a/../../b", 1)],
            "artifact_over_data" => vec![artifact(&files[0].name.path, 1)],
            "return_200_mb" => vec![artifact("big", 200 << 20)],
            _ => Vec::new(),
        })
    }
}

fn refuse(message: String) -> Vec<Diagnostic> {
    vec![Diagnostic::error("evil/seen", "", message)]
}

fn spin() -> ! {
    let mut count = 0_u64;
    loop {
        count = std::hint::black_box(count + 1);
    }
}

#[allow(unconditional_recursion)]
fn deeper(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    deeper(depth + 1) + frame[(depth % 64) as usize]
}

fn strike(attack: &str, inputs: &[Dataset]) -> Result<(), Vec<Diagnostic>> {
    match attack {
        "loop" => spin(),
        "memory" => {
            let mut hoard: Vec<Vec<u8>> = Vec::new();
            loop {
                hoard.push(vec![1; 1 << 20]);
            }
        }
        "panic" => panic!("index table missing"),
        "index" => {
            let empty: Vec<u8> = Vec::new();
            std::hint::black_box(empty[std::hint::black_box(inputs.len() + 7)]);
        }
        "abort" => std::process::abort(),
        "stack" => {
            std::hint::black_box(deeper(0));
        }
        "exit" => std::process::exit(7),
        "sleep" => std::thread::sleep(Duration::from_secs(3600)),
        "connect" => return Err(refuse(format!("{:?}", TcpStream::connect("127.0.0.1:22").map_err(|e| e.kind())))),
        "read" => {
            return Err(refuse(format!("{:?}", std::fs::read_to_string("/etc/passwd").map_err(|e| e.kind()))));
        }
        "env" => {
            let seen: Vec<_> = std::env::vars().chain(std::env::args().map(|a| (a, String::new()))).collect();
            return Err(refuse(format!("{seen:?}")));
        }
        "clock" => {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map(|d| d.as_millis());
            let random = std::hash::BuildHasher::hash_one(&std::collections::hash_map::RandomState::new(), 1);
            let tick = std::time::Instant::now();
            return Err(refuse(format!("{now:?} {random} {tick:?}")));
        }
        "log" => {
            for line in 0..100_000 {
                log(Level::Warn, &format!("line {line}"));
            }
            log(Level::Info, &"x".repeat(1 << 20));
        }
        "stderr" => {
            for _ in 0..2_000 {
                eprintln!("noise");
            }
            panic!("after the noise");
        }
        _ => {}
    }
    Ok(())
}

outflow_plugin_sdk::export_layout!(Evil);
