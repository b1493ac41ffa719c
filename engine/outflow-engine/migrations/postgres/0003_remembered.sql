-- What a delivery leaves for the next one of its pipeline and target: set by the commit, from the list of the slot.
ALTER TABLE slot ADD COLUMN remembered TEXT NOT NULL DEFAULT '[]';

CREATE TABLE remembered (
    pipeline TEXT NOT NULL,
    target   TEXT NOT NULL,
    name     TEXT NOT NULL,
    value    TEXT NOT NULL,
    PRIMARY KEY (pipeline, target, name)
);
