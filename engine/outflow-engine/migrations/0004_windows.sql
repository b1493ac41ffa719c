-- What the deliveries of a pipeline to a target have seen of each input file, by the part of its identity that
-- parameters add: set by the commit, from the list of the slot.
ALTER TABLE slot ADD COLUMN inputs TEXT NOT NULL DEFAULT '[]';

CREATE TABLE input (
    pipeline TEXT NOT NULL,
    target   TEXT NOT NULL,
    scope    TEXT NOT NULL,
    name     TEXT NOT NULL,
    facts    TEXT NOT NULL,
    PRIMARY KEY (pipeline, target, scope, name)
) STRICT, WITHOUT ROWID;

-- What a person changed by hand, and what it was before.
CREATE TABLE audit (
    id       INTEGER PRIMARY KEY,
    at       TEXT NOT NULL,
    pipeline TEXT NOT NULL,
    target   TEXT NOT NULL,
    action   TEXT NOT NULL,
    before   TEXT,
    after    TEXT
) STRICT;
