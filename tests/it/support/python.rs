//! A Python environment with the packages that judge outflow from outside: aiosmtpd, boto3, moto, DuckDB, PyArrow,
//! check-jsonschema.
//! It is made once below the target folder; tests that start together wait for the first.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use super::process::{Outcome, run};

/// Packages with their versions; another list makes another environment.
const PACKAGES: &[&str] = &[
    "aiosmtpd==1.4.6",
    "boto3==1.44.5",
    "check-jsonschema==0.39.0",
    "duckdb==2.0.0",
    "moto[server]==5.2.5",
    "paramiko==5.1.0",
    "pyarrow==26.0.1",
];

/// A ready environment.
pub struct Python {
    folder: PathBuf,
}

/// The environment of this test run; the first call makes it if it is not there yet.
pub fn python() -> &'static Python {
    static PYTHON: OnceLock<Python> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
        fs::create_dir_all(root).expect("the target folder can be written");
        // Test processes run side by side; whoever gets the lock first installs for all.
        let lock = File::create(root.join("python.lock")).expect("the target folder can be written");
        lock.lock().expect("the lock file can be locked");
        let name: String = PACKAGES.concat().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let folder = root.join(format!("python-{name}"));
        if !folder.join("ready").exists() {
            install(&folder);
        }
        Python { folder }
    })
}

fn install(folder: &Path) {
    let patience = Duration::from_secs(600);
    // What a run that was interrupted left behind is not to be trusted.
    let _ = fs::remove_dir_all(folder);
    run(Command::new("python3").args(["-m", "venv"]).arg(folder), patience).expect_code(0);
    let python = Python { folder: folder.to_owned() };
    let arguments = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"];
    run(python.command().args(arguments).args(PACKAGES), patience).expect_code(0);
    fs::write(folder.join("ready"), "").expect("the target folder can be written");
}

impl Python {
    /// The interpreter.
    pub fn command(&self) -> Command {
        let mut command = Command::new(self.folder.join("bin/python3"));
        command.env("PYTHONDONTWRITEBYTECODE", "1").env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }

    /// A program that a package installed, such as `check-jsonschema`.
    pub fn program(&self, name: &str) -> Command {
        Command::new(self.folder.join("bin").join(name))
    }

    /// Runs a script given as text.
    pub fn script(&self, script: &str, arguments: &[&str]) -> Outcome {
        run(self.command().arg("-c").arg(script).args(arguments), Duration::from_secs(300))
    }

    /// Runs a script file that lies beside this module.
    pub fn file(&self, name: &str, arguments: &[&str]) -> Outcome {
        let path = super::process::repository().join("tests/it/support").join(name);
        run(self.command().arg(path).args(arguments), Duration::from_secs(600))
    }
}
