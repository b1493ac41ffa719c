//! A transform that attacks its host in the way its option `attack` names; `none` behaves.
//! It declares one column of text, `a`, and writes it; attacks on the answer bend the packed buffers themselves.

mod pointers;

use std::net::TcpStream;
use std::time::Duration;

use outflow_plugin_sdk::columns::{Array, Columns, Text, TextBuilder, Values, Varlen};
use outflow_plugin_sdk::{Column, Diagnostic, Io, Level, Mode, Reject, Step, Transform, log};

/// The transform.
pub struct Evil {
    attack: String,
    kept: std::cell::Cell<usize>,
}

/// Its one option.
#[derive(serde::Deserialize)]
pub struct Options {
    attack: String,
}

impl Transform for Evil {
    const MANIFEST: &'static str =
        r#"{"name": "evil-transform", "version": "0.1.0", "summary": "attacks", "config_schema": {}}"#;
    type Options = Options;

    fn open(options: Options, input: &[Column]) -> Result<Self, Vec<Diagnostic>> {
        match options.attack.as_str() {
            "options" => Err(vec![Diagnostic::error("evil/options", "/attack", "refused").help("ask for `none`")]),
            "open_loop" => spin(),
            "hidden" if input.iter().any(|column| column.name.starts_with('_')) => panic!("a hidden column is seen"),
            _ => Ok(Self { attack: options.attack, kept: std::cell::Cell::new(0) }),
        }
    }

    fn io(&self) -> Io {
        let plain = |mode| Io::new(mode).read("a", "Utf8").write("a", "Utf8");
        match self.attack.as_str() {
            "io_loop" => spin(),
            "io_duplicate_read" => plain(Mode::OneToOne).read("a", "Utf8"),
            "io_duplicate_write" => plain(Mode::OneToOne).write("a", "Utf8"),
            "io_many" => (0..20_000).fold(plain(Mode::OneToOne), |io, n| io.write(&format!("c{n}"), "Utf8")),
            "io_hidden" => plain(Mode::OneToOne).read("_outflow_row", "Int64"),
            "io_hidden_write" => plain(Mode::OneToOne).write("_outflow_file", "Utf8"),
            "io_missing" => plain(Mode::OneToOne).read("zork", "Utf8"),
            "io_type" => plain(Mode::OneToOne).write("b", "Varchar(3)"),
            "io_deep_type" => plain(Mode::OneToOne).write("b", &"List(".repeat(100_000)),
            "io_nested_type" => plain(Mode::OneToOne).write("b", "List(List(Utf8))"),
            "io_empty_name" => plain(Mode::OneToOne).write("", "Utf8"),
            "io_control_name" => plain(Mode::OneToOne).write("a\nb", "Utf8"),
            "io_drop" => plain(Mode::OneToOne).drop("zork"),
            "io_drop_written" => plain(Mode::OneToOne).drop("a"),
            "date" => Io::new(Mode::OneToOne).read("a", "Utf8").write("a", "Date32"),
            "not_null" => {
                let mut io = plain(Mode::OneToOne);
                io.writes[0].nullable = false;
                io
            }
            attack if attack.starts_with("list") => Io::new(Mode::OneToOne).read("a", "Utf8").write("a", "List(Utf8)"),
            attack if attack.starts_with("flag") => Io::new(Mode::OneToOne).read("a", "Utf8").write("a", "Boolean"),
            attack if attack.starts_with("filter") => plain(Mode::Filter),
            attack if attack.starts_with("expand") => plain(Mode::Expand),
            _ => plain(Mode::OneToOne),
        }
    }

    fn apply(&self, input: &Columns) -> Result<Step, String> {
        let rows = input.rows();
        if self.attack == "leak" {
            // Memory that is kept from batch to batch, until the limit is reached.
            std::mem::forget(std::hint::black_box(vec![1_u8; 32 << 20]));
            self.kept.set(self.kept.get() + 1);
        }
        strike(&self.attack, rows)?;
        let text: Text = input.column(0)?;
        let same = || text.iter().collect::<TextBuilder>();
        let mut plain = Step::new(rows).column(same());
        pointers::bend(&self.attack, &mut plain, rows);
        bend(&self.attack, plain, rows)
    }
}

