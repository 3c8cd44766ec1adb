-- A secret has an id of 15 bytes.
-- expect: read corrupt
UPDATE secrets SET id = randomblob(15) WHERE key = 'token' AND project = 'etl' AND domain = 'production';
