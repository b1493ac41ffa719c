//! The tool chains of the plugin kits: cargo's own home, and one folder each with the packages of JavaScript and
//! Python that the templates pin. They are installed once below the target folder. A component is built once for the
//! same sources: the tools' place is taken by a script that keeps what they made.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use super::console::script_file;
use super::process::{repository, run};

/// The folders that stand for `node_modules` and `.venv`, and programs that put them in their place.
pub struct Kits {
    bin: PathBuf,
}

/// Keeps the component by the digest of the sources; `$0.real` is the tool, the last argument the component.
const KEEPER: &str = r#"#!/bin/sh
set -e
for last; do :; done
kept="$(dirname "$0")/kept-$(cat *.js *.py *.json *.txt wit/* 2>/dev/null | sha256sum | cut -c1-32).wasm"
[ -s "$kept" ] || { "$0.real" "$@" && cp "$last" "$kept.$$" && mv "$kept.$$" "$kept"; }
cp "$kept" "$last"
"#;

/// The kits of this test run; the first call installs what is not there yet.
pub fn kits() -> &'static Kits {
    static KITS: OnceLock<Kits> = OnceLock::new();
    KITS.get_or_init(|| {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kits");
        fs::create_dir_all(&root).expect("the target folder can be written");
        let lock = File::create(root.join("lock")).expect("the target folder can be written");
        lock.lock().expect("the lock file can be locked");
        let templates = repository().join("engine/outflow/templates/plugin");
        let node = installed(&root, "node", &templates.join("js-layout/package.json"), |folder, file| {
            fs::copy(file, folder.join("package.json")).expect("the target folder can be written");
            let mut npm = Command::new("npm");
            npm.args(["install", "--no-audit", "--no-fund", "--silent"]).current_dir(folder);
            run(&mut npm, Duration::from_secs(580)).expect_code(0);
            keep(&folder.join("node_modules/.bin/jco"));
        });
        let python = installed(&root, "python", &templates.join("python-layout/requirements.txt"), |folder, file| {
            let venv = folder.join("venv");
            run(Command::new("python3").args(["-m", "venv"]).arg(&venv), Duration::from_secs(300)).expect_code(0);
            let mut pip = Command::new(venv.join("bin/pip"));
            pip.args(["install", "--quiet", "--disable-pip-version-check", "-r"]).arg(file);
            run(&mut pip, Duration::from_secs(580)).expect_code(0);
            keep(&venv.join("bin/componentize-py"));
        });
        let bin = root.join("bin");
        fs::create_dir_all(&bin).expect("the target folder can be written");
        let _ = fs::remove_file(bin.join("outflow"));
        let linked = std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_outflow"), bin.join("outflow"));
        linked.expect("the target folder can be written");
        let stand_in = |name: &str, condition: &str, put: &str| {
            let real = real_program(name, &bin);
            let text = format!("#!/bin/sh\nif {condition}; then {put}; else exec {real} \"$@\"; fi\n");
            script_file(&bin.join(name), &text);
        };
        let modules = node.join("node_modules");
        stand_in("npm", "[ \"$1\" = install ]", &format!("ln -sfn {} node_modules", modules.display()));
        let venv = python.join("venv");
        stand_in("python3", "[ \"$2\" = venv ]", &format!("ln -sfn {} \"$3\"", venv.display()));
        Kits { bin }
    })
}

impl Kits {
    /// Lets a command find the tools, its own home aside.
    pub fn prepare(&self, command: &mut Command) {
        for (name, value) in self.environment() {
            command.env(name, value);
        }
    }

    /// The environment that finds the tools.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let home = std::env::var("HOME").unwrap_or_default();
        let of_home = |name: &str, folder: &str| std::env::var(name).unwrap_or_else(|_| format!("{home}/{folder}"));
        vec![
            ("PATH", format!("{}:{}", self.bin.display(), std::env::var("PATH").unwrap_or_default())),
            ("CARGO_HOME", of_home("CARGO_HOME", ".cargo")),
            ("RUSTUP_HOME", of_home("RUSTUP_HOME", ".rustup")),
            ("CARGO_TARGET_DIR", root.join("kits/target").display().to_string()),
            ("XDG_CACHE_HOME", root.join("cache").display().to_string()),
        ]
    }
}

/// A folder with what a list of packages asks for; another list makes another folder.
fn installed(root: &Path, name: &str, list: &Path, install: impl Fn(&Path, &Path)) -> PathBuf {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    (fs::read(list).expect("the template is there"), KEEPER).hash(&mut hasher);
    let folder = root.join(format!("{name}-{:016x}", hasher.finish()));
    if !folder.join("ready").exists() {
        // What a run that was interrupted left behind is not to be trusted.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("the target folder can be written");
        install(&folder, list);
        fs::write(folder.join("ready"), "").expect("the target folder can be written");
    }
    folder
}

/// Puts the keeper in a tool's place.
fn keep(tool: &Path) {
    let real = PathBuf::from(format!("{}.real", tool.display()));
    match fs::read_link(tool) {
        // npm's programs are links, and find their own files by where these lead.
        Ok(target) => {
            std::os::unix::fs::symlink(target, &real).expect("the folder can be written");
            fs::remove_file(tool).expect("the folder can be written");
        }
        Err(_) => fs::rename(tool, &real).expect("the folder can be written"),
    }
    script_file(tool, KEEPER);
}

/// Where a program is on the `PATH`, leaving out our own stand-ins.
fn real_program(name: &str, except: &Path) -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).filter(|folder| folder != except).map(|folder| folder.join(name));
    let found = found.into_iter().find(|file| file.is_file()).unwrap_or_else(|| name.into());
    found.display().to_string()
}
