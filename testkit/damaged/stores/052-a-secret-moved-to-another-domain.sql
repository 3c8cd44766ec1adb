-- A secret moved to another domain.
-- expect: read corrupt
UPDATE secrets SET domain = 'staging' WHERE key = 'token' AND project = 'etl' AND domain = 'production';
