-- A description holds control characters.
-- expect: read corrupt
UPDATE secrets SET description = char(27) || '[2J' WHERE key = 'token' AND project = 'etl' AND domain = 'production';
