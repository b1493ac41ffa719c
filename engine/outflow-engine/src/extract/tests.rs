//! Several outputs of a hand-written layout over one file: what each gets, what the pass costs the source, and which
//! error is told.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use outflow_formats::digest::Algorithm;
use outflow_formats::format::{Dialect, Format, JsonObject, JsonStyle};
use outflow_layout::layout::{
    Artifact, Counter, CounterScope, Dataset, Field, FileFacts, FileIntent, FileName, LayoutError, PartitionKey, Roll,
    Rule, Written,
};
use serde_json::json;

use super::*;
use crate::progress::Quiet;

mod lanes;

/// Writes what it is told; a file is named by dataset, partition, part and numbers.
struct Several {
    outputs: Vec<Output>,
    refuses: bool,
}

#[async_trait::async_trait]
impl Layout for Several {
    async fn outputs(&mut self, _: &[Dataset]) -> Result<Vec<Output>, LayoutError> {
        Ok(self.outputs.clone())
    }

    async fn name_files(&mut self, files: &[(FileIntent, Option<FileFacts>)]) -> Result<Vec<FileName>, LayoutError> {
        if self.refuses {
            return Err(LayoutError::Refused("no names today".to_owned()));
        }
        let name = |(intent, _): &(FileIntent, Option<FileFacts>)| {
            let values = intent.partition.iter().map(|(_, value)| format!("-{value}")).collect::<String>();
            let numbers = intent.counters.iter().map(|(name, value)| format!("-{name}{value}")).collect::<String>();
            let path = format!("{}{values}{numbers}", intent.dataset);
            FileName { archive_entry: Some(path.clone()), path, ..FileName::default() }
        };
        Ok(files.iter().map(name).collect())
    }

    async fn files_written(&mut self, _: &[Written]) -> Result<Vec<Artifact>, LayoutError> {
        Ok(Vec::new())
    }

    async fn run_written(&mut self, _: &[Written]) -> Result<Vec<Artifact>, LayoutError> {
        Ok(Vec::new())
    }
}

fn output(dataset: &str, fields: &[(&str, &str)]) -> Output {
    let field = |(name, expr): &(&str, &str)| Field { name: (*name).into(), expr: (*expr).into(), json: false };
    Output {
        dataset: dataset.to_owned(),
        kind: "data".to_owned(),
        input: "input".to_owned(),
        query: None,
        expand: None,
        filter: None,
        input_rules: Vec::new(),
        rules: Vec::new(),
        fields: fields.iter().map(field).collect(),
        pass_through: false,
        partition_by: Vec::new(),
        order_by: Vec::new(),
        format: Format::Csv(Dialect::default()),
        compression: Compression::None,
        roll: Roll::default(),
        counters: Vec::new(),
        write_when_empty: false,
        name_after: false,
    }
}

fn of(dataset: &str) -> Output {
    output(dataset, &[("id", "id")])
}

fn queried(dataset: &str, query: &str) -> Output {
    Output { query: Some(query.to_owned()), ..of(dataset) }
}

fn rule(condition: &str, code: &str) -> Rule {
    Rule { condition: condition.to_owned(), code: code.to_owned(), message: "is wrong".to_owned() }
}

fn counter(name: &str, scope: CounterScope, first: u64) -> Counter {
    Counter { name: name.to_owned(), scope, first }
}

/// Rows `id,kind,name` from 0, of kinds `a`, `b`, `c` in turn.
fn rows(count: usize) -> String {
    let row = |id: usize| format!("{id},{},name{id}\n", ["a", "b", "c"][id % 3]);
    "id,kind,name\n".to_owned() + &(0..count).map(row).collect::<String>()
}

#[derive(Debug)]
struct Outcome {
    extracted: Extracted,
    /// Texts by file name.
    texts: BTreeMap<String, String>,
    rejects: Vec<crate::dead_letter::Reject>,
}

impl Outcome {
    /// The records of a file, without its header.
    fn records(&self, name: &str) -> Vec<&str> {
        let text = self.texts.get(name).unwrap_or_else(|| panic!("`{name}` is not among {:?}", self.texts.keys()));
        text.lines().skip(1).collect()
    }
}

struct Bench {
    folder: tempfile::TempDir,
    memory: usize,
    refuses: bool,
    numbers: LastNumbers,
    view: View,
    transforms: serde_json::Value,
}

impl Bench {
    fn new(text: &str) -> Self {
        Self::of("in.csv", text.as_bytes())
    }

