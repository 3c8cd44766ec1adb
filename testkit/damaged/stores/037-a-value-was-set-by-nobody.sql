-- A value was set by nobody.
-- expect: read corrupt
UPDATE secrets SET value_by = '' WHERE key = 'token' AND project = 'etl' AND domain = 'production';
