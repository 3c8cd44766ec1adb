-- A secret has another id.
-- expect: read corrupt
UPDATE secrets SET id = randomblob(16) WHERE key = 'token' AND project = 'etl' AND domain = 'production';
