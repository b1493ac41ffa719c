-- Who may deliver a pipeline, and until when, by the clock of this database (milliseconds since 1970).
CREATE TABLE lease (
    pipeline   TEXT PRIMARY KEY,
    owner      TEXT NOT NULL,
    epoch      INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A delivery that its target could not take: since when, when to try again, and how often it was tried.
ALTER TABLE slot ADD COLUMN deferred_since TEXT;
ALTER TABLE slot ADD COLUMN deferred_until TEXT;
ALTER TABLE slot ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;

-- Whether an attempt may have left staging files at the target (1), and when they were removed.
ALTER TABLE attempt ADD COLUMN unclean INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN swept_at TEXT;
