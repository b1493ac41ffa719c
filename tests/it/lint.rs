//! The linter against a corpus of files, its own documentation, the published schema and other linters.
//! `BLESS=1` rewrites everything that is expected.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use outflow_spec::codes::{CODES, CodeDoc, RaisedBy};
use outflow_spec::fill::Lookup;
use outflow_spec::matrix::load_every;
use outflow_spec::render::{self, Report};
use outflow_spec::{
    Finding, Language, LayoutSchema, LoadOptions, Loaded, Project, check_columns, explain, project_schema, schema,
};
use serde_json::{Value, json};

use crate::support::process::repository;

/// One variable and one file are there; nothing else is.
struct Fixture;

impl Lookup for Fixture {
    fn env(&self, name: &str) -> Option<String> {
        matches!(name, "OF_TEST_SET" | "DATABASE_URL").then(|| "topsecretvalue".to_owned())
    }

    fn file(&self, path: &str) -> Result<String, String> {
        match path {
            "/run/secrets/key" => Ok("topsecretvalue\n".to_owned()),
            _ => Err("no such file".to_owned()),
        }
    }

    fn param(&self, _: &str) -> Option<String> {
        None
    }
}

/// A layout plugin with options of every kind.
fn layouts() -> Vec<LayoutSchema> {
    let text = json!({"type": "string", "minLength": 1});
    let sailthru = LayoutSchema {
        name: "sailthru".to_owned(),
        summary: "Sailthru event streams".to_owned(),
        schema: json!({
            "type": "object",
            "required": ["tables"],
            "additionalProperties": false,
            "properties": {"tables": {"type": "array", "items": text}},
        }),
    };
    let simon = LayoutSchema {
        name: "simon".to_owned(),
        summary: "Simon data feeds".to_owned(),
        schema: json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "required": ["client", "segment_name", "flow", "format"],
            "additionalProperties": false,
            "properties": {
                "client": text,
                "segment_name": text,
                "flow": {"$ref": "#/$defs/Flow"},
                "format": {"type": "string", "enum": ["csv", "tsv", "jsonl"]},
                "hash_identity": {"type": "boolean", "default": false},
                "flow_token": {"enum": ["name", "id"]},
                "feed_action": {"type": "string", "default": "data_feed"},
                "tsv_as": {"enum": ["tsv", "csv"]},
                "control_extension": {"enum": ["json", "same"]},
                "url_style": {"enum": ["s3", "https"]},
            },
            "$defs": {"Flow": {
                "type": "object",
                "required": ["id", "name"],
                "additionalProperties": false,
                "properties": {
                    "id": {"type": ["string", "number"]},
                    "name": text,
                    "actions": {"type": "array", "uniqueItems": true, "items": {"type": "string"}},
                },
            }},
        }),
    };
    vec![simon, sailthru]
}

fn language() -> Language {
    Language::new(&layouts()).expect("the fixture's schema is one")
}

/// The project that the files of the corpus are part of.
const PROJECT: &str = "version: 1\nconnections:\n  acme_bucket: {s3: {bucket: acme-feeds, path: exports}}\n";

fn read(language: &Language, text: &str) -> Loaded {
    let project = Project::load(PROJECT, &Language::of_projects().expect("the schema is one"), &Fixture);
    load_every(text, &LoadOptions { language, lookup: &Fixture, project: Some(&project) })
}

fn corpus(kind: &str) -> Vec<PathBuf> {
    let folder = repository().join("tests/lint").join(kind);
    let entries = fs::read_dir(&folder).expect("the corpus is there");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).expect("a file name in UTF-8")
}

fn expect_file(path: &Path, actual: &str) {
    if std::env::var_os("BLESS").is_some() {
        fs::write(path, actual).expect("writing an expectation");
        return;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(expected, actual, "{} differs; BLESS=1 rewrites it", path.display());
}

fn codes(findings: &[Finding]) -> BTreeSet<&'static str> {
    findings.iter().map(|finding| finding.code.code).collect()
}

#[test]
fn valid_files_have_no_findings() {
    let language = language();
    let files = corpus("valid");
    assert!(files.len() >= 12);
    for path in files {
        let loaded = read(&language, &fs::read_to_string(&path).expect("a readable file"));
        let report = Report { path: file_name(&path), text: loaded.text(), findings: &loaded.findings };
        assert_eq!(render::human(&[report], false), "");
        assert!(loaded.spec.is_some(), "{} has no spec", path.display());
    }
}

#[test]
fn invalid_files_have_the_findings_beside_them() {
    let language = language();
    let files = corpus("invalid");
    assert!(files.len() >= 65);
    for path in files {
        let text = fs::read_to_string(&path).expect("a readable file");
        let loaded = read(&language, &text);
        assert!(!loaded.findings.is_empty(), "{} has no findings", path.display());
        let report = Report { path: file_name(&path), text: &text, findings: &loaded.findings };
        let rendered = render::human(&[report], false);
        assert!(!rendered.contains("topsecretvalue"), "{} shows a secret:\n{rendered}", path.display());
        expect_file(&path.with_extension("err"), &rendered);
    }
}

