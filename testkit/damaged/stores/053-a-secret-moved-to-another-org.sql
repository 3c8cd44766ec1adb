-- A secret moved to another org.
-- expect: read unknown_key
UPDATE secrets SET org = 'other' WHERE key = 'token' AND project = 'etl' AND domain = 'production';
