-- A digest is told after the name of its algorithm; those there are, are SHA-256.
ALTER TABLE file RENAME COLUMN sha256 TO digest;
UPDATE file SET digest = 'sha256:' || digest;
