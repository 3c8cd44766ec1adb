-- A record is of a newer format.
-- expect: read unsupported
UPDATE secrets SET record = CAST(substr(record, 1, 4) || x'02' || substr(record, 6) AS BLOB) WHERE key = 'token' AND project = 'etl' AND domain = 'production';
