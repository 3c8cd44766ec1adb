-- A secret has another generation.
-- expect: read corrupt
UPDATE secrets SET generation = generation + 1 WHERE key = 'token' AND project = 'etl' AND domain = 'production';
