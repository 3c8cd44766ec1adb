-- A secret has a hostile name.
-- expect: read corrupt
UPDATE secrets SET key = '../etc/passwd' WHERE key = 'token' AND project = 'etl' AND domain = 'production';
