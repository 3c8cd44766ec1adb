-- A secret has another revision.
-- expect: read corrupt
UPDATE secrets SET revision = revision + 1 WHERE key = 'token' AND project = 'etl' AND domain = 'production';
