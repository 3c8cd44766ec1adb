-- A secret was switched on.
-- expect: read corrupt
UPDATE secrets SET inactive_since = NULL WHERE key = 'every-byte';
