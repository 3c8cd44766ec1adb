-- A record is empty.
-- expect: read corrupt
UPDATE secrets SET record = x'' WHERE key = 'token' AND project = 'etl' AND domain = 'production';
