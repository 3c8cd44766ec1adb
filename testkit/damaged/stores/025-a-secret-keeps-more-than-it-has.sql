-- A secret keeps more than it has.
-- expect: read corrupt
UPDATE secrets SET first_revision = 0 WHERE key = 'token' AND project = 'etl' AND domain = 'production';
