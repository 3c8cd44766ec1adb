-- A record is random.
-- expect: read corrupt
UPDATE secrets SET record = randomblob(200) WHERE key = 'token' AND project = 'etl' AND domain = 'production';
