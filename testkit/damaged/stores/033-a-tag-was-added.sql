-- A tag was added.
-- expect: read corrupt
UPDATE secrets SET tags = 'public' WHERE key = 'token' AND project = 'etl' AND domain = 'production';
