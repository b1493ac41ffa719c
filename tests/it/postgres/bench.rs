//! A pipeline over a database of its own.

use std::ops::Deref;
use std::path::Path;

use crate::support::postgres::Postgres;
use crate::support::process::{Outcome, Outflow, files_below};

/// A folder with the pipeline `feed.yaml`, and a database.
pub struct Bench {
    folder: tempfile::TempDir,
    server: Server,
    url: String,
}

enum Server {
    Shared(&'static Postgres),
    Own(Postgres),
}

impl Deref for Server {
    type Target = Postgres;

    fn deref(&self) -> &Postgres {
        match self {
            Self::Shared(server) => server,
            Self::Own(server) => server,
        }
    }
}

impl Bench {
    /// `reads` is what the source has beside the connection; `more` are further blocks of the pipeline.
    pub fn new(reads: &str, more: &str) -> Self {
        let layout = "layout:\n  files: {path: \"{{ nonce }}.csv\", format: csv}\n";
        Self::with_layout(reads, &format!("{more}{layout}"))
    }

    /// The same with another layout.
    pub fn with_layout(reads: &str, more: &str) -> Self {
        let server = Postgres::shared();
        let bench =
            Self { folder: tempfile::tempdir().unwrap(), url: server.database(), server: Server::Shared(server) };
        bench.write(reads, more);
        bench
    }

    /// The same over a server that nobody else uses.
    pub fn with_server(self, server: Postgres) -> Self {
        Self { url: server.database(), server: Server::Own(server), ..self }
    }

    /// Writes the pipeline anew.
    pub fn write(&self, reads: &str, more: &str) {
        let text = format!(
            "version: 1\nname: feed\nsource:\n  postgres:\n    url: \"${{env:DATABASE_URL}}\"\n    \
             tls: {{mode: disable}}\n    {reads}\n{more}sink: {{local: {{path: out}}}}\n"
        );
        std::fs::write(self.path().join("feed.yaml"), text).unwrap();
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// URL of the database, with the password.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Name of the database.
    pub fn name(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or_default()
    }

    /// Port of the server.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// Runs statements with `psql`, in UTC; gives what they answer.
    pub fn sql(&self, statements: &str) -> String {
        self.server.sql(&format!("{}?options=-ctimezone%3DUTC", self.url), statements)
    }

    /// A call of outflow.
    pub fn outflow(&self, arguments: &[&str]) -> Outflow {
        Outflow::in_folder(self.path()).args(arguments).env("DATABASE_URL", &self.url)
    }

    /// Runs the pipeline.
    pub fn run(&self) -> Outcome {
        self.outflow(&["run", "feed.yaml"]).run()
    }

    /// Contents of the delivered files, the oldest first.
    pub fn files(&self) -> Vec<String> {
        let out = self.path().join("out");
        let mut files = files_below(&out);
        files.sort_by_key(|(path, _)| std::fs::metadata(out.join(path)).unwrap().modified().unwrap());
        files.into_iter().map(|(_, bytes)| String::from_utf8(bytes).unwrap()).collect()
    }

    /// Content of the one delivered file.
    pub fn only_file(&self) -> String {
        let files = self.files();
        assert_eq!(files.len(), 1, "{files:?}");
        files.into_iter().next().unwrap_or_default()
    }
}
