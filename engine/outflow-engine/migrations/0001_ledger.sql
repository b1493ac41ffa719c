-- One delivery: a pipeline's window to a target.
CREATE TABLE slot (
    id           INTEGER PRIMARY KEY,
    pipeline     TEXT NOT NULL,
    target       TEXT NOT NULL,
    time_window  TEXT NOT NULL,
    state        TEXT NOT NULL,
    epoch        INTEGER NOT NULL,
    plan         TEXT NOT NULL,
    attempt      INTEGER,
    counters     TEXT NOT NULL DEFAULT '[]',
    reason       TEXT,
    planned_at   TEXT NOT NULL,
    published_at TEXT,
    UNIQUE (pipeline, target, time_window)
) STRICT;

CREATE INDEX slot_unfinished ON slot (pipeline, state);

-- One extraction of a slot; the slot's `attempt` is the one whose files count.
CREATE TABLE attempt (
    id            INTEGER PRIMARY KEY,
    slot          INTEGER NOT NULL REFERENCES slot (id),
    epoch         INTEGER NOT NULL,
    run           TEXT NOT NULL,
    config_hash   TEXT NOT NULL,
    layout_digest TEXT NOT NULL,
    started_at    TEXT NOT NULL
) STRICT;

CREATE INDEX attempt_slot ON attempt (slot);

-- The sealed files of an attempt. Rows are added by the seal and only their state changes.
CREATE TABLE file (
    attempt      INTEGER NOT NULL REFERENCES attempt (id),
    ordinal      INTEGER NOT NULL,
    role         TEXT NOT NULL,
    path         TEXT NOT NULL,
    spool_path   TEXT NOT NULL,
    row_count    INTEGER NOT NULL,
    bytes        INTEGER NOT NULL,
    sha256       TEXT NOT NULL,
    content_type TEXT,
    metadata     TEXT NOT NULL,
    details      TEXT NOT NULL,
    state        TEXT NOT NULL,
    PRIMARY KEY (attempt, ordinal)
) STRICT, WITHOUT ROWID;

CREATE INDEX file_path ON file (path);

-- What ran, for people.
CREATE TABLE run (
    id          TEXT PRIMARY KEY,
    pipeline    TEXT NOT NULL,
    started_at  TEXT NOT NULL,
    finished_at TEXT,
    status      TEXT NOT NULL,
    report      TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX run_started ON run (started_at);

-- Numbers without gaps, advanced only by the commit of the slot that used them.
CREATE TABLE counter (
    pipeline TEXT NOT NULL,
    name     TEXT NOT NULL,
    value    INTEGER NOT NULL,
    PRIMARY KEY (pipeline, name)
) STRICT, WITHOUT ROWID;