    fn of(name: &str, content: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), content).unwrap();
        std::fs::create_dir(folder.path().join("spool")).unwrap();
        Self {
            folder,
            memory: 128 << 20,
            refuses: false,
            numbers: LastNumbers::default(),
            view: View::Delivered,
            transforms: json!([]),
        }
    }

    fn spool(&self) -> PathBuf {
        self.folder.path().join("spool")
    }

    async fn extract(&self, outputs: Vec<Output>) -> Result<Outcome> {
        let spec = json!({
            "version": 1, "name": "feed", "source": {"files": {"path": "in.*"}}, "transforms": self.transforms,
            "layout": {"files": {"path": "x.csv", "format": "csv"}}, "sink": {"local": {"path": "out"}},
        });
        let pipeline = Pipeline::from_spec(serde_json::from_value(spec).unwrap(), "", self.folder.path()).unwrap();
        let input = pipeline.input().await.unwrap();
        let progress: Arc<dyn Progress> = Arc::new(Quiet);
        let dead = Arc::new(DeadLetter::create(self.folder.path().join("rejects"), None));
        let extraction = Extraction {
            pipeline: &pipeline,
            input: &input,
            wanted: None,
            scheduled: "2026-03-14T09:26:53Z".parse().unwrap(),
            memory: self.memory,
            limit: None,
            view: self.view,
            numbers: &self.numbers,
            notes: Arc::default(),
            progress: &progress,
        };
        let folder = self.spool();
        let spool = Spool::new(&folder, "seed", Algorithm::Xxh3, progress.as_ref());
        let mut layout = Several { outputs, refuses: self.refuses };
        let extracted = extract(&extraction, &spool, &mut layout, &dead);
        let extracted = tokio::time::timeout(Duration::from_secs(120), extracted).await.expect("it must not hang")?;
        let text = |file: &SpooledFile| {
            let bytes = std::fs::read(&file.path).unwrap();
            (file.parts[0].name.path.clone(), String::from_utf8_lossy(&bytes).into_owned())
        };
        let texts = extracted.files.iter().map(text).collect();
        Ok(Outcome { extracted, texts, rejects: dead.first() })
    }
}

fn ids(count: usize, wanted: impl Fn(usize) -> bool) -> Vec<String> {
    (0..count).filter(|id| wanted(*id)).map(|id| id.to_string()).collect()
}

/// Outputs that filter, split, order, pass through and count; one reading for all of them, each in input order.
#[tokio::test(flavor = "multi_thread")]
async fn outputs_share_one_pass_over_the_input() {
    const ROWS: usize = 60_000;
    let mut plain = of("plain");
    plain.filter = Some("kind = 'a'".to_owned());
    let mut split = of("split");
    split.partition_by = vec![PartitionKey { name: "kind".to_owned(), value: "kind".to_owned() }];
    let mut through = output("through", &[("upper", "upper(name)")]);
    through.pass_through = true;
    let mut last = output("last", &[("name", "name")]);
    last.order_by = vec!["CAST(id AS BIGINT) * -1".to_owned()];
    let none = Output { filter: Some("false".to_owned()), ..of("none") };
    let count = output("count", &[("n", "n")]);
    let count = Output { query: Some("SELECT count(*) AS n FROM input".to_owned()), ..count };
    let bench = Bench::new(&rows(ROWS));
    let outcome = bench.extract(vec![plain, split, through, last, none, count]).await.unwrap();
    assert_eq!((outcome.extracted.reads, outcome.extracted.rows), (1, ROWS as u64));
    assert_eq!(outcome.extracted.datasets, ["plain", "split", "through", "last", "none", "count"]);
    let names = outcome.extracted.files.iter().map(|file| file.parts[0].name.path.as_str()).collect::<Vec<_>>();
    assert_eq!(names, ["plain", "split-a", "split-b", "split-c", "through", "last", "count"]);
    assert_eq!(outcome.records("plain"), ids(ROWS, |id| id % 3 == 0));
    assert_eq!(outcome.records("split-c"), ids(ROWS, |id| id % 3 == 2));
    assert_eq!(outcome.records("through")[1], "NAME1,1,b,name1");
    assert_eq!(outcome.records("last")[0], format!("name{}", ROWS - 1));
    assert_eq!(outcome.records("count"), [ROWS.to_string()]);
}

