-- Numbers without gaps, advanced only by the commit of the slot that used them.
CREATE TABLE counter (
    pipeline TEXT NOT NULL,
    target   TEXT NOT NULL,
    name     TEXT NOT NULL,
    value    BIGINT NOT NULL,
    PRIMARY KEY (pipeline, target, name)
);
