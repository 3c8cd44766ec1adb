-- Tags are not sorted.
-- expect: read corrupt
UPDATE secrets SET tags = 'b' || char(10) || 'a' WHERE key = 'token' AND project = 'etl' AND domain = 'production';