/// A plan that takes the rows twice wants one end of them first; the outputs beside it go on.
#[tokio::test(flavor = "multi_thread")]
async fn an_output_may_read_the_rows_more_than_once() {
    const ROWS: usize = 60_000;
    let joined = "SELECT a.id AS id FROM input a JOIN (SELECT kind, max(name) AS top FROM input GROUP BY kind) b
                  ON a.kind = b.kind AND a.name = b.top ORDER BY a.id";
    let both = "SELECT id FROM input WHERE kind = 'a' UNION ALL SELECT id FROM input WHERE kind = 'b'";
    let above = "SELECT id FROM input WHERE CAST(id AS BIGINT) > (SELECT avg(CAST(id AS BIGINT)) FROM input)";
    let bench = Bench::new(&rows(ROWS));
    for outputs in [
        vec![queried("joined", joined), of("plain"), queried("both", both), queried("above", above)],
        vec![queried("above", above)],
    ] {
        let alone = outputs.len() == 1;
        let outcome = bench.extract(outputs).await.unwrap();
        assert_eq!((outcome.extracted.reads, outcome.extracted.rows), (1, ROWS as u64));
        assert_eq!(outcome.records("above").len(), ROWS / 2);
        if !alone {
            assert_eq!(outcome.records("joined").len(), 3);
            assert_eq!(outcome.records("both").len(), ROWS / 3 * 2);
            assert_eq!(outcome.records("plain"), ids(ROWS, |_| true));
        }
        empty(&bench.spool()).unwrap();
    }
}

/// What a transform reads twice is read once from the source: its bad rows are told once.
#[tokio::test(flavor = "multi_thread")]
async fn a_transform_may_read_the_rows_more_than_once() {
    let joined =
        "SELECT a.id AS id, b.name AS kind FROM input a JOIN input b ON a.id = b.id ORDER BY CAST(a.id AS BIGINT)";
    let bench = Bench { transforms: json!([{"sql": joined}]), ..Bench::new(&(rows(20_000) + "too,few\n")) };
    for outputs in [vec![of("one")], vec![of("one"), of("two")]] {
        let outcome = bench.extract(outputs).await.unwrap();
        assert_eq!((outcome.extracted.reads, outcome.extracted.rows, outcome.rejects.len()), (1, 20_001, 1));
        assert_eq!(outcome.records("one"), ids(20_000, |_| true));
        empty(&bench.spool()).unwrap();
    }
}

/// Columns that the head of the input does not tell make all outputs anew, once, with the same numbers.
#[tokio::test(flavor = "multi_thread")]
async fn late_columns_reach_every_output() {
    let filler = "x".repeat(40);
    let mut text = (0..60_000).map(|id| format!("{{\"id\":\"{id}\",\"x\":\"{filler}\"}}\n")).collect::<String>();
    text += "{\"id\":\"60000\",\"late\":\"x\"}\nnot json\n";
    let through = |dataset: &str| Output {
        fields: vec![],
        pass_through: true,
        counters: vec![counter("n", CounterScope::File, 1)],
        ..of(dataset)
    };
    let bench = Bench::of("in.jsonl", text.as_bytes());
    let outcome = bench.extract(vec![through("one"), of("two"), through("three")]).await.unwrap();
    assert_eq!((outcome.extracted.reads, outcome.extracted.rows, outcome.rejects.len()), (2, 60_002, 1));
    assert_eq!(outcome.texts.keys().collect::<Vec<_>>(), ["one-n1", "three-n1", "two"]);
    for name in ["one-n1", "three-n1"] {
        assert_eq!(outcome.texts[name].lines().next(), Some("id,x,late"));
        assert_eq!(outcome.records(name)[60_000], "60000,,x");
    }
}

/// When no output wants more rows, no more are read.
#[tokio::test(flavor = "multi_thread")]
async fn the_pass_ends_with_its_last_reader() {
    const ROWS: usize = 400_000;
    let first = |dataset: &str, count| queried(dataset, &format!("SELECT id FROM input LIMIT {count}"));
    let bench = Bench::new(&rows(ROWS));
    let outcome = bench.extract(vec![first("few", 3), first("more", 5)]).await.unwrap();
    assert_eq!((outcome.records("few").len(), outcome.records("more").len()), (3, 5));
    assert!(outcome.extracted.rows < ROWS as u64, "{} rows were read", outcome.extracted.rows);
}

