//! Plugins from files through the command line: pins, the lock, options, rows through a transform, and what happens
//! to batches that a plugin fails for.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use crate::support::process::{Outcome, Outflow};

#[allow(dead_code, reason = "the build script calls more of it")]
#[path = "../../engine/outflow-layout/build/nested.rs"]
mod nested;

/// Folder of the guests, built once.
pub static GUESTS: LazyLock<PathBuf> = LazyLock::new(|| {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugins-target");
    nested::build(&target, &["evil", "evil-transform", "normalise", "simon"]).unwrap()
});

/// A folder with three contacts, the guests, and a pipeline with these transforms and this layout.
fn project(transforms: &str, layout: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["normalise", "evil", "evil_transform", "simon"] {
        fs::copy(GUESTS.join(format!("{name}.wasm")), folder.path().join(format!("{name}.wasm"))).unwrap();
    }
    let contacts = "id,mail,phone\n1, Ann.Lee+x@GMAIL.com,+32 2 555\n2,nobody,none\n3,c@example.org,\n";
    fs::write(folder.path().join("contacts.csv"), contacts).unwrap();
    let pipeline = format!(
        "version: 1\nname: contacts\nsource: {{files: {{path: contacts.csv}}}}\ntransforms:\n{transforms}\n\
         layout: {layout}\nsink: {{local: {{path: out}}}}\n"
    );
    fs::write(folder.path().join("pipeline.yaml"), pipeline).unwrap();
    folder
}

const FILES: &str = "{files: {path: 'contacts_{{ nonce[:8] }}.csv', format: csv}}";

