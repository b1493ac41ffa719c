//! The fixtures of the built-in plugins, `plugins/<name>/fixtures/<case>`: options and rows, and the files that must
//! come of them. `BLESS=1` writes what comes of them now.

use std::path::Path;

use crate::support::process::{Outflow, copy_folder, repository};

#[test]
fn built_in_plugins_keep_their_fixtures() {
    let mut cases = 0;
    for manifest in outflow_layout::builtin::manifests() {
        let fixtures = repository().join("plugins").join(&manifest.name).join("fixtures");
        for case in std::fs::read_dir(fixtures).into_iter().flatten() {
            check(&manifest.name, &case.unwrap().path());
            cases += 1;
        }
    }
    assert!(cases >= 5, "the fixtures were not found");
}

fn check(plugin: &str, case: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let expected = folder.path().join("expected/case");
    std::fs::copy(case.join("input.jsonl"), folder.path().join("input.jsonl")).unwrap();
    let options = std::fs::read_to_string(case.join("options.yaml")).unwrap();
    let options = options.lines().map(|line| format!("\n    {line}")).collect::<String>();
    let pipeline = format!(
        "version: 1\nname: case\nsource: {{files: {{path: input.jsonl}}}}\nlayout:\n  {plugin}:{options}\n\
         sink: {{local: {{path: out}}}}\n"
    );
    std::fs::write(folder.path().join("case.yaml"), pipeline).unwrap();
    let outflow = Outflow::in_folder(folder.path());
    if std::env::var_os("BLESS").is_some() {
        outflow.args(["test", "case.yaml", "--update"]).run().expect_code(0);
        let _ = std::fs::remove_dir_all(case.join("expected"));
        copy_folder(&expected, &case.join("expected"));
    } else {
        copy_folder(&case.join("expected"), &expected);
        let outcome = outflow.args(["test", "case.yaml"]).run();
        assert_eq!(outcome.code, Some(0), "{}\n{}{}", case.display(), outcome.stdout, outcome.stderr);
    }
}
