-- A secret was updated at another time.
-- expect: read corrupt
UPDATE secrets SET updated_at = updated_at + 1 WHERE key = 'token' AND project = 'etl' AND domain = 'production';
