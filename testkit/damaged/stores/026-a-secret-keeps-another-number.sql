-- A secret keeps another number.
-- expect: read corrupt
UPDATE secrets SET keep = 3 WHERE key = 'token' AND project = 'etl' AND domain = 'production';
