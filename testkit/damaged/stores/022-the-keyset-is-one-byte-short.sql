-- The keyset is one byte short.
-- expect: read corrupt
UPDATE keyring SET keyset = substr(keyset, 1, length(keyset) - 1);
