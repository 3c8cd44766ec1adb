-- A record is another secret's.
-- expect: read corrupt
UPDATE secrets SET record = (SELECT record FROM secrets WHERE key = 'last') WHERE key = 'token' AND project = 'etl' AND domain = 'production';