/// Rules over the whole input count once whoever asks for them; an output's own see its share only.
#[tokio::test(flavor = "multi_thread")]
async fn rules_of_the_input_come_before_the_outputs() {
    let strict = |dataset: &str| Output { input_rules: vec![rule("kind <> 'c'", "x/kind")], ..of(dataset) };
    let share = Output {
        filter: Some("kind = 'b'".to_owned()),
        rules: vec![rule("id <> '4'", "x/id")],
        input_rules: vec![rule("id <> '0'", "x/zero"), rule("kind <> 'c'", "x/kind")],
        ..of("share")
    };
    let outcome = Bench::new(&rows(6)).extract(vec![strict("one"), share, strict("two")]).await.unwrap();
    assert_eq!(outcome.records("one"), ["1", "3", "4"]);
    assert_eq!(outcome.records("two"), ["1", "3", "4"]);
    assert_eq!(outcome.records("share"), ["1"]);
    let mut told = outcome.rejects.iter().map(|reject| (reject.row.unwrap(), reject.code.as_str())).collect::<Vec<_>>();
    told.sort_unstable();
    assert_eq!(told, [(2, "x/zero"), (4, "x/kind"), (6, "x/id"), (7, "x/kind")]);
    assert!(outcome.rejects.iter().all(|reject| reject.file.is_some() && reject.record["name"].is_string()));
}

/// The failure of one ends all, and what is told is its cause.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_real_cause_is_told() {
    let bad = output("bad", &[("n", "CAST(name AS BIGINT)")]);
    let recursive = "WITH RECURSIVE r AS (SELECT 1 AS id UNION ALL SELECT r.id + 1 FROM r JOIN input ON
                     CAST(input.id AS BIGINT) = r.id WHERE r.id < 5) SELECT CAST(id AS VARCHAR) AS id FROM r";
    let good = || (0..20).map(|number| of(&format!("good{number}")));
    let cases: [(&str, Vec<Output>); 5] = [
        ("name0", good().chain([bad.clone()]).collect()),
        ("name0", [bad].into_iter().chain(good()).collect()),
        ("anew for each step", good().chain([queried("recursive", recursive)]).collect()),
        ("`nope`", good().chain([output("x", &[("x", "nope")])]).collect()),
        ("asks for no output", vec![]),
    ];
    for (wanted, outputs) in cases {
        let error = Bench::new(&rows(30_000)).extract(outputs).await.unwrap_err();
        assert!(
            error.to_string().contains(wanted) || error.hint_text().is_some_and(|hint| hint.contains(wanted)),
            "{error}"
        );
    }
    // The source, the memory, the layout and the disk.
    let mut packed = zstd_of(&rows(200_000));
    packed.truncate(packed.len() / 2);
    let error = Bench::of("in.csv.zst", &packed).extract(good().collect()).await.unwrap_err();
    assert!(error.to_string().contains("in.csv.zst"), "{error}");
    let twice = "SELECT a.id AS id FROM input a JOIN input b ON a.name = b.name";
    let bench = Bench { memory: 1 << 20, ..Bench::new(&rows(200_000)) };
    let error = bench.extract(vec![of("plain"), queried("twice", twice)]).await.unwrap_err();
    assert!(error.to_string().contains("more memory"), "{error}");
    let bench = Bench { refuses: true, ..Bench::new(&rows(30_000)) };
    let error = bench.extract(good().collect()).await.unwrap_err();
    assert!(error.to_string().contains("no names today"), "{error}");
    let bench = Bench::new(&rows(30_000));
    std::fs::remove_dir(bench.spool()).unwrap();
    let error = bench.extract(good().collect()).await.unwrap_err();
    assert!(error.to_string().contains("spool"), "{error}");
}

fn zstd_of(text: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let schema = arrow::datatypes::Schema::empty();
    let format = Format::Csv(Dialect::default());
    let mut file = outflow_formats::file::OutputFile::create(
        &path,
        &format,
        Compression::Zstd,
        None,
        &Arc::new(schema),
        Algorithm::Xxh3,
    )
    .unwrap();
    file.write_encoded(text.as_bytes()).unwrap();
    file.finish().unwrap();
    std::fs::read(path).unwrap()
}

