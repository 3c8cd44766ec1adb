-- The keyring has another version.
-- expect: read corrupt
UPDATE keyring SET version = version + 1;