/// SHA-256 of a file.
pub fn digest(folder: &Path, file: &str) -> String {
    Sha256::digest(fs::read(folder.join(file)).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn lint(folder: &Path) -> Outcome {
    Outflow::in_folder(folder).args(["lint", "pipeline.yaml"]).run()
}

fn run(folder: &Path) -> Outcome {
    Outflow::in_folder(folder).args(["run", "pipeline.yaml", "--at", "2017-03-14T17:54:13Z"]).run()
}

/// The one delivered file.
fn delivered(folder: &Path) -> String {
    let mut files: Vec<_> = fs::read_dir(folder.join("out")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    fs::read_to_string(files.remove(0)).unwrap()
}

fn rejects(folder: &Path) -> Vec<serde_json::Value> {
    let files = fs::read_dir(folder.join(".outflow/rejects")).into_iter().flatten();
    let texts = files.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect::<String>();
    texts.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn normalise(pin: &str, options: &str) -> String {
    format!("  - plugin: {{component: ./normalise.wasm, {pin}options: {options}}}")
}

fn lock(folder: &Path, file: &str, digest: &str) {
    fs::write(folder.join("outflow.lock"), format!("version: 1\nplugins: {{{file}: {digest}}}\n")).unwrap();
}

/// Without a pin nothing runs; the message has the digest to paste. A changed file names both digests.
#[test]
fn pins() {
    let folder = project(&normalise("", "{emails: [mail]}"), FILES);
    let folder = folder.path();
    let found = digest(folder, "normalise.wasm");
    let help = format!("if you trust the file as it is, add `sha256: {found}`");
    lint(folder).expect_code(1).expect_stdout("OF501").expect_stdout(&help);
    run(folder).expect_code(2).expect_stderr("the plugin `./normalise.wasm` is not pinned");
    lock(folder, "normalise.wasm", &found);
    lint(folder).expect_code(0);
    run(folder).expect_code(0);
    assert!(delivered(folder).contains("annlee@gmail.com"));

    let mut bytes = fs::read(folder.join("normalise.wasm")).unwrap();
    bytes.push(0);
    fs::write(folder.join("normalise.wasm"), bytes).unwrap();
    let now = digest(folder, "normalise.wasm");
    let message = format!("has changed: pinned is {found}, the file is {now}");
    lint(folder).expect_code(1).expect_stdout("OF502").expect_stdout(&message);
    run(folder).expect_code(2).expect_stderr(&message);
    fs::remove_file(folder.join("normalise.wasm")).unwrap();
    lint(folder).expect_code(1).expect_stdout("OF503").expect_stdout("cannot read the plugin `./normalise.wasm`");
}

/// Options are checked by the plugin's own schema, columns by the plugin, and those behind it are known.
#[test]
fn options_and_columns() {
    let found = digest(&GUESTS, "normalise.wasm");
    for (options, after, code, message) in [
        ("{emials: [mail]}", "", "OF101", "emials"),
        ("{emails: mail}", "", "OF103", "`emails`"),
        ("{emails: [mail, mail]}", "", "OF1", "emails"),
        ("{emails: [email]}", "", "OF503", "the rows have no column `email`"),
        ("{emails: [mail]}", "\n  - hash: {columns: [zork]}", "OF205", "unknown column `zork`"),
    ] {
        let folder = project(&(normalise(&format!("sha256: {found}, "), options) + after), FILES);
        lint(folder.path()).expect_code(1).expect_stdout(code).expect_stdout(message);
    }
    let folder = project("  - plugin: {component: simon.wasm}", FILES);
    lock(folder.path(), "simon.wasm", &digest(&GUESTS, "simon.wasm"));
    lint(folder.path()).expect_code(1).expect_stdout("OF503").expect_stdout("is a layout, and here stands a transform");
}

/// Only the columns that a plugin writes change; rows that it rejects go to the dead letter as they were.
#[test]
fn rows_through_a_transform() {
    let pin = format!("sha256: {}, ", digest(&GUESTS, "normalise.wasm"));
    let folder = project(&normalise(&pin, "{emails: [mail], phones: [phone]}"), FILES);
    run(folder.path()).expect_code(0);
    let expected = "id,mail,phone\n1,annlee@gmail.com,322555\n2,nobody,none\n3,c@example.org,\n";
    assert_eq!(delivered(folder.path()), expected);

    let folder = project(&normalise(&pin, "{emails: [mail], reject_invalid: true}"), FILES);
    run(folder.path()).expect_code(0);
    assert_eq!(delivered(folder.path()), "id,mail,phone\n1,annlee@gmail.com,+32 2 555\n3,c@example.org,\n");
    let letters = rejects(folder.path());
    assert_eq!(letters.len(), 1);
    assert_eq!((&letters[0]["code"], &letters[0]["row"]), (&"normalise/email".into(), &3.into()));
    assert_eq!(letters[0]["record"], serde_json::json!({"id": "2", "mail": "nobody", "phone": "none"}));
}

/// Several guests work at once on a large file. Rows, and those that are left out, are in input order all the same, and what
/// the plugin does not read stands in the dead letter as in the file.
#[test]
fn guests_side_by_side() {
    const ROWS: usize = 200_000;
    let pin = format!("sha256: {}, ", digest(&GUESTS, "normalise.wasm"));
    let folder = project(&normalise(&pin, "{emails: [mail], reject_invalid: true}"), FILES);
    let (mut text, mut expected) = ("id,mail,phone\n".to_owned(), "id,mail,phone\n".to_owned());
    let (filler, bad) = ("5".repeat(40), |id: usize| id % 1_013 == 1_000);
    for id in 0..ROWS {
        let mail = if bad(id) { format!("nobody {id}") } else { format!("Contact.{id}@Example.ORG") };
        text += &format!("{id},{mail},\"{id},{filler}\"\n");
        if !bad(id) {
            expected += &format!("{id},{},\"{id},{filler}\"\n", mail.to_lowercase());
        }
    }
    assert!(text.len() > 10 << 20);
    fs::write(folder.path().join("contacts.csv"), text).unwrap();
    let arguments = ["run", "pipeline.yaml", "--at", "2017-03-14T17:54:13Z", "--memory"];
    // There is no room for two guests in the second one.
    for memory in ["512MiB", "32MiB"] {
        Outflow::in_folder(folder.path()).args(arguments).args([memory]).run().expect_code(0);
        assert!(
            delivered(folder.path()) == expected,
            "{memory}: the rows are not those expected, or not in their order"
        );
        check_rejects(folder.path(), ROWS, bad, &filler);
        for made in ["out", ".outflow"] {
            fs::remove_dir_all(folder.path().join(made)).unwrap();
        }
    }
}

fn check_rejects(folder: &Path, rows: usize, bad: impl Fn(usize) -> bool, filler: &str) {
    let letters = rejects(folder);
    let told = letters.iter().map(|letter| (letter["row"].as_u64().unwrap(), letter["record"].clone()));
    let wanted = (0..rows).filter(|id| bad(*id)).map(|id| {
        let phone = format!("{id},{filler}");
        (id as u64 + 2, serde_json::json!({"id": id.to_string(), "mail": format!("nobody {id}"), "phone": phone}))
    });
    assert!(told.eq(wanted), "the dead letter has other rows");
}

/// `on_error`: a failing batch ends the run with the plugin, the rows and the message, or is rejected as a whole.
#[test]
fn failing_batches() {
    let pin = format!("sha256: {}, ", digest(&GUESTS, "evil_transform.wasm"));
    let evil = |attack: &str, on_error: &str| {
        let columns = "  - derive: {a: mail}\n";
        format!("{columns}  - plugin: {{component: evil_transform.wasm, {pin}{on_error}options: {{attack: {attack}}}}}")
    };
    for (attack, message) in [
        ("panic", "plugin/panic: the plugin `evil_transform` panicked at "),
        ("refuse", "not today"),
        ("utf8", "plugin/answer: the plugin `evil_transform` gave a wrong answer: column `a`"),
    ] {
        let folder = project(&evil(attack, ""), FILES);
        let failed =
            run(folder.path()).expect_stderr(message).expect_stderr("transform 2 (`plugin`): the plugin failed");
        assert_eq!(failed.code, Some(3), "{}", failed.stderr);
        assert!(
            failed.stderr.contains("from row 2 of `") && failed.stderr.contains("to row 4 of `"),
            "{}",
            failed.stderr
        );
        assert!(
            !folder.path().join("out").exists() || fs::read_dir(folder.path().join("out")).unwrap().next().is_none()
        );

        let folder = project(&evil(attack, "on_error: reject, "), FILES);
        run(folder.path()).expect_code(0);
        let letters = rejects(folder.path());
        assert_eq!(letters.len(), 3, "{attack}");
        assert!(letters.iter().all(|letter| letter["code"] == "plugin/failed"), "{letters:?}");
        assert!(letters[0]["message"].as_str().unwrap().contains(message), "{letters:?}");
    }
    // What is told of a row before its batch fails is told; and a guest is not asked about no rows.
    let rule = |when: &str| format!("  - reject: \"{when}\"\n");
    let folder = project(&(rule("id = '2'") + &evil("panic", "")), FILES);
    assert_eq!(run(folder.path()).code, Some(3));
    assert_eq!(rejects(folder.path()).len(), 1);
    let folder = project(&(rule("id < '9'") + &evil("panic", "")), FILES);
    run(folder.path()).expect_code(0);
    assert_eq!(rejects(folder.path()).len(), 3);
    // A filter: the untouched columns follow the row that stays.
    let folder = project(&evil("filter", ""), FILES);
    run(folder.path()).expect_code(0);
    assert_eq!(delivered(folder.path()), "id,mail,phone,a\n2,nobody,none,z\n");
}

/// What a transform logs as a warning is a warning of the run, of many lines the first hundred.
#[test]
fn warnings() {
    let pin = format!("sha256: {}, ", digest(&GUESTS, "evil_transform.wasm"));
    let transforms = format!(
        "  - derive: {{a: mail}}\n  - plugin: {{component: evil_transform.wasm, {pin}options: {{attack: log}}}}"
    );
    let folder = project(&transforms, FILES);
    let arguments = ["run", "pipeline.yaml", "--at", "2017-03-14T17:54:13Z", "--report", "report.json"];
    let told = Outflow::in_folder(folder.path()).args(arguments).run().expect_code(0);
    let report: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("report.json")).unwrap()).unwrap();
    let warnings = report["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 101);
    assert_eq!(warnings[1], "plugin `evil_transform`: line 1");
    assert_eq!(warnings[100], "plugins logged 900 further warnings");
    let shown = format!("{}{}", told.stdout, told.stderr);
    assert!(shown.contains("plugin `evil_transform`: line 1"), "{shown}");
}

/// A layout from a file is the layout that it is inside of the program.
#[test]
fn a_layout_from_a_file() {
    let pin = format!("sha256: {}", digest(&GUESTS, "simon.wasm"));
    let rows = "  - sql: SELECT mail AS identifier, 'A' AS variant, 'add' AS operation FROM input";
    let layout = |options: &str| format!("{{plugin: {{component: ./simon.wasm, {pin}{options}}}}}");
    let options = "client: c, segment_name: s, format: csv, flow: {id: 1, name: f}";
    let folder = project(rows, &layout(&format!(", options: {{{options}}}")));
    lint(folder.path());
    run(folder.path()).expect_code(0);
    let day = folder.path().join("out/2017/03/14");
    let names: Vec<_> = fs::read_dir(day).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names.iter().any(|name| name.to_string_lossy().starts_with("c_f_add_")), "{names:?}");

    lint(project(rows, &layout("")).path()).expect_code(1).expect_stdout("`options`");
    let wrong = options.replace("format: csv", "format: xml");
    let wrong = layout(&format!(", options: {{{wrong}}}"));
    lint(project(rows, &wrong).path()).expect_code(1).expect_stdout("`csv`, `tsv`, `jsonl`");
}

/// F62: a layout that never answers the same twice. What it answered is pinned with the seal: the run that finishes the
/// delivery of a dead one, and every run after it, has the names and columns of the first.
#[test]
fn f62_answers_that_vary_are_drawn_once() {
    let pin = format!("sha256: {}", digest(&GUESTS, "evil.wasm"));
    let rows = "  - sql: SELECT id AS a FROM input";
    for (attack, wanted) in [("name_varies", "names of files"), ("outputs_vary", "outputs")] {
        let folder =
            project(rows, &format!("{{plugin: {{component: ./evil.wasm, {pin}, options: {{attack: {attack}}}}}}}"));
        let arguments = ["run", "pipeline.yaml", "--at", "2017-03-14T17:54:13Z"];
        for point in ["seal-committed", "file-put"] {
            let killed = Outflow::in_folder(folder.path()).args(arguments).env("OUTFLOW_KILL_AT", point).run();
            assert_eq!(killed.signal, Some(9), "{attack} {point}: {killed:?}");
        }
        let listed = Outflow::in_folder(folder.path()).args(["files", "list"]).run().expect_code(0).stdout;
        run(folder.path()).expect_code(0);
        run(folder.path()).expect_code(0).expect_stdout("already delivered");
        assert!(delivered(folder.path()).ends_with("1\n2\n3\n"), "{attack}");
        let named = fs::read_dir(folder.path().join("out")).unwrap().next().unwrap().unwrap().file_name();
        assert!(listed.contains(named.to_str().unwrap()), "{attack}: {named:?} in {listed}");

        let lint = |more: &[&str]| {
            let call = Outflow::in_folder(folder.path()).args(["lint", "pipeline.yaml", "--format", "concise"]);
            call.args(more.iter().copied()).run()
        };
        assert!(!lint(&[]).expect_code(0).stdout.contains("OF504"));
        lint(&["--twice"]).expect_code(0).expect_stdout("OF504").expect_stdout(&format!("gives other {wanted}"));
        lint(&["--twice", "--deny-warnings"]).expect_code(1);
    }
    let steady = project(rows, &format!("{{plugin: {{component: ./evil.wasm, {pin}, options: {{attack: none}}}}}}"));
    let told = Outflow::in_folder(steady.path()).args(["lint", "pipeline.yaml", "--twice", "--deny-warnings"]).run();
    told.expect_code(0);
    Outflow::in_folder(steady.path()).args(["explain", "OF504"]).run().expect_code(0).expect_stdout("--twice");
}
