//! Azurite (npm), Microsoft's own emulator of Azure Blob Storage, on loopback with everything in memory, and Microsoft's
//! own client beside it, which looks at what was delivered from outside.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use super::process::{Outcome, Server, free_address, run};

/// The account that every Azurite has.
pub const ACCOUNT: &str = "devstoreaccount1";
/// Its key, which is published.
pub const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// Packages with their versions; another list makes another folder.
const PACKAGES: [&str; 2] = ["azurite@3.37.0", "@azure/storage-blob@12"];

/// Opening of a script: `container` is the one named by the third argument.
const CLIENT: &str = "
const { StorageSharedKeyCredential, BlobServiceClient } = require('@azure/storage-blob');
const [endpoint, key, name, ...rest] = process.argv.slice(2);
const credential = new StorageSharedKeyCredential('devstoreaccount1', key);
const container = new BlobServiceClient(endpoint, credential).getContainerClient(name);
";

/// A running Azurite.
pub struct Azurite {
    server: Server,
}

impl Azurite {
    /// The one that all tests share, for it takes long to start, with one empty container more.
    pub fn with(container: &str) -> &'static Self {
        static SHARED: OnceLock<Azurite> = OnceLock::new();
        let azurite = SHARED.get_or_init(Self::start);
        azurite.client("container.create().then(() => console.log('made'))", container, &[]).expect_code(0);
        azurite
    }

    fn start() -> Self {
        let address = free_address();
        let mut program = Command::new("node");
        program.arg(packages().join("node_modules/azurite/dist/src/blob/main.js"));
        program.args(["--blobHost", "127.0.0.1", "--blobPort", &address.port().to_string(), "--silent"]);
        program.args(["--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck"]);
        Self { server: Server::guarded(&mut program, address, Duration::from_secs(1800)) }
    }

    /// URL of the account, for `endpoint:`.
    pub fn endpoint(&self) -> String {
        format!("http://{}/{ACCOUNT}", self.server.address())
    }

    /// Runs a script of Microsoft's client with a container in its hands.
    pub fn client(&self, script: &str, container: &str, arguments: &[&str]) -> Outcome {
        let file = tempfile::Builder::new().suffix(".cjs").tempfile_in(packages()).unwrap();
        fs::write(file.path(), format!("{CLIENT}{script}")).unwrap();
        let mut node = Command::new("node");
        node.arg(file.path()).args([&self.endpoint(), KEY, container]).args(arguments);
        run(&mut node, Duration::from_secs(150))
    }
}

/// The folder with the packages; the first call installs them if they are not there yet.
fn packages() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
        fs::create_dir_all(root).expect("the target folder can be written");
        // Test processes run side by side; whoever gets the lock first installs for all.
        let lock = File::create(root.join("azurite.lock")).expect("the target folder can be written");
        lock.lock().expect("the lock file can be locked");
        let name: String = PACKAGES.concat().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let folder = root.join(name);
        if !folder.join("ready").exists() {
            let mut npm = Command::new("npm");
            npm.args(["install", "--silent", "--no-audit", "--prefix"]).arg(&folder).args(PACKAGES);
            run(&mut npm, Duration::from_secs(600)).expect_code(0);
            fs::write(folder.join("ready"), "").expect("the target folder can be written");
        }
        folder
    })
}