/// What the requirements of Simon say about a pipeline file: id, file of the corpus, code.
#[test]
fn simon_rules_of_the_file() {
    let language = language();
    for (requirement, stem, code, words) in [
        ("SIMON-1", "component-sink-ftp", "OF105", "write `sftp`"),
        ("SIMON-4", "value-simon-format", "OF104", "expected `csv`, `tsv`, `jsonl`"),
        ("SIMON-5", "identity-in-template", "OF307", "the layout hashes `identifier`"),
        ("SIMON-7", "bucket-scheme", "OF401", "starts with a scheme"),
        ("SIMON-7", "bucket-trailing-slash", "OF401", "ends with a slash"),
        ("SIMON-8", "path-slashes", "OF402", "starts and ends with a slash"),
    ] {
        let path = repository().join(format!("tests/lint/invalid/{stem}.yaml"));
        let loaded = read(&language, &fs::read_to_string(path).expect("a readable file"));
        let found = loaded.findings.iter().find(|finding| finding.code.code == code);
        let found = found.unwrap_or_else(|| panic!("{requirement}: {stem} lacks {code}"));
        let said = format!("{} {} {}", found.message, found.label, found.help.as_deref().unwrap_or_default());
        assert!(said.contains(words), "{requirement}: {said}");
    }
}

#[test]
fn machine_formats() {
    let path = repository().join("tests/lint/invalid/many-at-once.yaml");
    let text = fs::read_to_string(&path).expect("a readable file");
    let loaded = read(&language(), &text);
    let reports = [Report { path: "many-at-once.yaml", text: &text, findings: &loaded.findings }];
    let folder = repository().join("tests/lint/formats");
    fs::create_dir_all(&folder).expect("a folder for expectations");
    for (name, rendered) in [
        ("concise.txt", render::concise(&reports)),
        ("github.txt", render::github(&reports)),
        ("lint.json", render::json(&reports)),
        ("lint.sarif", render::sarif(&reports)),
    ] {
        expect_file(&folder.join(name), &rendered);
    }
    assert!(render::human(&reports, true).contains("\u{1b}["), "colours are on");
}

/// A whole pipeline from the blocks that an example shows.
fn complete(example: &str) -> String {
    match example {
        text if text.starts_with("# a file of more than") => return format!("{text}{}", "#\n".repeat(600_000)),
        text if text.starts_with("# nothing but") => return text.to_owned(),
        _ => {}
    }
    let defaults = [
        ("version", "version: 1\n"),
        ("name", "name: orders-feed\n"),
        ("source", "source:\n  files: {path: data/orders.csv}\n"),
        ("layout", "layout:\n  files: {path: \"orders_{{ at }}.csv\", format: csv}\n"),
        ("sink", "sink:\n  local: {path: out}\n"),
    ];
    let shown = |key: &str| example.lines().any(|line| line.starts_with(&format!("{key}:")));
    let missing = defaults.iter().filter(|(key, _)| example.contains("\n---") || !shown(key));
    let head: String = missing.map(|(_, block)| *block).collect();
    head + example
}

#[test]
fn every_code_is_documented_by_examples_that_tell_it_apart() {
    let language = language();
    let found = |example: &str| {
        let mut columns = ["order_id", "city", "country", "total"].map(str::to_owned).to_vec();
        for name in ["email", "identifier"] {
            columns.extend(example.contains(name).then(|| name.to_owned()));
        }
        let mut loaded = read(&language, &complete(example));
        let more = check_columns(&loaded, &columns, &Default::default());
        loaded.add(more);
        codes(&loaded.findings)
    };
    for doc in CODES {
        assert!(!doc.title.is_empty() && doc.explanation.len() > 40, "{} says too little", doc.code);
        assert!(std::ptr::eq(explain(&doc.code.to_lowercase()).expect("a known code"), *doc));
        let good = found(doc.good);
        assert!(!good.contains(doc.code), "the good example of {} has it", doc.code);
        if doc.raised_by != RaisedBy::Engine {
            assert!(found(doc.bad).contains(doc.code), "the bad example of {} has {:?}", doc.code, found(doc.bad));
            assert!(good.is_empty(), "the good example of {} has {good:?}", doc.code);
        }
    }
    assert!(CODES.windows(2).all(|pair| pair[0].code < pair[1].code), "codes stand in order, each once");
    assert!(explain("OF999").is_none());
}

/// The layouts that are part of the program.
fn shipped_layouts() -> Vec<LayoutSchema> {
    let manifests = outflow_layout::builtin::manifests().iter();
    manifests
        .map(|manifest| LayoutSchema {
            name: manifest.name.clone(),
            summary: manifest.summary.clone(),
            schema: manifest.config_schema.clone(),
        })
        .collect()
}