/// Headers may repeat in CSV, where each field has its own value; elsewhere that is refused by name.
#[tokio::test(flavor = "multi_thread")]
async fn fields_of_one_name_are_for_csv() {
    let twice = output("twice", &[("Email", "id"), ("Name", "name"), ("Email", "kind")]);
    let outcome = Bench::new(&rows(1)).extract(vec![twice.clone()]).await.unwrap();
    assert_eq!(outcome.texts["twice"], "Email,Name,Email\n0,name0,a\n");
    let masked = Bench { view: View::Masked, ..Bench::new("id,kind,name\nann,berta,x\n") };
    assert_eq!(masked.extract(vec![twice.clone()]).await.unwrap().texts["twice"], "Email,Name,Email\na**,x,b****\n");
    for format in [Format::JsonLines(JsonStyle { omit_null: false }), Format::Parquet] {
        let error = Bench::new(&rows(1)).extract(vec![Output { format, ..twice.clone() }]).await.unwrap_err();
        assert!(error.to_string().contains("`twice`") && error.to_string().contains("`Email`"), "{error}");
        assert!(error.is_config());
    }
}

/// CIO-23: what has no file draws no number, and header-only files are files.
#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_drawn_by_files() {
    let numbered = |dataset: &str, filter: &str| Output {
        filter: Some(filter.to_owned()),
        counters: vec![
            counter("run", CounterScope::Run, 1),
            counter("out", CounterScope::Output, 5),
            counter("file", CounterScope::File, 0),
        ],
        partition_by: vec![PartitionKey { name: "kind".to_owned(), value: "kind".to_owned() }],
        ..of(dataset)
    };
    let header = Output { partition_by: vec![], write_when_empty: true, ..numbered("header", "false") };
    let outputs = || vec![numbered("a", "kind <> 'b'"), numbered("b", "false"), header.clone()];
    let outcome = Bench::new(&rows(6)).extract(outputs()).await.unwrap();
    let names = outcome.texts.keys().collect::<Vec<_>>();
    assert_eq!(names, ["a-a-run1-out5-file0", "a-c-run1-out5-file1", "header-run1-out5-file0"]);
    let drawn = |file: u64| {
        [
            (r#"["a","file"]"#, file),
            (r#"["a","out"]"#, 5),
            (r#"["header","file"]"#, 0),
            (r#"["header","out"]"#, 5),
            (r#"["run"]"#, 1),
        ]
        .map(|(key, value)| (key.to_owned(), value))
    };
    assert_eq!(outcome.extracted.counters, drawn(1));

    let numbers = LastNumbers { values: drawn(1).into_iter().collect(), held_by: None };
    let next = Bench { numbers: numbers.clone(), ..Bench::new(&rows(1)) }.extract(outputs()).await.unwrap();
    assert_eq!(next.texts.keys().collect::<Vec<_>>(), ["a-a-run2-out6-file2", "header-run2-out6-file1"]);
    let none = Bench { numbers: numbers.clone(), ..Bench::new(&rows(1)) };
    let none = none.extract(vec![numbered("a", "false"), numbered("b", "false")]).await.unwrap();
    assert_eq!((none.extracted.counters, none.texts.len()), (vec![], 0), "nothing written, nothing counted");

    let held = LastNumbers { held_by: Some(7), ..numbers };
    let error = Bench { numbers: held.clone(), ..Bench::new(&rows(1)) }.extract(outputs()).await.unwrap_err();
    assert!(error.to_string().contains("delivery 7") && error.retry() == crate::error::Retry::Later, "{error}");
    Bench { numbers: held, ..Bench::new(&rows(1)) }.extract(vec![of("uncounted"), of("other")]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_that_contradict_one_another_are_refused() {
    let with = |dataset: &str, counters: &[Counter]| Output { counters: counters.to_vec(), ..of(dataset) };
    let run = counter("n", CounterScope::Run, 1);
    for (outputs, wanted) in [
        (vec![with("a", &[run.clone(), counter("n", CounterScope::File, 1)])], "asked for twice"),
        (vec![with("a", std::slice::from_ref(&run)), with("b", &[counter("n", CounterScope::Run, 2)])], "differs"),
    ] {
        let error = Bench::new(&rows(1)).extract(outputs).await.unwrap_err();
        assert!(error.to_string().contains(wanted) && error.is_config(), "{error}");
    }
}

/// ACTITO: many flows and tables are as many outputs.
#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_outputs_are_written_side_by_side() {
    let outputs = (0..600).map(|number| of(&format!("out{number:03}"))).collect();
    let outcome = Bench::new(&rows(20_000)).extract(outputs).await.unwrap();
    assert_eq!((outcome.texts.len(), outcome.extracted.reads), (600, 1));
    let expected = ids(20_000, |_| true);
    assert!(outcome.texts.keys().all(|name| outcome.records(name) == expected));
}
