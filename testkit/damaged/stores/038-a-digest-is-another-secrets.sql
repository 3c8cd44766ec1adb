-- A digest is another secret's.
-- expect: read corrupt
UPDATE secrets SET digest = (SELECT digest FROM secrets WHERE key = 'empty') WHERE key = 'token' AND project = 'etl' AND domain = 'production';
