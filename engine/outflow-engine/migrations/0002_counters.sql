-- A counter belongs to a target too. No version before this one ever advanced any.
DROP TABLE counter;

CREATE TABLE counter (
    pipeline TEXT NOT NULL,
    target   TEXT NOT NULL,
    name     TEXT NOT NULL,
    value    INTEGER NOT NULL,
    PRIMARY KEY (pipeline, target, name)
) STRICT, WITHOUT ROWID;
