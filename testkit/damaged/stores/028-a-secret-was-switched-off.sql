-- A secret was switched off.
-- expect: read corrupt
UPDATE secrets SET inactive_since = 1 WHERE key = 'token' AND project = 'etl' AND domain = 'production';