/// The pipelines that are part of the repository.
fn shipped_pipelines() -> Vec<PathBuf> {
    let mut folders = vec![repository().join("pipelines")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml") {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn shipped_pipelines_have_no_findings() {
    let language = Language::new(&shipped_layouts()).expect("the plugins' schemas are schemas");
    let pipelines = shipped_pipelines();
    assert!(!pipelines.is_empty());
    for path in pipelines {
        let loaded = read(&language, &fs::read_to_string(&path).expect("a readable file"));
        let report = Report { path: file_name(&path), text: loaded.text(), findings: &loaded.findings };
        assert_eq!(render::human(&[report], false), "");
    }
}

#[test]
fn the_published_schema_is_fresh() {
    let layouts = shipped_layouts();
    expect_file(&repository().join("schemas/pipeline.schema.json"), &format!("{:#}\n", schema(&layouts)));
    expect_file(&repository().join("schemas/project.schema.json"), &format!("{:#}\n", project_schema()));
}

/// check-jsonschema and ajv with the published schema refuse exactly the files that have a finding of the
/// schema. Files that are not plain YAML are left out: each reader has its own view of those.
#[test]
fn other_linters_agree() {
    if std::env::var_os("OUTFLOW_OFFLINE").is_some() {
        return;
    }
    let language = language();
    let mut files = Vec::new();
    let mut ours = BTreeSet::new();
    for path in corpus("valid").into_iter().chain(corpus("invalid")) {
        let loaded = read(&language, &fs::read_to_string(&path).expect("a readable file"));
        let docs: Vec<&CodeDoc> = loaded.findings.iter().map(|finding| finding.code).collect();
        if docs.iter().any(|doc| doc.raised_by == RaisedBy::Yaml) {
            continue;
        }
        let path = path.to_str().expect("a path in UTF-8").to_owned();
        if docs.iter().any(|doc| doc.is_schema_level()) {
            ours.insert(path.clone());
        }
        files.push(path);
    }
    assert!(ours.len() >= 40 && files.len() - ours.len() >= 40, "both kinds are there");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("linters");
    fs::create_dir_all(&folder).expect("a folder for linters");
    let schema_file = folder.join("pipeline.schema.json");
    fs::write(&schema_file, schema(&layouts()).to_string()).expect("writing the schema");
    assert_eq!(refused_by_check_jsonschema(&folder, &schema_file, &files), ours, "check-jsonschema differs");
    assert_eq!(refused_by_ajv(&folder, &schema_file, &files), ours, "ajv differs");
    let published = repository().join("schemas/pipeline.schema.json");
    let shipped: Vec<String> = shipped_pipelines().iter().filter_map(|path| path.to_str()).map(str::to_owned).collect();
    assert_eq!(refused_by_check_jsonschema(&folder, &published, &shipped), BTreeSet::new());
    assert_eq!(refused_by_ajv(&folder, &published, &shipped), BTreeSet::new());
}

fn refused_by_check_jsonschema(folder: &Path, schema: &Path, files: &[String]) -> BTreeSet<String> {
    let program = folder.join("venv/bin/check-jsonschema");
    if !program.exists() {
        install(Command::new("python3").args(["-m", "venv"]).arg(folder.join("venv")));
        install(Command::new(folder.join("venv/bin/pip")).args(["install", "--quiet", "check-jsonschema==0.37.4"]));
    }
    let output = Command::new(program)
        .args(["--output-format", "json", "--schemafile"])
        .arg(schema)
        .args(files)
        .output()
        .expect("check-jsonschema runs");
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("check-jsonschema said {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(report["parse_errors"].as_array().map_or(0, Vec::len), 0, "{report:#}");
    let errors = report["errors"].as_array().into_iter().flatten();
    errors.filter_map(|error| error["filename"].as_str()).map(str::to_owned).collect()
}

fn refused_by_ajv(folder: &Path, schema: &Path, files: &[String]) -> BTreeSet<String> {
    if !folder.join("node_modules/yaml").exists() {
        let packages = ["ajv@8", "ajv-formats@3", "yaml@2"];
        install(Command::new("npm").args(["install", "--silent", "--no-audit", "--prefix"]).arg(folder).args(packages));
    }
    let script = folder.join("ajv.cjs");
    fs::copy(repository().join("tests/lint/ajv.cjs"), &script).expect("copying the script");
    let output = Command::new("node").arg(script).arg(schema).args(files).output().expect("node runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ajv said {said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("ajv said {said}"))
}

fn install(command: &mut Command) {
    let output =
        command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; OUTFLOW_OFFLINE=1 leaves this out"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}; OUTFLOW_OFFLINE=1 leaves this out");
}
