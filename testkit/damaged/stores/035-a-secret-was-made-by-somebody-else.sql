-- A secret was made by somebody else.
-- expect: read corrupt
UPDATE secrets SET created_by = 'somebody' WHERE key = 'token' AND project = 'etl' AND domain = 'production';