/// A step whose buffers break one rule.
fn bend(attack: &str, mut step: Step, rows: usize) -> Result<Step, String> {
    let text = |offsets: Vec<i32>, bytes: &[u8]| Values::Utf8(Varlen { offsets, bytes: bytes.to_vec() });
    let flat = |last: i32| std::iter::repeat_n(0, rows).chain([last]).collect::<Vec<i32>>();
    let list = |offsets: Vec<i32>, child| Values::ListOf((offsets, child));
    let child = Array { len: 1, validity: None, values: text(vec![0, 1], b"x") };
    let column = &mut step.batch.columns[0];
    match attack {
        "refuse" => return Err("not today".to_string()),
        "no_column" => step.batch.columns.clear(),
        "more_columns" => step.batch.columns.push(child),
        "more_rows" => step.batch.rows += 1,
        "len" => column.len += 1,
        "len_max" => column.len = u32::MAX,
        "validity_short" => column.validity = Some(Vec::new()),
        "validity_long" => column.validity = Some(vec![0; 1000]),
        "not_null" => column.validity = Some(vec![0; rows.div_ceil(8)]),
        "kind" => column.values = Values::Int64(vec![1; rows]),
        "date" => column.values = Values::Int64(vec![i64::MAX; rows]),
        "offsets_none" => column.values = text(Vec::new(), b""),
        "offsets_long" => column.values = text(vec![0; rows + 2], b""),
        "offsets_first" => column.values = text(vec![1; rows + 1], b"x"),
        "offsets_fall" => {
            let mut offsets = flat(1);
            offsets[1] = 2;
            column.values = text(offsets, b"xx");
        }
        "offsets_negative" => column.values = text(flat(-1), b"x"),
        "offsets_beyond" => column.values = text(flat(i32::MAX), b"x"),
        "utf8" => column.values = text(flat(2), b"\xff\xfe"),
        "utf8_split" => {
            let mut offsets = vec![1; rows + 1];
            (offsets[0], offsets[rows]) = (0, 2);
            column.values = text(offsets, "é".as_bytes());
        }
        "flag_bits" => column.values = Values::Boolean(vec![0; 1000]),
        "list_child" => column.values = list(flat(0), 7),
        "list_self" => {
            let own = Array { len: rows as u32, validity: None, values: list(flat(0), 0) };
            step.batch.children.push(own);
            column.values = list(flat(0), 0);
        }
        "list_beyond" => {
            step.batch.children.push(child);
            column.values = list(flat(2), 0);
        }
        "list_left" => {
            step.batch.children.extend([child.clone(), child]);
            column.values = list(flat(1), 0);
        }
        "source" => step.source_row = Some(vec![0; rows]),
        "filter_none" => {}
        "filter_twice" => step.source_row = Some(vec![0; rows]),
        "filter_range" => step = step.from_rows((1..=rows as u32).collect()),
        "expand_range" => step = step.from_rows(vec![u32::MAX; rows]),
        "expand_order" => step = step.from_rows((0..rows as u32).rev().collect()),
        "expand_count" => step.source_row = Some(vec![0; rows + 1]),
        "reject_range" => step.rejects = vec![Reject::new(rows, "evil/x", "x")],
        "reject_twice" => step.rejects = vec![Reject::new(0, "evil/x", "x"), Reject::new(0, "evil/x", "x")],
        "reject_code" => step.rejects = vec![Reject::new(0, "../\u{1b}[31m", "x")],
        attack if attack.starts_with("reject: ") => step.rejects = vec![Reject::new(0, "evil/x", attack)],
        "reject_text" => step.rejects = vec![Reject::new(0, "evil/x", "\u{1b}[31m".repeat(100_000))],
        "filter" => {
            let kept = Array { len: 1, validity: None, values: text(vec![0, 1], b"z") };
            step.batch.columns = vec![kept];
            step = step.from_rows(vec![1]);
        }
        _ => {}
    }
    Ok(step)
}

fn refuse(message: String) -> Result<(), String> {
    Err(message)
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

fn strike(attack: &str, rows: usize) -> Result<(), String> {
    match attack {
        "loop" => spin(),
        "sleep" => std::thread::sleep(Duration::from_secs(3600)),
        "memory" => {
            let mut hoard: Vec<Vec<u8>> = Vec::new();
            loop {
                hoard.push(vec![1; 1 << 20]);
            }
        }
        "panic" => panic!("index table missing"),
        "index" => {
            let empty: Vec<u8> = Vec::new();
            std::hint::black_box(empty[std::hint::black_box(rows + 7)]);
        }
        "abort" => std::process::abort(),
        "stack" => {
            std::hint::black_box(deeper(0));
        }
        "exit" => std::process::exit(7),
        "giant" => return refuse("x".repeat(400 << 20)),
        "connect" => return refuse(format!("{:?}", TcpStream::connect("127.0.0.1:22").map_err(|e| e.kind()))),
        "read" => return refuse(format!("{:?}", std::fs::read_to_string("/etc/passwd").map_err(|e| e.kind()))),
        "env" => {
            let seen: Vec<_> = std::env::vars().chain(std::env::args().map(|a| (a, String::new()))).collect();
            return refuse(format!("{seen:?}"));
        }
        "clock" => {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map(|d| d.as_millis());
            let random = std::hash::BuildHasher::hash_one(&std::collections::hash_map::RandomState::new(), 1);
            return refuse(format!("{now:?} {random} {:?}", std::time::Instant::now()));
        }
        "log" => (0..100_000).for_each(|line| log(Level::Warn, &format!("line {line}"))),
        _ => return tell(attack),
    }
    Ok(())
}

/// Says what stands behind `panic: `, `refuse: ` or `log: `, which may be anything that an option holds.
fn tell(attack: &str) -> Result<(), String> {
    match attack.split_once(": ") {
        Some(("panic", text)) => panic!("{text}"),
        Some(("refuse", text)) => refuse(text.to_string()),
        Some(("log", text)) => {
            log(Level::Error, text);
            Ok(())
        }
        _ => Ok(()),
    }
}

outflow_plugin_sdk::export_transform!(Evil);
